// Package review says what a change of a deployment's templates does to people and
// data, what it risks, how long it takes and what it costs. It reads two cloud
// assemblies, that of a base and that of a head, and no AWS account.
package review

import "encoding/json"

// Verdict is the worst that a change does. Verdicts are ordered.
type Verdict int

// The verdicts, from the least to the worst.
const (
	// NoEffect: CloudFormation does nothing that is seen outside of it.
	NoEffect Verdict = iota
	// InPlace: resources change, and no user, instance or data is affected by that.
	InPlace
	// Instances: instances are replaced, new ones first, while the others serve.
	Instances
	// IslandDown: for a while or for good users do not reach an island, or what they
	// ask it for fails.
	IslandDown
	// DataAtRisk: data is lost, may be, or is no longer guarded from loss.
	DataAtRisk
)

var verdicts = []string{"no effect", "changed in place", "instances replaced", "an island down", "data at risk"}

func (v Verdict) String() string { return verdicts[v] }

// MarshalJSON writes the verdict's words.
func (v Verdict) MarshalJSON() ([]byte, error) { return json.Marshal(v.String()) }

// Answer is what a reader does with a review.
type Answer string

// The answers.
const (
	// Merge: there is nothing to decide.
	Merge Answer = "merge"
	// Ask: whom the comment names decides whether it is meant.
	Ask Answer = "ask"
	// Stop: data is at risk, or there is no island that users could be moved to. Only
	// its owner, or who answers for the service, may let it pass.
	Stop Answer = "stop"
)
