// Package domain gives a deployment the name that users know it by.
package domain

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscertificatemanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsroute53"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Domain is a name in a public hosted zone of the same account. The zero Domain
// is none.
type Domain struct {
	// Zone is the zone's name, such as "example.com".
	Zone string
	// ZoneID is the zone's id.
	ZoneID string
	// Host is the name, in the zone: "staff.example.com".
	Host string
}

// Set reports whether there is a name.
func (d Domain) Set() bool { return d.Host != "" }

// HostedZone returns the zone for use below scope.
func (d Domain) HostedZone(scope constructs.Construct) awsroute53.IHostedZone {
	return awsroute53.HostedZone_FromHostedZoneAttributes(scope, jsii.String("Zone"), &awsroute53.HostedZoneAttributes{
		ZoneName:     &d.Zone,
		HostedZoneId: &d.ZoneID,
	})
}

// NewCertificate creates a certificate for the name in scope's region. It is
// proved by a record in the zone, the same one for every region; the first
// deployment waits for it, for minutes.
func (d Domain) NewCertificate(scope constructs.Construct) awscertificatemanager.ICertificate {
	return awscertificatemanager.NewCertificate(scope, jsii.String("Certificate"), &awscertificatemanager.CertificateProps{
		DomainName: &d.Host,
		Validation: awscertificatemanager.CertificateValidation_FromDns(d.HostedZone(scope)),
	})
}
