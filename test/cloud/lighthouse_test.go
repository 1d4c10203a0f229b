package cloud_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/local/cloud"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
)

// lighthouses takes eu-west-1 through what darkens an island. await waits until
// users of an address are answered by a region.
func lighthouses(t *testing.T, running cloud.Running, await func(address, region string)) {
	const region = "eu-west-1"
	machines := fleetOf(t, running, region)
	unharmed := func(t *testing.T) {
		t.Helper()
		if after := fleetOf(t, running, region); !slices.Equal(after, machines) {
			t.Errorf("the fleet was %v and is %v: a dark island keeps its machines", machines, after)
		}
		if err := allHealthy(t, running, len(machines)); err != nil {
			t.Error(err)
		}
	}
	fail := func(t *testing.T, failing emulator.Failing) {
		t.Helper()
		if err := (emulator.Control{URL: running.Emulator}).Fail(t.Context(), failing); err != nil {
			t.Fatal(err)
		}
	}
	for service, part := range map[string]string{"dynamodb": "table", "s3": "photos"} {
		t.Run("users move away from an island that loses its "+part+", and come back", func(t *testing.T) {
			fail(t, emulator.Failing{region: {service}})
			await(running.URL, "us-east-1")
			look := lookAt(t, running, region)
			if look.status != http.StatusServiceUnavailable || look.Parts[part] == "ok" || look.Failing != 1 {
				t.Errorf("the lighthouse says %+v, want that only %q fails", look, part)
			}
			unharmed(t)
			fail(t, emulator.Failing{})
			await(running.URL, region)
			unharmed(t)
		})
	}
	t.Run("an operator drains an island, and ends it", func(t *testing.T) {
		makeOperator(t, running, "drain", "REGION="+region)
		await(running.URL, "us-east-1")
		if look := lookAt(t, running, region); look.status != http.StatusServiceUnavailable || !look.Drained || look.Failing != 0 {
			t.Errorf("the lighthouse says %+v, want it drained and well", look)
		}
		await(running.Regions[region], region) // users who are there are still answered
		makeOperator(t, running, "drain", "REGION="+region, "OFF=1")
		await(running.URL, region)
		unharmed(t)
	})
}

// look is what a lighthouse says.
type look struct {
	status  int
	Drained bool
	Failing int
	Parts   map[string]string
}

// lookAt asks a region's lighthouse, through its load balancer.
func lookAt(t *testing.T, running cloud.Running, region string) look {
	t.Helper()
	a := fetch(t, running.Regions[region]+"/lighthouse")
	l := look{status: a.status}
	if err := json.Unmarshal(a.body, &l); err != nil {
		t.Fatalf("the lighthouse answers %d, %v: %s", a.status, err, a.body)
	}
	return l
}

// awsCLI is the AWS CLI, which takes an empty profile for a name.
const awsCLI = `#!/bin/sh
unset AWS_PROFILE
exec "${PYTHON:-python3}" -m awscli "$@"
`
