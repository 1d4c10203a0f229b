package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/archipelago-cdk/archipelago/scaling/simulator"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

// memory is what is kept from one run to the next, as JSON in an SSM parameter.
type memory struct {
	// Step is one that was about to begin and whose end has not been seen.
	Step *step `json:"step,omitempty"`
	// Failed is the last step that failed, until one to the same type succeeds.
	Failed *scaling.Failure `json:"failed,omitempty"`
	// Live is what the fleet was brought to. Default: what the group says.
	Live *live `json:"live,omitempty"`
	// Plan is the last one for the goal; Harsh is until when plans are made for a harsher
	// world; CPUPerRequest and Boot are what was measured last.
	Plan          *simulator.Plan `json:"plan,omitempty"`
	Harsh         time.Time       `json:"harsh,omitzero"`
	CPUPerRequest time.Duration   `json:"cpuPerRequest,omitempty"`
	Boot          time.Duration   `json:"boot,omitempty"`
	// Unplanned is why no plan could be made since the last one, as the first run said it.
	Unplanned string `json:"unplanned,omitempty"`
	// Unoffered are the zones that were told to be in the way of every rung.
	Unoffered string `json:"unoffered,omitempty"`
	// ShiftUnknown is what was told of a zonal shift that cannot be read.
	ShiftUnknown string `json:"shiftUnknown,omitempty"`
	// Pending is what CloudFormation waits for, and Answered the id of its last
	// request that was answered.
	Pending  *pending `json:"pending,omitempty"`
	Answered string   `json:"answered,omitempty"`
}

// step is a change of all instances, by one instance refresh.
type step struct {
	Kind scaling.Kind `json:"kind"`
	From string       `json:"from"`
	To   string       `json:"to"`
	// At is the time of the run that began it, no later than the refresh.
	At time.Time `json:"at"`
}

func (s step) String() string {
	switch s.Kind {
	case scaling.Recycle:
		return "the replacement of all instances by new ones of " + s.To
	case scaling.Reconcile:
		return "the fleet's return to " + s.To
	}
	return fmt.Sprintf("the step %s from %s to %s", s.Kind, s.From, s.To)
}

// parameters are the fleet's.
type parameters struct {
	instanceType string
	memory       memory
	frozen       bool
}

// parameters reads all in one call. Without the instance type's, the fleet's type is what
// is live, or what it starts with.
func (c *controller) parameters(ctx context.Context) (parameters, error) {
	out, err := c.ssm.GetParameters(ctx, &ssm.GetParametersInput{Names: []string{c.instanceType, c.remembered, c.frozen}})
	if err != nil {
		return parameters{}, err
	}
	var p parameters
	for _, parameter := range out.Parameters {
		value := aws.ToString(parameter.Value)
		switch aws.ToString(parameter.Name) {
		case c.instanceType:
			p.instanceType = value
		case c.frozen:
			p.frozen = value == "true"
		case c.remembered:
			if err := json.Unmarshal([]byte(value), &p.memory); err != nil {
				return parameters{}, &unreadableError{c.remembered, err}
			}
		}
	}
	switch {
	case p.instanceType != "":
	case p.memory.Live != nil: // somebody deleted it, which no deployment would put right
		p.instanceType = p.memory.Live.Type
	default:
		p.instanceType = c.startAt.Type
	}
	return p, nil
}

// unreadableError says that the parameter of this name holds no memory, which no later run
// changes.
type unreadableError struct {
	name string
	err  error
}

func (e *unreadableError) Error() string {
	return fmt.Sprintf("the parameter %s cannot be read: delete it, and a step that failed is forgotten: %v", e.name, e.err)
}

func (e *unreadableError) Unwrap() error { return e.err }

func (c *controller) remember(ctx context.Context, m memory) error {
	value, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return c.put(ctx, c.remembered, string(value))
}

func (c *controller) put(ctx context.Context, name, value string) error {
	_, err := c.ssm.PutParameter(ctx, &ssm.PutParameterInput{
		Name: &name, Value: &value, Type: types.ParameterTypeString, Overwrite: aws.Bool(true),
		// With CloudFormation's long URLs it may hold more than the 4 KB of a standard one.
		Tier: types.ParameterTierIntelligentTiering,
	})
	return err
}
