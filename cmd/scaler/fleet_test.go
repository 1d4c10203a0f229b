package main

import (
	"maps"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
)

// TestRefreshOfAStepIsFound: a step whose refresh is not found is forgotten, and
// the fleet brought back from where it led.
func TestRefreshOfAStepIsFound(t *testing.T) {
	at := time.Date(2026, 3, 2, 12, 0, 0, 700_000_000, time.UTC)
	s := step{Kind: scaling.Up, From: "m7g.medium", To: "m7g.large", At: at}
	refresh := func(to string, status types.InstanceRefreshStatus, began *time.Time) types.InstanceRefresh {
		return types.InstanceRefresh{Status: status, StartTime: began, DesiredConfiguration: &types.DesiredConfiguration{
			MixedInstancesPolicy: &types.MixedInstancesPolicy{LaunchTemplate: &types.LaunchTemplate{
				Overrides: []types.LaunchTemplateOverrides{{InstanceType: &to}},
			}},
		}}
	}
	for name, c := range map[string]struct {
		refresh types.InstanceRefresh
		want    bool
	}{
		"begun in the same second, which is all that AWS tells": {refresh("m7g.large", types.InstanceRefreshStatusInProgress, aws.Time(at.Truncate(time.Second))), true},
		"begun later":                  {refresh("m7g.large", types.InstanceRefreshStatusSuccessful, aws.Time(at.Add(time.Minute))), true},
		"pending":                      {refresh("m7g.large", types.InstanceRefreshStatusPending, nil), true},
		"cancelled before it began":    {refresh("m7g.large", types.InstanceRefreshStatusCancelled, nil), false},
		"begun before":                 {refresh("m7g.large", types.InstanceRefreshStatusSuccessful, aws.Time(at.Add(-time.Second))), false},
		"a deployment's, to the other": {refresh("m7g.medium", types.InstanceRefreshStatusInProgress, aws.Time(at.Add(time.Second))), false},
		"a deployment's, of no type":   {types.InstanceRefresh{Status: types.InstanceRefreshStatusPending}, false},
	} {
		if _, got := (fleet{refreshes: []types.InstanceRefresh{c.refresh}}).refreshOf(s); got != c.want {
			t.Errorf("%s: found is %t", name, got)
		}
	}
}

func TestInstancesOnTheirWayOutDoNotCount(t *testing.T) {
	var f fleet
	for state, instanceType := range map[types.LifecycleState]string{
		types.LifecycleStateInService: "m7g.medium", types.LifecycleStatePending: "m7g.xlarge", types.LifecycleStateStandby: "c7g.large",
		types.LifecycleStateTerminating: "m7g.large", types.LifecycleStateTerminatingWait: "m7g.large", types.LifecycleStateTerminated: "m7g.large",
		types.LifecycleStateDetaching: "m7g.large", types.LifecycleStateDetached: "m7g.large",
	} {
		f.Instances = append(f.Instances, types.Instance{LifecycleState: state, InstanceType: aws.String(instanceType)})
	}
	if got := f.instances(); !maps.Equal(got, map[string]int{"m7g.medium": 1, "m7g.xlarge": 1, "c7g.large": 1}) {
		t.Errorf("got %v", got)
	}
}
