package stacks

import (
	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/constructs/entry"
	"github.com/archipelago-cdk/archipelago/constructs/loadbalancer"
	"github.com/archipelago-cdk/archipelago/constructs/observability"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscertificatemanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsroute53"
	"github.com/aws/jsii-runtime-go"
)

// newEntry places the way in, and the dashboard over all regions, in the primary
// region. It holds no data, so that it can be made again.
func newEntry(app awscdk.App, c config.Config) awscdk.Stack {
	names := c.Names()
	stack := newStack(app, c, names.EntryStack(), c.Regions[0].Name, "Archipelago: entry and dashboard of all regions")
	if !c.Domain.Set() {
		awscdk.Annotations_Of(stack).AddWarningV2(jsii.String("archipelago:cleartext"),
			jsii.String("cleartext: there is no domain, so what users send, passwords too, crosses networks in the clear: archipelago.domain gives the entry TLS"))
	}
	tables, buckets := stores{c}.observed()
	watch := &observability.GlobalProps{
		Deployment:   c.Name,
		Dashboard:    names.GlobalDashboard(),
		Impaired:     names.ImpairedAlarm(),
		Regions:      c.RegionNames(),
		LoadBalancer: names.LoadBalancer(c.Public()),
		Group:        names.Group(),
		Tables:       tables,
		Buckets:      buckets,
	}
	if c.Entry == config.EntryAccelerator {
		accelerator := entry.New(stack, "Entry", &entry.Props{
			Name:              c.Name,
			Ports:             loadbalancer.Ports(c.Domain.Set()),
			Host:              c.Domain.Host,
			Zone:              hostedZone(stack, c),
			ListenerParameter: names.ListenerParameter(),
			Regions:           c.RegionNames(),
		})
		awscdk.NewCfnOutput(stack, jsii.String("EntryURL"), &awscdk.CfnOutputProps{Value: &accelerator.URL})
		watch.Accelerator = accelerator.ID
	}
	observability.NewGlobal(stack, "Observability", watch)
	if records(c) {
		awscdk.NewCfnOutput(stack, jsii.String("EntryURL"), &awscdk.CfnOutputProps{Value: jsii.String("https://" + c.Domain.Host)})
	}
	return stack
}

// records reports whether each region has a record of the domain.
func records(c config.Config) bool {
	return c.Entry == config.EntryDNS || c.Entry == config.EntryInternal && c.Domain.Set()
}

// hostedZone is that of the domain, nil where there is none.
func hostedZone(stack awscdk.Stack, c config.Config) awsroute53.IHostedZone {
	if !c.Domain.Set() {
		return nil
	}
	return awsroute53.HostedZone_FromHostedZoneAttributes(stack, jsii.String("Zone"), &awsroute53.HostedZoneAttributes{
		ZoneName:     &c.Domain.Zone,
		HostedZoneId: &c.Domain.ZoneID,
	})
}

// certificate is the domain's in region, nil where none exists.
func certificate(stack awscdk.Stack, c config.Config, region string) awscertificatemanager.ICertificate {
	arn, ok := c.Domain.CertificateARNs[region]
	if !ok {
		return nil
	}
	return awscertificatemanager.Certificate_FromCertificateArn(stack, jsii.String("Certificate"), &arn)
}
