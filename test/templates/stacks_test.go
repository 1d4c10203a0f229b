package templates_test

import (
	"bytes"
	"cmp"
	"os"
	"slices"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/matrix"
)

// TestStacksNeedNoOtherRegion: a stack that refers to another region's could
// not be deployed while that region is down.
func TestStacksNeedNoOtherRegion(t *testing.T) {
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		for name, stack := range a.Stacks {
			b, err := os.ReadFile(stack.Template)
			if err != nil {
				t.Fatal(err)
			}
			for _, reference := range []string{"Fn::ImportValue", "Fn::GetStackOutput", "Custom::CrossRegionExport"} {
				if bytes.Contains(b, []byte(reference)) {
					t.Errorf("%s has a %s", name, reference)
				}
			}
		}
	})
}

// TestCleartextIsWarnedOf: an entry without a domain has no TLS.
func TestCleartextIsWarnedOf(t *testing.T) {
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		warned := slices.ContainsFunc(a.Stacks[a.Config.Names().EntryStack()].Findings, func(f matrix.Finding) bool { return f.Rule == "cleartext" })
		if want := !a.Config.Domain.Set(); warned != want {
			t.Errorf("the entry has a domain: %t, and the deployment is warned: %t", !want, warned)
		}
	})
}

// TestStacksAreDeployedInOrder: storage, then global, then the entry, then one
// region after the other.
func TestStacksAreDeployedInOrder(t *testing.T) {
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		names := a.Config.Names()
		after := func(stack, before string) {
			if got := a.Stacks[stack].DependsOn; !slices.Contains(got, before) {
				t.Errorf("%s depends on %q, want %s among them", stack, got, before)
			}
		}
		for _, region := range a.Config.Regions {
			after(names.GlobalStack(), names.StorageStack(region.Name))
		}
		after(names.EntryStack(), names.GlobalStack())
		previous := names.EntryStack()
		for _, region := range a.Config.RegionNames() {
			after(names.RegionStack(region), previous)
			previous = names.RegionStack(region)
		}
	})
}

// names are the properties by which CloudFormation takes over what was kept.
var names = map[string]string{
	"AWS::DynamoDB::GlobalTable": "TableName",
	"AWS::Logs::LogGroup":        "LogGroupName",
	"AWS::S3::Bucket":            "BucketName",
}

// TestStacksCanBeMadeAgain: the CDK CLI deletes a stack whose creation has failed and
// makes it again. Nothing is protected against that; what holds data is kept, with a
// name by which it is taken over, and nothing else is.
func TestStacksCanBeMadeAgain(t *testing.T) {
	kept := map[string]bool{}
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		for name, stack := range a.Stacks {
			if stack.TerminationProtection {
				t.Errorf("%s cannot be deleted", name)
			}
			data := name == a.Config.Names().GlobalStack() || name == a.Config.Names().StorageStack(stack.Region)
			for id, r := range stack.Resources(t) {
				property, holds := names[r.Type]
				literal, _ := r.Properties[property].(string)
				want := "Delete"
				if data && holds && literal != "" && a.Config.Protect {
					want, kept[r.Type] = "Retain", true
				}
				for attribute, got := range map[string]string{"DeletionPolicy": r.DeletionPolicy, "UpdateReplacePolicy": r.UpdateReplacePolicy} {
					if got = cmp.Or(got, "Delete"); got != want {
						t.Errorf("%s of %s, a %s named %q: its %s is %s, want %s", id, name, r.Type, literal, attribute, got, want)
					}
				}
			}
		}
	})
	if matrix.Whole() && len(kept) != len(names) {
		t.Errorf("kept are %v, want some of each in %v", kept, names)
	}
}

// TestProtectionIsInNobodysWay: a protected load balancer or replica could not be taken
// back. A table is deleted with its primary replica, which is protected and kept.
func TestProtectionIsInNobodysWay(t *testing.T) {
	matrix.Each(t, func(t *testing.T, a matrix.Assembly) {
		for name, stack := range a.Stacks {
			for id, r := range stack.Resources(t) {
				attributes, _ := r.Properties["LoadBalancerAttributes"].([]any)
				for _, attribute := range attributes {
					if a := attribute.(map[string]any); a["Key"] == "deletion_protection.enabled" && a["Value"] != "false" {
						t.Errorf("%s of %s is protected", id, name)
					}
				}
				replicas, _ := r.Properties["Replicas"].([]any)
				for _, replica := range replicas {
					replica := replica.(map[string]any)
					if want := a.Config.Protect && replica["Region"] == stack.Region; replica["DeletionProtectionEnabled"] != want {
						t.Errorf("%s of %s is protected in %s: %v, want %t", id, name, replica["Region"], replica["DeletionProtectionEnabled"], want)
					}
				}
			}
		}
	})
}

func TestMain(m *testing.M) { matrix.Run(m) }
