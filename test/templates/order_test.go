package templates_test

import (
	"reflect"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/matrix"
)

// TestFleetsComeAfterTheirListener: the load balancer answers for the health of a
// group's instances from the first one on.
func TestFleetsComeAfterTheirListener(t *testing.T) {
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		for name, stack := range a.Stacks {
			all := stack.Resources(t)
			for id, group := range all {
				if group.Type != "AWS::AutoScaling::AutoScalingGroup" {
					continue
				}
				forwards := false
				for _, on := range group.DependsOn {
					listener := all[on]
					if listener.Type != "AWS::ElasticLoadBalancingV2::Listener" {
						continue
					}
					for _, action := range listener.Properties["DefaultActions"].([]any) {
						target := []any{action.(map[string]any)["TargetGroupArn"]}
						forwards = forwards || reflect.DeepEqual(target, group.Properties["TargetGroupARNs"])
					}
				}
				if !forwards {
					t.Errorf("%s: %s depends on %q, want the listener that sends to its targets among them", name, id, group.DependsOn)
				}
			}
		}
	})
}

// TestUsersComeAfterTheRollout: to an accelerator's endpoint group, or by a region's own
// record, where the fleet has been brought to its build.
func TestUsersComeAfterTheRollout(t *testing.T) {
	found := map[string]bool{}
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		for _, region := range a.Config.Islands() {
			name := a.Config.Names().RegionStack(region.Name)
			all := a.Stacks[name].Resources(t)
			for id, r := range all {
				if r.Type != "AWS::GlobalAccelerator::EndpointGroup" && r.Type != "AWS::Route53::RecordSet" {
					continue
				}
				found[r.Type] = true
				if !comesAfter(all, id, "Custom::FleetRollout") {
					t.Errorf("%s: %s, a %s, depends on %q, and so not on the rollout", name, id, r.Type, r.DependsOn)
				}
			}
		}
	})
	if matrix.Whole() && len(found) != 2 {
		t.Errorf("there are %v, want endpoint groups and records", found)
	}
}

// comesAfter reports whether a resource depends, by DependsOn, on one of a type, itself or
// by what it depends on.
func comesAfter(all map[string]matrix.Resource, id, resourceType string) bool {
	for _, on := range all[id].DependsOn {
		if all[on].Type == resourceType || comesAfter(all, on, resourceType) {
			return true
		}
	}
	return false
}
