package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Read reads the configuration out of cdk.json in dir, as the CDK CLI does: each of
// settings, "archipelago.fleet.min=3", is one of its -c. The account is
// defaultAccount where none is configured. The error is Parse's, or says why the
// file cannot be read.
func Read(dir string, settings []string, defaultAccount string) (Config, error) {
	path := filepath.Join(dir, "cdk.json")
	b, err := os.ReadFile(path)
	if err != nil {
		return Config{}, err
	}
	var file struct{ Context map[string]any }
	if err := json.Unmarshal(b, &file); err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	if file.Context == nil {
		file.Context = map[string]any{}
	}
	for _, setting := range settings {
		key, value, ok := strings.Cut(setting, "=")
		if !ok {
			return Config{}, fmt.Errorf("-c %s: want KEY=VALUE, such as archipelago.fleet.min=3", setting)
		}
		file.Context[key] = value
	}
	return Parse(file.Context, defaultAccount)
}
