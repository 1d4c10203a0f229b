package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	route53types "github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// identity is whose the credentials are.
type identity struct{ account, arn string }

// identify asks AWS whose the credentials are, by a call that nobody is denied.
func (d doctor) identify(ctx context.Context) (identity, error) {
	ctx, cancel := context.WithTimeout(ctx, d.within)
	defer cancel()
	settings, err := d.settings(ctx, anyRegion)
	if err != nil {
		return identity{}, err
	}
	out, err := sts.NewFromConfig(settings).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return identity{}, fmt.Errorf("AWS does not take the credentials: sign in, or set AWS_PROFILE (%w)", err)
	}
	return identity{aws.ToString(out.Account), aws.ToString(out.Arn)}, nil
}

// anyRegion is one that no account can switch off.
const anyRegion = "us-east-1"

// credentials compares their account with the configuration's. The CDK CLI deploys
// nowhere else: "Need to perform AWS calls for account …, but the current credentials
// are for …".
func (d doctor) credentials() Line {
	l := ok("account %s, as %s", d.identity.account, d.identity.arn)
	switch wanted := d.config.Account; {
	case d.local: // whose names are the configuration's
		l = ok("account %s of what runs here", wanted)
	case wanted != d.identity.account:
		l = fail("they are those of account %s, and archipelago.account is %s: set AWS_PROFILE, or correct cdk.json", d.identity.account, wanted)
	}
	l.Check = "credentials"
	return l
}

// enabled asks which regions the account has, and returns what there is to say of each.
// A region that is not enabled refuses every call, this one too, so that all are asked
// until one answers, and at last one that no account can switch off. Source: AWS
// Account Management Reference Guide, "Enable or disable AWS Regions in your account".
func (d doctor) enabled(ctx context.Context) func(region string) Line {
	var regions []string
	for _, r := range d.config.Regions {
		if !r.Lost {
			regions = append(regions, r.Name)
		}
	}
	var status map[string]string
	var unknown error
	for _, region := range append(regions, anyRegion) {
		if status, unknown = d.optedIn(ctx, region); unknown == nil {
			break
		}
	}
	return func(region string) Line {
		switch {
		case unknown != nil:
			return notLookedAt("whether it is enabled", unknown)
		case status[region] == "opt-in-not-required" || status[region] == "opted-in":
			return ok("enabled")
		}
		return fail("it is not enabled for this account: aws account enable-region --region-name %s, and wait some minutes", region)
	}
}

// optedIn asks in one region whether each is enabled.
func (d doctor) optedIn(ctx context.Context, region string) (map[string]string, error) {
	ctx, cancel := context.WithTimeout(ctx, d.within/4) // so that others are asked, too
	defer cancel()
	settings, err := d.settings(ctx, region)
	if err != nil {
		return nil, err
	}
	out, err := ec2.NewFromConfig(settings).DescribeRegions(ctx, &ec2.DescribeRegionsInput{AllRegions: aws.Bool(true)})
	if err != nil {
		return nil, err
	}
	status := map[string]string{}
	for _, r := range out.Regions {
		status[aws.ToString(r.RegionName)] = aws.ToString(r.OptInStatus)
	}
	return status, nil
}

// gitHubProvider ends the ARN of an account's identity provider for GitHub, of which it
// can have only one. Source: IAM User Guide, "Create an OpenID Connect (OIDC) identity
// provider in IAM".
const gitHubProvider = ":oidc-provider/token.actions.githubusercontent.com"

// github compares the account's identity provider for GitHub with what the configuration
// says of it: a second one is refused, and without one nobody gets a role.
func github(ctx context.Context, s *site) []Line {
	if !s.config.GitHub.Set() {
		return nil
	}
	out, err := iam.NewFromConfig(s.here).ListOpenIDConnectProviders(ctx, &iam.ListOpenIDConnectProvidersInput{})
	if err != nil {
		return []Line{notLookedAt("whether the account has an identity provider for GitHub", err)}
	}
	exists := slices.ContainsFunc(out.OpenIDConnectProviderList, func(p types.OpenIDConnectProviderListEntry) bool {
		return strings.HasSuffix(aws.ToString(p.Arn), gitHubProvider)
	})
	if s.config.GitHub.ProviderExists {
		if !exists {
			return []Line{warn("there is no identity provider for GitHub, so no workflow gets a role: make it, or take archipelago.github.providerExists out")}
		}
		return []Line{ok("the account has an identity provider for GitHub")}
	}
	stack := s.names().GitHubStack()
	switch status, err := s.stack(ctx, s.here, stack); {
	case err != nil:
		return []Line{notLookedAt("the stack "+stack, err)}
	case exists && status == "":
		return []Line{fail("the account has an identity provider for GitHub already, and can have one: set archipelago.github.providerExists to true")}
	}
	return []Line{ok("the identity provider for GitHub is made by %s", stack)}
}

