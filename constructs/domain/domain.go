// Package domain gives a deployment the name that users know it by.
package domain

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscertificatemanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsroute53"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Domain is a name in a hosted zone of the same account. The zero Domain is none.
type Domain struct {
	// Zone is the zone's name, such as "example.com".
	Zone string
	// ZoneID is the zone's id.
	ZoneID string
	// Host is the name, in the zone: "staff.example.com".
	Host string
	// CertificateARN is the certificate for the name, in the region of what serves it.
	// Default: a new one, which a public zone proves.
	CertificateARN string
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

// Certificate returns the name's certificate, or creates one in scope's region. That
// is proved by a record in the zone, which has to be public, the same one for every
// region; the first deployment waits for it, for minutes.
func (d Domain) Certificate(scope constructs.Construct) awscertificatemanager.ICertificate {
	if d.CertificateARN != "" {
		return awscertificatemanager.Certificate_FromCertificateArn(scope, jsii.String("Certificate"), &d.CertificateARN)
	}
	return awscertificatemanager.NewCertificate(scope, jsii.String("Certificate"), &awscertificatemanager.CertificateProps{
		DomainName: &d.Host,
		Validation: awscertificatemanager.CertificateValidation_FromDns(d.HostedZone(scope)),
	})
}
