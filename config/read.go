package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// NoAccount stands for the account where it has no part in what is asked of a
// configuration, such as a price or an image.
const NoAccount = "000000000000"

// Context returns the CDK context of a cdk.json's content.
func Context(cdk []byte) (map[string]any, error) {
	var file struct{ Context map[string]any }
	err := json.Unmarshal(cdk, &file)
	if file.Context == nil {
		file.Context = map[string]any{}
	}
	return file.Context, err
}

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
	context, err := Context(b)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	for _, setting := range settings {
		key, value, ok := strings.Cut(setting, "=")
		if !ok {
			return Config{}, fmt.Errorf("-c %s: want KEY=VALUE, such as archipelago.fleet.min=3", setting)
		}
		context[key] = value
	}
	return Parse(context, defaultAccount)
}
