// Package replication names what buckets replicate by, for what watches them.
package replication

// RuleID is the id of the rule with which any other bucket replicates into the
// one of region.
func RuleID(region string) string { return region }
