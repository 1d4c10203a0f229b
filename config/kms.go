package config

import (
	"fmt"
	"regexp"
	"slices"
)

// KMS are the account's own keys that a region's instances need.
type KMS struct {
	// Decrypt are the ARNs of keys that instances may decrypt with, through S3, Systems
	// Manager and Secrets Manager alone: that of the bootstrap's bucket where `cdk
	// bootstrap` was given one, and those of service.secrets. Their policies have to
	// leave it to the account's IAM policies. Default: none.
	Decrypt []string `json:"decrypt" jsonschema:"maxItems=8" wantMost:"at most 8 keys"`
	// Volume is the ARN of the key that instances' volumes are encrypted with, which a
	// grant or its policy has to let Auto Scaling's service-linked role use: `archipelago
	// doctor` looks, and says how. Default: the account's default key of EBS.
	Volume string `json:"volume"`
}

func (KMS) want() string {
	return `an object such as {"decrypt": ["arn:aws:kms:…"], "volume": "arn:aws:kms:…"}`
}

// validKey is the ARN of a key of AWS KMS, with its region. An alias is refused, since
// IAM does not know it as a resource. Source: AWS KMS Developer Guide, "Using aliases to
// control access to KMS keys".
var validKey = regexp.MustCompile(`^arn:aws:kms:([a-z0-9-]+):\d{12}:key/(mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$`)

// validate refuses keys of other regions, which neither EBS nor a region's bucket has.
func (k KMS) validate(p problems, region string) {
	check := func(key, arn string) {
		if parts := validKey.FindStringSubmatch(arn); parts == nil || parts[1] != region {
			p.add(key, fmt.Sprintf(`a key's ARN of that region, and no alias, such as "arn:aws:kms:%s:123456789012:key/12345678-1234-1234-1234-123456789012"`, region), arn)
		}
	}
	for i, arn := range k.Decrypt {
		key := fmt.Sprintf("decrypt[%d]", i)
		if slices.Index(k.Decrypt, arn) < i {
			p.add(key, "each key once", arn)
			continue
		}
		check(key, arn)
	}
	if k.Volume != "" {
		check("volume", k.Volume)
	}
}
