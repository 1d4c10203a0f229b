package config

import "testing"

// TestDrainedRegionLeavesAnAcceleratorThatTriesThree: of three it is the last resort.
func TestDrainedRegionLeavesAnAcceleratorThatTriesThree(t *testing.T) {
	for regions, want := range map[string]bool{
		`{"name": "eu-west-1", "weight": 0}, "eu-west-2", "us-east-1"`:                                                   true,
		`{"name": "eu-west-1", "weight": 0}, "eu-west-2", "us-east-1", "us-west-2"`:                                      false,
		`{"name": "eu-west-1", "weight": 1}, "eu-west-2", "us-east-1", "us-west-2"`:                                      true,
		`{"name": "eu-west-1", "weight": 0}, "eu-west-2", "us-east-1", {"name": "us-west-2", "retired": true}`:           true,
		`{"name": "eu-west-1", "weight": 0}, "eu-west-2", "us-east-1", {"name": "us-west-2", "weight": 0}, "eu-north-1"`: false,
	} {
		c, err := parse(t, `{"archipelago": {"regions": [`+regions+`]}}`)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Accelerated(c.Regions[0]); got != want {
			t.Errorf("%s: the accelerator knows the first region: %t, want %t", regions, got, want)
		}
	}
}
