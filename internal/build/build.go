// Package build makes what a deployment publishes: static Linux programs, and
// the deployment packages of Lambda functions. The same source gives the same
// bytes and modes, whatever the environment of the user who builds: an unchanged
// program deploys nothing.
package build

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/atomicfile"
	"golang.org/x/mod/modfile"
)

// Architectures are those that programs are built for, as Go spells them.
var Architectures = []string{"amd64", "arm64"}

// kept are Go's variables that say where modules and caches are, and how much of
// the machine a build may use. No other one reaches a build, neither from the
// environment, nor from `go env -w`, nor from what came with Go, $GOROOT/go.env.
var kept = []string{
	"GOAUTH", "GOCACHE", "GOCACHEPROG", "GOINSECURE", "GOMODCACHE", "GONOPROXY", "GONOSUMDB", "GOPATH", "GOPRIVATE",
	"GOPROXY", "GOSUMDB", "GOTMPDIR", "GOVCS",
	"GOGC", "GOMAXPROCS", "GOMEMLIMIT",
}

// settings are those of every build. The levels are the lowest: programs run on
// every instance type of their architecture.
var settings = []string{
	"CGO_ENABLED=0", "GOOS=linux", "GOAMD64=v1", "GOARM64=v8.0", "GOFIPS140=off", "GOWORK=off",
}

// defaults, as `go env -w` writes them, have the other variables that change a program be
// what Go's authors chose: the go command looks into $GOROOT/go.env where a variable of
// the environment is empty, and a program has a GOEXPERIMENT that is not, whatever it is.
const defaults = "GO111MODULE=\nGOEXPERIMENT=\nGOFLAGS=\n"

// Options say what to build.
type Options struct {
	// Root is the folder of the module. Required.
	Root string
	// Dir takes the programs. Required. It is made if need be.
	Dir string
	// Architecture is one of Architectures. Required.
	Architecture string
	// Packages are the programs' packages, such as "./cmd/directory". Required.
	// Each program has the last element of its package's path for a name.
	Packages []string
	// Name is another name of the one program. Default: its package's.
	Name string
	// Log takes the names of packages as they are compiled, and what is
	// downloaded. Default: nowhere.
	Log io.Writer
}

// Programs builds programs in one run of the go command, by the toolchain that
// go.mod names. Its error has what the go command said.
func Programs(ctx context.Context, o Options) error {
	if !slices.Contains(Architectures, o.Architecture) {
		return fmt.Errorf("cannot build for the architecture %q: want one of %q", o.Architecture, Architectures)
	}
	toolchain, err := toolchain(o.Root)
	if err != nil {
		return err
	}
	environment, forget, err := environment(ctx, toolchain)
	if err != nil {
		return err
	}
	defer forget()
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return err
	}
	linked := filepath.Join(dir, ".linked")
	if err := os.MkdirAll(linked, 0o755); err != nil {
		return err
	}
	arguments := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -B none", "-tags=lambda.norpc", "-o", linked + string(filepath.Separator) + o.Name}
	if o.Log != nil {
		arguments = append(arguments, "-v")
	}
	cmd := exec.CommandContext(ctx, "go", append(arguments, o.Packages...)...)
	cmd.Dir = o.Root
	cmd.Env = append(environment, "GOARCH="+o.Architecture)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if o.Log != nil {
		both := io.MultiWriter(&said, o.Log)
		cmd.Stdout, cmd.Stderr = both, both
	}
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("go build of %s by %s for %s: %w\n%s", strings.Join(o.Packages, ", "), toolchain, o.Architecture, err, said.Bytes())
	}
	for _, pkg := range o.Packages {
		name := cmp.Or(o.Name, filepath.Base(pkg))
		if err := withoutID(filepath.Join(linked, name), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// withoutID copies a program but for its build id, which holds what is of the source and
// not of the program: with one, a comment would replace instances. By what it has linked the
// go command sees that a program is current.
func withoutID(linked, program string) error {
	content, err := os.ReadFile(linked)
	if err != nil {
		return err
	}
	file, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return fmt.Errorf("%s: %w", linked, err)
	}
	section := file.Section(".note.go.buildid")
	if section == nil {
		return fmt.Errorf("%s has no build id", linked)
	}
	note, err := section.Data()
	if err != nil {
		return fmt.Errorf("%s: %w", linked, err)
	}
	// The lengths of the name, "Go" filled up to four bytes, and of the id, and the type.
	const header = 16
	if len(note) < header || uint64(len(note)) < header+uint64(file.ByteOrder.Uint32(note[4:])) {
		return fmt.Errorf("%s has a note of %d bytes for its build id", linked, len(note))
	}
	id := note[header:][:file.ByteOrder.Uint32(note[4:])]
	content = bytes.ReplaceAll(content, id, bytes.Repeat([]byte("-"), len(id)))
	if there, err := os.ReadFile(program); err == nil && bytes.Equal(there, content) {
		return os.Chmod(program, 0o755)
	}
	return atomicfile.Write(program, content, 0o755)
}

// toolchain is the one that the go.mod of a module's folder names.
func toolchain(root string) (string, error) {
	content, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return "", err
	}
	module, err := modfile.Parse("go.mod", content, nil)
	if err != nil {
		return "", err
	}
	if module.Toolchain == nil {
		return "", errors.New("go.mod names no toolchain, without which builds differ: add a line such as `toolchain go1.26.8`")
	}
	return module.Toolchain.Name, nil
}

