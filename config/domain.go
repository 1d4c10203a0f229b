package config

import (
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// Domain is the name that users know a deployment by.
type Domain struct {
	// Zone is the name of a hosted zone of Route 53 in the same account, such as
	// "example.com". Required.
	Zone string `json:"zone" jsonschema:"required"`
	// ZoneID is the zone's id, such as "Z0123456789ABCDEFGHIJ": to look it up takes
	// credentials. Required.
	ZoneID string `json:"zoneId" jsonschema:"required,pattern=^Z[A-Z0-9]+$,maxLength=32" want:"the id of that hosted zone, such as \"Z0123456789ABCDEFGHIJ\""`
	// Host is the name itself, in the zone: "staff.example.com". Required.
	Host string `json:"host" jsonschema:"required"`
	// Private says that the zone is a private hosted zone, as only the entry
	// "internal" may have: it needs certificateArns, since nothing proves a
	// certificate by it. Default: false.
	Private bool `json:"private" default:"false"`
	// CertificateARNs are certificates for host that exist already in AWS Certificate
	// Manager, by their regions: {"eu-west-1": "arn:aws:acm:…"}; imported ones and
	// those of a private CA too. Default: none, each region gets one that the zone
	// proves.
	CertificateARNs map[string]string `json:"certificateArns"`
}

// Set reports whether there is one.
func (d Domain) Set() bool { return !reflect.ValueOf(d).IsZero() }

// validCertificate is the ARN of a certificate of AWS Certificate Manager, with its
// region and account.
var validCertificate = regexp.MustCompile(`^arn:aws:acm:([a-z0-9-]+):(\d{12}):certificate/[A-Za-z0-9-]+$`)

// maxHost is the most characters of a certificate's name. Source: AWS Certificate
// Manager API Reference, "RequestCertificate".
const maxHost = 64

// validDNSName is a domain name in lower case, without its final dot.
var validDNSName = regexp.MustCompile(`^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$`)

func (c Config) validateDomain(p problems) {
	d := c.Domain
	if !d.Set() {
		return
	}
	c.validateCertificates(p)
	if d.Private && c.Entry != EntryInternal {
		p.add("private", fmt.Sprintf("false: only the entry %q has users who see a private zone", EntryInternal), true)
	}
	zoneIsOne := validDNSName.MatchString(d.Zone)
	if !zoneIsOne {
		p.add("zone", `the name of a hosted zone, such as "example.com"`, d.Zone)
	}
	switch {
	case !validDNSName.MatchString(d.Host):
		p.add("host", `a name in the zone, such as "staff.example.com"`, d.Host)
	case len(d.Host) > maxHost:
		p.add("host", fmt.Sprintf("at most %d characters, since a certificate is for no longer name", maxHost), d.Host)
	case zoneIsOne && d.Host != d.Zone && !strings.HasSuffix(d.Host, "."+d.Zone):
		p.add("host", fmt.Sprintf(`a name in the zone, %q or one that ends in ".%s"`, d.Zone, d.Zone), d.Host)
	}
}

// validateCertificates refuses certificates that no load balancer of the deployment
// may have, and regions without one.
func (c Config) validateCertificates(p problems) {
	arns, at := c.Domain.CertificateARNs, p.under("certificateArns")
	if c.Domain.Private && len(arns) == 0 {
		at.add("", "a certificate for each region: the records that prove one have to be in a public zone", nil)
	}
	if len(arns) == 0 {
		return
	}
	for _, region := range c.RegionNames() {
		if arns[region] == "" {
			at.add(region, "the ARN of a certificate in that region, as the others have", nil)
		}
	}
	var known []string
	for _, region := range c.Regions {
		known = append(known, region.Name)
	}
	for _, region := range slices.Sorted(maps.Keys(arns)) {
		arn := arns[region]
		if !slices.Contains(known, region) {
			at.add(region, "a region of archipelago.regions as the key"+didYouMean(region, known), region)
			continue
		}
		// A load balancer takes certificates of its own region and account only.
		if parts := validCertificate.FindStringSubmatch(arn); arn != "" && (parts == nil || parts[1] != region || parts[2] != c.Account) {
			at.add(region, fmt.Sprintf(`a certificate's ARN of that region and of the account, such as "arn:aws:acm:%s:%s:certificate/12345678-1234-1234-1234-123456789012"`, region, c.Account), arn)
		}
	}
}
