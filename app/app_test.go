package app

import (
	"encoding/json"
	"maps"
	"os"
	"testing"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/google/go-cmp/cmp"
)

// TestFeatureFlagsAreThoseOfTheShippedApp: a repository that has Archipelago as a
// dependency gets the templates that are tested here.
func TestFeatureFlagsAreThoseOfTheShippedApp(t *testing.T) {
	b, err := os.ReadFile("../cdk.json")
	if err != nil {
		t.Fatal(err)
	}
	var shipped struct{ Context map[string]any }
	if err := json.Unmarshal(b, &shipped); err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(shipped.Context, func(key string, _ any) bool { return key == config.ContextKey })
	if diff := cmp.Diff(shipped.Context, *featureFlags()); diff != "" {
		t.Errorf("app/flags.json is not what cdk.json has (-cdk.json +flags.json):\n%s", diff)
	}
}