// environment is this process's with Go's variables as builds have them, until forget.
func environment(ctx context.Context, toolchain string) (pairs []string, forget func(), err error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"env", "-json"}, kept...)...)
	// Outside of every module, and by the go command that there is: it only has
	// to read the user's settings.
	cmd.Dir = os.TempDir()
	cmd.Env = append(os.Environ(), "GOTOOLCHAIN=local", "GOWORK=off")
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, nil, fmt.Errorf("go env: %w\n%s", err, said.Bytes())
	}
	var users map[string]string
	if err := json.Unmarshal(out, &users); err != nil {
		return nil, nil, fmt.Errorf("go env: %w", err)
	}
	pairs = slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "GO") || strings.HasPrefix(variable, "CGO_")
	})
	for _, name := range kept {
		value, ok := users[name]
		if !ok || value == "" {
			value = os.Getenv(name)
		}
		if value != "" {
			pairs = append(pairs, name+"="+value)
		}
	}
	file, err := os.CreateTemp("", "archipelago-go-env-")
	if err != nil {
		return nil, nil, err
	}
	forget = func() { _ = os.Remove(file.Name()) }
	_, err = file.WriteString(defaults)
	if err := errors.Join(err, file.Close()); err != nil {
		forget()
		return nil, nil, err
	}
	return append(append(pairs, settings...), "GOENV="+file.Name(), "GOTOOLCHAIN="+toolchain), forget, nil
}

// WithoutTelemetry switches Go's telemetry off where a user's settings are in a folder,
// as os.UserConfigDir names it. A go command leaves a process that writes there after the
// command has ended, which disturbs whatever removes the folder.
func WithoutTelemetry(settings string) error {
	dir := filepath.Join(settings, "go", "telemetry")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "mode"), []byte("off"), 0o644)
}

// Package writes the deployment package of a Lambda function on an OS-only
// runtime: a zip of the program, as "bootstrap". Lambda runs it as a user who does
// not own it, so its mode is 0755.
func Package(program, path string) error {
	content, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	header := &zip.FileHeader{
		Name: "bootstrap",
		// What compression makes of a program changes with Go's releases.
		Method:             zip.Store,
		CRC32:              crc32.ChecksumIEEE(content),
		CompressedSize64:   uint64(len(content)),
		UncompressedSize64: uint64(len(content)),
	}
	header.SetMode(0o755)
	//lint:ignore SA1019 CreateRaw does not look at Modified, and a zip's first day is in 1980.
	header.SetModTime(time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC))
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	// CreateRaw, because the sizes then stand before the content: not every
	// reader takes a stored file whose sizes follow it.
	file, err := w.CreateRaw(header)
	if err != nil {
		return err
	}
	if _, err := file.Write(content); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return atomicfile.Write(path, b.Bytes(), 0o644)
}
