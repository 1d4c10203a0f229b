package source_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// general are the folders that know no service: what a deployment runs and stores is
// configuration.
var general = []string{"config", "constructs", "cost", "internal/local", "internal/setting", "stacks", "cmd/archipelago", "cmd/lighthouse", "cmd/pulse", "cmd/scaler", "internal/command", "internal/pulse"}

// ofTheDirectory are words of the service that this repository ships.
var ofTheDirectory = regexp.MustCompile(`(?i)employee|photo`)

// TestNoServiceIsNamed: another service takes the directory's place without a change
// of code.
func TestNoServiceIsNamed(t *testing.T) {
	for _, dir := range general {
		err := filepath.WalkDir(filepath.Join("../..", dir), func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if entry.IsDir() {
				if entry.Name() == "testdata" {
					return fs.SkipDir
				}
				if ofTheDirectory.MatchString(entry.Name()) {
					t.Errorf("%s is named for the directory", path)
				}
				return nil
			}
			if !slices.Contains([]string{".go", ".py", ".sh"}, filepath.Ext(path)) || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, "_test.py") {
				return nil
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for i, line := range strings.Split(string(content), "\n") {
				if word := ofTheDirectory.FindString(line); word != "" {
					t.Errorf("%s:%d says %q, a word of the directory's; the configuration names tables and buckets", path, i+1, word)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}
