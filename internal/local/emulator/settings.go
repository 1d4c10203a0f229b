package emulator

import (
	"context"
	"net/http"
)

// Settings are what a test sets of an account, and which way AWS goes where its
// documents leave it open. The zero value is AWS's default, or the harder reading.
type Settings struct {
	// Hurry has instance refreshes go on as soon as instances are healthy, without
	// warm-up, checkpoints and bake time. It is for a developer who tries a change, and
	// for tests of what a deployment does otherwise; never for one of how long a rollout
	// takes or what it notices.
	Hurry bool `json:"hurry,omitempty"`
	// RollbackReadsFormer has Fn::GetAtt of a custom resource be, in a rollback, what
	// its function had answered before the update, and not what it answers to the
	// rollback's own request.
	RollbackReadsFormer bool `json:"rollbackReadsFormer,omitempty"`
	// RollbackKeepsVersion has a launch template's latest version be the former one
	// after a rollback, and not a further one of the same content.
	RollbackKeepsVersion bool `json:"rollbackKeepsVersion,omitempty"`
	// PolicyWrittenWhenChanged has CloudFormation leave a group's policy alone when
	// other properties of the group change.
	PolicyWrittenWhenChanged bool `json:"policyWrittenWhenChanged,omitempty"`
	// DryRunNamesTemplate has the dry run of RunInstances behind StartInstanceRefresh
	// carry the condition key ec2:LaunchTemplate.
	DryRunNamesTemplate bool `json:"dryRunNamesTemplate,omitempty"`
	// ZonalShiftNamesGroup has an Auto Scaling group be the resource of
	// arc-zonal-shift:GetManagedResource, as a load balancer is.
	ZonalShiftNamesGroup bool `json:"zonalShiftNamesGroup,omitempty"`
	// ImportReadsOneReplica has the import of a table into a stack read the replica in
	// the stack's region alone, and not those in regions that are lost.
	ImportReadsOneReplica bool `json:"importReadsOneReplica,omitempty"`
	// PermissionDelay is how many seconds, on the emulator's clock, a policy takes
	// that a stack attaches before it holds for the role of a function.
	PermissionDelay float64 `json:"permissionDelay,omitempty"`
	// Concurrency is Lambda's quota of concurrent executions. Default: 1000; a new
	// account may have 10.
	Concurrency int `json:"concurrency,omitempty"`
	// VCPUs is EC2's quota of running on-demand standard instances, in each region.
	// Default: none.
	VCPUs int `json:"vcpus,omitempty"`
	// VPCs and Addresses are EC2's quotas of VPCs and of Elastic IP addresses, in each
	// region. Default: none, though AWS's is five of each.
	VPCs      int `json:"vpcs,omitempty"`
	Addresses int `json:"addresses,omitempty"`
	// NotEnabled are regions that the account has not enabled: no service knows its
	// credentials there.
	NotEnabled []string `json:"notEnabled,omitempty"`
	// NotDelegated are zones of DNS that lead to no hosted zone of the account: nobody
	// proves a certificate for a name in them.
	NotDelegated []string `json:"notDelegated,omitempty"`
	// Zones are a region's, in the order in which Fn::GetAZs has them. Default: all,
	// by their letters.
	Zones map[string][]string `json:"zones,omitempty"`
	// ZoneIDs are the ids of zones by their names, such as "us-west-1a": "usw1-az2", as
	// another account has them. Default: moto's, none of which is without load balancers.
	ZoneIDs map[string]string `json:"zoneIds,omitempty"`
	// NotOffered are the instance types that a zone does not have, and NoCapacity
	// those of which it has none left at this moment.
	NotOffered map[string][]string `json:"notOffered,omitempty"`
	NoCapacity map[string][]string `json:"noCapacity,omitempty"`
	// Throttled are the tables that refuse every request for being too many, by the region.
	Throttled map[string][]string `json:"throttled,omitempty"`
	// StrongWrite is how many seconds a write of a strong table takes, in which another
	// region's of the same item is refused. Default: 0.1.
	StrongWrite float64 `json:"strongWrite,omitempty"`
	// TableLag is how many seconds writes of tables take to a region, as their metric says:
	// the items are there at once. Default: 1.
	TableLag map[string]float64 `json:"tableLag,omitempty"`
	// FailAt are resources whose creation or update fails, each once: what has failed
	// is no longer among them.
	FailAt []Failure `json:"failAt,omitempty"`
	// Lost are the regions in which nothing answers: every call that is signed for one
	// gets 503, its instances, functions and load balancers are not among those of
	// Fleet, tables change no replica in it, and objects wait to be replicated into it.
	// With us-east-1 the control planes of IAM and Route 53 are lost, and with us-west-2
	// that of Global Accelerator, as on AWS. A region's tables lose nothing: those of
	// all regions are one.
	Lost []string `json:"lost,omitempty"`
}

// RollbackVariant is one of the eight combinations of what AWS's documents leave open of a
// stack's rollback and of a group's update, by any number.
func RollbackVariant(n int) Settings {
	return Settings{RollbackReadsFormer: n&1 != 0, RollbackKeepsVersion: n&2 != 0, PolicyWrittenWhenChanged: n&4 != 0}
}

// Failure is one resource that fails.
type Failure struct {
	Stack    string `json:"stack"`
	Resource string `json:"resource"` // its logical id
	When     When   `json:"when"`
}

// When is how much of a resource's creation or update has happened when it fails.
type When string

const (
	// Before is nothing.
	Before When = "before"
	// Between is a global table in its own region, without replicas.
	Between When = "between"
	// After is all.
	After When = "after"
	// Back is of an update that a rollback takes back: it cannot.
	Back When = "back"
)

// Settings returns what holds.
func (c Control) Settings(ctx context.Context) (Settings, error) {
	var s Settings
	return s, c.call(ctx, http.MethodGet, "settings", nil, &s)
}

// Set has these settings hold, and no others.
func (c Control) Set(ctx context.Context, s Settings) error {
	return c.call(ctx, http.MethodPut, "settings", s, nil)
}