// hostedZone looks for that of the domain, with its name and the name servers that its
// parent delegates to, without which AWS validates no certificate and the deployment
// waits for one.
func hostedZone(ctx context.Context, s *site) []Line {
	d := s.config.Domain
	if !d.Set() {
		return nil
	}
	out, err := route53.NewFromConfig(s.here).GetHostedZone(ctx, &route53.GetHostedZoneInput{Id: &d.ZoneID})
	if refusedWith(err, "NoSuchHostedZone") {
		return []Line{fail("there is no hosted zone %s in this account: correct archipelago.domain.zoneId", d.ZoneID)}
	}
	if err != nil {
		return []Line{notLookedAt("the hosted zone "+d.ZoneID, err)}
	}
	private := out.HostedZone.Config != nil && out.HostedZone.Config.PrivateZone
	say := warn // users do not find it, and the record is made
	switch name := aws.ToString(out.HostedZone.Name); {
	case name != d.Zone+".":
		if !strings.HasSuffix("."+d.Host+".", "."+name) {
			say = fail // of a record
		}
		return []Line{say("the hosted zone %s is that of %s, and archipelago.domain.zone is %s: correct one of them", d.ZoneID, name, d.Zone)}
	case private != d.Private:
		if private && len(d.CertificateARNs) == 0 {
			say = fail // nothing proves a certificate there
		}
		return []Line{say("the hosted zone %s has private: %t, and archipelago.domain.private is %t: correct one of them", d.ZoneID, private, d.Private)}
	}
	lines := []Line{ok("%s is %s", d.ZoneID, d.Zone)}
	if private || s.local || out.DelegationSet == nil {
		return lines
	}
	return append(lines, s.delegation(ctx, out.DelegationSet.NameServers), recovery(d.ZoneID, out.HostedZone.Features))
}

// recovery looks whether records change while us-east-1, where Route 53 has its control
// plane, does not answer. Source: Amazon Route 53 Developer Guide, "Enabling accelerated
// recovery for managing public DNS records".
func recovery(id string, features *route53types.HostedZoneFeatures) Line {
	if features != nil && features.AcceleratedRecoveryStatus == route53types.AcceleratedRecoveryStatusEnabled {
		return ok("its records change an hour after us-east-1 is lost, too")
	}
	return warn("its records do not change while us-east-1 is lost: aws route53 update-hosted-zone-features --hosted-zone-id %s --enable-accelerated-recovery", id)
}

// record looks for one of the domain's name in the way of the stack that makes it: with
// an accelerator the entry's, and else each region's. Source: Amazon Route 53 API
// Reference, "ChangeResourceRecordSets": CREATE is refused where there is one.
func record(ctx context.Context, s *site) []Line {
	stack, id := s.names().RegionStack(s.region.Name), s.region.Name
	switch c := s.config; {
	case !c.Domain.Set() || c.Entry == config.EntryNone, c.Entry == config.EntryAccelerator && !s.isPrimary(), c.Entry != config.EntryAccelerator && s.region.Weight == 0:
		return nil
	case c.Entry == config.EntryAccelerator:
		stack, id = s.names().EntryStack(), ""
	}
	what := "whether " + s.config.Domain.Host + " has a record"
	status, err := s.stack(ctx, s.here, stack)
	if err != nil {
		return []Line{notLookedAt(what, err)}
	}
	if status != "" {
		made, err := s.resources(ctx, s.here, stack, "AWS::Route53::RecordSet")
		if err != nil {
			return []Line{notLookedAt(what, err)}
		}
		if len(made) > 0 {
			return []Line{ok("%s is of %s", s.config.Domain.Host, stack)}
		}
	}
	name := s.config.Domain.Host + "."
	out, err := route53.NewFromConfig(s.here).ListResourceRecordSets(ctx, &route53.ListResourceRecordSetsInput{HostedZoneId: &s.config.Domain.ZoneID, StartRecordName: &name})
	if refusedWith(err, "NoSuchHostedZone") {
		return nil // of which another check tells
	}
	if err != nil {
		return []Line{notLookedAt(what, err)}
	}
	for _, r := range out.ResourceRecordSets { // of this name first
		other := aws.ToString(r.SetIdentifier)
		if aws.ToString(r.Name) == name && (r.Type == route53types.RRTypeCname || r.Type == route53types.RRTypeA && (other == "" || id == "" || other == id)) {
			return []Line{fail("%s has a record %s %s that is not of %s, and Route 53 makes no second one: delete it, right before the deployment if users have it", s.config.Domain.ZoneID, name, strings.TrimSpace(string(r.Type)+" "+other), stack)}
		}
	}
	return []Line{ok("nothing is in the way of that of %s", stack)}
}

// delegation compares the name servers that DNS knows with the hosted zone's.
func (s *site) delegation(ctx context.Context, servers []string) Line {
	d := s.config.Domain
	found, err := s.resolver.LookupNS(ctx, d.Zone)
	say := fail // nothing proves a certificate
	if len(d.CertificateARNs) > 0 {
		say = warn // and only users do not find it
	}
	if dns := (*net.DNSError)(nil); err != nil && (!errors.As(err, &dns) || !dns.IsNotFound) {
		return warn("not looked at: whether %s is delegated to its hosted zone: DNS: %v", d.Zone, err)
	}
	var delegated []string
	for _, ns := range found {
		delegated = append(delegated, strings.TrimSuffix(strings.ToLower(ns.Host), "."))
	}
	if slices.ContainsFunc(delegated, func(ns string) bool { return slices.Contains(servers, ns) }) {
		return ok("%s is delegated to it", d.Zone)
	}
	return say("DNS does not delegate %s to its hosted zone: have the parent's NS record name %s", d.Zone, strings.Join(servers, ", "))
}
