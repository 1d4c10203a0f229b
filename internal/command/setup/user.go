package setup

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/archipelago-cdk/archipelago/internal/command/arguments"
)

// files say, at this release's versions, which tools a repository needs that has
// Archipelago as a dependency.
//
//go:embed files
var files embed.FS

// ours is the name in package.json of the file that is written here.
const ours = "archipelago-tools"

// RunUser brings the CDK CLI, Node.js and the AWS emulator into the repository that
// args, flags, name: into node_modules and .venv. It writes package.json,
// package-lock.json and requirements.txt there, but for those that another program
// needs: its error says what to add to them.
func RunUser(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("setup", flag.ContinueOnError)
	root := flags.String("root", ".", "`directory` of cdk.json")
	if err := arguments.Parse(flags, args); err != nil {
		return err
	}
	if err := writeFiles(*root); err != nil {
		return err
	}
	_, err := Run(ctx, []string{"-root", *root, "-tools"}, stdout)
	return err
}

func writeFiles(root string) error {
	own, err := fs.Sub(files, "files")
	if err != nil {
		return err
	}
	for _, name := range []string{"package.json", "requirements.txt"} {
		if err := mayWrite(own, filepath.Join(root, name)); err != nil {
			return err
		}
	}
	return fs.WalkDir(own, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(own, name)
		if err != nil {
			return err
		}
		path := filepath.Join(root, name)
		if there, err := os.ReadFile(path); err == nil && bytes.Equal(there, content) {
			return nil // its time says whether the tools are older
		}
		return os.WriteFile(path, content, 0o644)
	})
}

// mayWrite returns nil where a file is absent, or of this release or another one.
func mayWrite(own fs.FS, path string) error {
	there, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	wanted, err := fs.ReadFile(own, filepath.Base(path))
	if err != nil {
		return err
	}
	var file struct{ Name string }
	if bytes.Equal(there, wanted) || json.Unmarshal(there, &file) == nil && file.Name == ours ||
		bytes.HasPrefix(there, []byte("# "+ours)) {
		return nil
	}
	return fmt.Errorf("%s is another program's, and stays as it is: add to it what this release needs, and install that yourself:\n%s", path, wanted)
}
