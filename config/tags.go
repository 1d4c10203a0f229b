package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// AllTags returns those of everything in a region: the configuration's, with the
// deployment's own.
func (c Config) AllTags(region string) map[string]string {
	tags := map[string]string{"project": "archipelago", "deployment": c.Name, "region": region}
	maps.Copy(tags, c.Tags)
	return tags
}

const (
	// maxTags leaves room in a resource's 50 for the deployment's own and for those of
	// CDK. Source: AWS General Reference, "Tagging your AWS resources".
	maxTags = 40
	// tagCharacters are those that every service takes.
	tagCharacters = `letters, digits, spaces and _ . : / = + - @`
)

var validTag = regexp.MustCompile(`^[A-Za-z0-9 _.:/=+@-]+$`)

func (c Config) validateTags(p problems) {
	if len(c.Tags) > maxTags {
		p.add("", fmt.Sprintf("at most %d tags", maxTags), len(c.Tags))
	}
	own := Config{}.AllTags("")
	keys := slices.Sorted(maps.Keys(c.Tags))
	for i, key := range keys {
		value, at := c.Tags[key], p.under(key)
		// A role's keys differ in more than their case. Source: IAM User Guide, "Tags for
		// AWS Identity and Access Management resources".
		same := func(other string) bool { return strings.EqualFold(key, other) }
		switch {
		case slices.ContainsFunc(slices.Collect(maps.Keys(own)), same):
			at.add("", "another key: the deployment's own tags are project, deployment and region", key)
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			at.add("", `a key that does not begin with "aws:", which AWS keeps for itself`, key)
		case len(key) > 128 || !validTag.MatchString(key):
			at.add("", "a key of 1 to 128 "+tagCharacters, key)
		case slices.ContainsFunc(keys[:i], same):
			at.add("", "each key once, in one case", key)
		}
		if len(value) > 256 || !validTag.MatchString(value) {
			at.add("", "a value of 1 to 256 "+tagCharacters, value)
		}
	}
}
