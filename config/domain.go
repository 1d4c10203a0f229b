package config

import (
	"fmt"
	"regexp"
	"strings"
)

// Domain is the name that users know a deployment by.
type Domain struct {
	// Zone is the name of a public hosted zone of Route 53 in the same account,
	// such as "example.com". Required.
	Zone string `json:"zone" jsonschema:"required"`
	// ZoneID is the zone's id, such as "Z0123456789ABCDEFGHIJ". Required: to look
	// it up takes credentials.
	ZoneID string `json:"zoneId" jsonschema:"required,pattern=^Z[A-Z0-9]+$,maxLength=32" want:"the id of that hosted zone, such as \"Z0123456789ABCDEFGHIJ\""`
	// Host is the name itself, in the zone: "staff.example.com". Required.
	Host string `json:"host" jsonschema:"required"`
}

// Set reports whether there is one.
func (d Domain) Set() bool { return d != Domain{} }

// maxHost is the most characters of a certificate's name. Source: AWS Certificate
// Manager API Reference, "RequestCertificate".
const maxHost = 64

// validDNSName is a domain name in lower case, without its final dot.
var validDNSName = regexp.MustCompile(`^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}$`)

func (d Domain) validate(p problems) {
	if !d.Set() {
		return
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
