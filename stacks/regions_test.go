package stacks

import (
	"os"
	"testing"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/aws/aws-cdk-go/awscdk/v2/regioninfo"
	"github.com/aws/jsii-runtime-go"
)

// TestKnownRegionsAreThoseOfCDK keeps the table of regions complete; a region
// that CDK learns is added at the end.
func TestKnownRegionsAreThoseOfCDK(t *testing.T) {
	cdk := map[string]bool{}
	for _, region := range *regioninfo.RegionInfo_Regions() {
		cdk[*region.Name()] = true
	}
	for _, name := range config.KnownRegions() {
		if !cdk[name] {
			t.Errorf("CDK does not know the region %q", name)
		}
		if *regioninfo.RegionInfo_Get(&name).Partition() != "aws" {
			t.Errorf("%q is not of the aws partition", name)
		}
	}
}

// TestMain ends CDK's own process, which removes its files.
func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}
