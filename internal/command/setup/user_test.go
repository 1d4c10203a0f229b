package setup

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestToolsOfUsersAreThoseOfTheTests: the versions are this repository's own.
func TestToolsOfUsersAreThoseOfTheTests(t *testing.T) {
	versions := func(path string) map[string]string {
		var file struct{ DevDependencies map[string]string }
		if err := json.Unmarshal(read(t, path), &file); err != nil {
			t.Fatal(err)
		}
		return file.DevDependencies
	}
	own := versions("../../../package.json")
	for name, version := range versions("files/package.json") {
		if own[name] != version {
			t.Errorf("%s is %s for users and %s here", name, version, own[name])
		}
	}
	requirements := string(read(t, "../../../requirements.txt"))
	for line := range strings.Lines(string(read(t, "files/requirements.txt"))) {
		if !strings.HasPrefix(line, "#") && !strings.Contains(requirements, line) {
			t.Errorf("requirements.txt lacks %q", line)
		}
	}
}

func TestSetupOfARepository(t *testing.T) {
	root := checkout(t, map[string]string{"npm": npmFetches, "python3": hasEmulators})
	for _, name := range []string{"package-lock.json", "requirements.txt"} {
		if err := os.Remove(filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	if err := RunUser(t.Context(), []string{"-root", root}, &out); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"package.json", "package-lock.json", "requirements.txt"} {
		if !bytes.Equal(read(t, filepath.Join(root, name)), read(t, filepath.Join("files", name))) {
			t.Errorf("%s is not this release's", name)
		}
	}
	if !strings.Contains(out.String(), "fetch the CDK CLI and Node.js") {
		t.Errorf("got %q", &out)
	}
	if err := os.WriteFile(filepath.Join(root, "package.json"), []byte(`{"name": "archipelago-tools", "devDependencies": {"aws-cdk": "2.1.0"}}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := RunUser(t.Context(), []string{"-root", root}, &out); err != nil {
		t.Errorf("another release's: %v", err)
	}
}

func TestFilesOfOthersStay(t *testing.T) {
	for name, content := range map[string]string{"package.json": `{"name": "shop"}`, "requirements.txt": "flask==3.0.0\n"} {
		root := t.TempDir()
		path := filepath.Join(root, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		err := RunUser(t.Context(), []string{"-root", root}, &bytes.Buffer{})
		if err == nil || !strings.Contains(err.Error(), name+" is another program's, and stays as it is") {
			t.Errorf("%s: got %v", name, err)
		}
		if string(read(t, path)) != content {
			t.Errorf("%s was changed", name)
		}
	}
}
