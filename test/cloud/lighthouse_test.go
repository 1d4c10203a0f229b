package cloud_test

import (
	"encoding/json"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/local/cloud"
)

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
