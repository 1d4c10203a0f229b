package templates_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/matrix"
)

// outlast are what custom resources get by with where what their function may do holds
// only some time after CloudFormation has made it, and whether a template has it.
var outlast = map[string]func(id string, resources map[string]matrix.Resource) bool{
	// Their function is the scaler, which does again what is denied: cmd/scaler.
	"Custom::FleetHold":    func(string, map[string]matrix.Resource) bool { return true },
	"Custom::FleetRollout": func(string, map[string]matrix.Resource) bool { return true },
	// It asks for nothing but on deletion.
	"Custom::S3AutoDeleteObjects": func(string, map[string]matrix.Resource) bool { return true },
	// Its function has the code of constructs/internal/awscall, which repeats what is denied.
	"Custom::AWS": func(id string, resources map[string]matrix.Resource) bool {
		token := resources[id].Properties["ServiceToken"].(map[string]any)["Fn::GetAtt"].([]any)[0].(string)
		code, _ := resources[token].Properties["Code"].(map[string]any)["ZipFile"].(string)
		return strings.Contains(code, "AccessDenied")
	},
	// It comes minutes after its function.
	"Custom::VpcRestrictDefaultSG": func(id string, resources map[string]matrix.Resource) bool {
		return slices.Contains(resources[id].DependsOn, "Rollout")
	},
}

// TestCustomResourcesOutlastLatePermissions: each type has a way to, which
// TestEverythingFailsOnce of test/lives goes.
func TestCustomResourcesOutlastLatePermissions(t *testing.T) {
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		for name, stack := range a.Stacks {
			resources := stack.Resources(t)
			for id, resource := range resources {
				if !strings.HasPrefix(resource.Type, "Custom::") {
					continue
				}
				if does := outlast[resource.Type]; does == nil || !does(id, resources) {
					t.Errorf("%s: nothing has %s, a %s, wait for a permission that holds late", name, id, resource.Type)
				}
			}
		}
	})
}
