package config

import (
	"fmt"
	"slices"
	"strings"
)

// Values of Config.Consistency.
const (
	// ConsistencyEventual replicates each write within about a second; of two
	// writes at once in two regions the last one stays.
	ConsistencyEventual = "eventual"
	// ConsistencyStrong makes each write in two regions before it is answered,
	// and refuses the second of two at once.
	ConsistencyStrong = "strong"
)

// strongSets are the regions among which a table may be strong. Source: Amazon
// DynamoDB Developer Guide, "Global tables: multi-Region strong consistency",
// read in 2026-11.
var strongSets = [][]string{
	{"us-east-1", "us-east-2", "us-west-2"},
	{"eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1"},
	{"ap-northeast-1", "ap-northeast-2", "ap-northeast-3"},
}

func (c Config) validateConsistency(p problems) {
	if c.Consistency != ConsistencyStrong {
		if c.Witness != "" {
			p.add("witness", fmt.Sprintf("nothing, since only the consistency %q has one", ConsistencyStrong), c.Witness)
		}
		return
	}
	var members []string
	for i, r := range c.Regions {
		members = append(members, r.Name)
		if r.Retired {
			p.add(fmt.Sprintf("regions[%d].retired", i), "false: a strong table keeps its regions for life", true)
		}
	}
	if slices.Contains(members, c.Witness) {
		p.add("witness", "a region that is not among archipelago.regions, which have replicas", c.Witness)
	} else if c.Witness != "" {
		members = append(members, c.Witness)
	}
	if len(members) != 3 || len(c.Regions) < 2 {
		p.add("consistency", fmt.Sprintf("%q, or for %q three regions, or two and archipelago.witness", ConsistencyEventual, ConsistencyStrong), members)
	} else if !slices.ContainsFunc(strongSets, func(set []string) bool { return subset(members, set) }) {
		var sets []string
		for _, set := range strongSets {
			sets = append(sets, strings.Join(set, ", "))
		}
		p.add("consistency", fmt.Sprintf("%q, or for %q regions of one set: %s", ConsistencyEventual, ConsistencyStrong, strings.Join(sets, "; or ")), members)
	}
}

// subset reports whether all of a is in b.
func subset(a, b []string) bool {
	return !slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) })
}
