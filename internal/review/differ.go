package review

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
)

//go:embed differ.cjs
var differScript string

// Differ compares templates by @aws-cdk/cloudformation-diff, in a Node.js that runs
// until Close, and by the schemas of CloudFormation that the emulator reads.
type Differ struct {
	node   *exec.Cmd
	input  io.WriteCloser
	output *bufio.Reader
	// said is what Node.js prints as errors, complete once Close returns.
	said *bytes.Buffer
	// end ends Node.js, once.
	end func() error
	// createOnly are the properties whose change replaces a resource, by its type.
	createOnly map[string][]string
}

// NewDiffer starts one with the tools in root's node_modules.
func NewDiffer(ctx context.Context, root string) (*Differ, error) {
	node := filepath.Join(root, "node_modules", ".bin", "node")
	if _, err := os.Stat(filepath.Join(root, "node_modules", "@aws-cdk", "cloudformation-diff")); err != nil {
		return nil, fmt.Errorf("@aws-cdk/cloudformation-diff is missing from node_modules: run `make setup` (%w)", err)
	}
	d := &Differ{node: exec.CommandContext(ctx, node, "-e", differScript), said: &bytes.Buffer{}, createOnly: map[string][]string{}}
	d.node.Dir, d.node.Stderr = root, d.said
	var err error
	if d.input, err = d.node.StdinPipe(); err != nil {
		return nil, err
	}
	output, err := d.node.StdoutPipe()
	if err != nil {
		return nil, err
	}
	d.output = bufio.NewReader(output)
	d.end = sync.OnceValue(func() error { return errors.Join(d.input.Close(), d.node.Wait()) })
	return d, d.node.Start()
}

// Close ends Node.js. To close it again does nothing.
func (d *Differ) Close() error { return d.end() }

// answer is what the script says.
type answer struct {
	Stacks   map[string]*stackDiff
	Stateful map[string]bool
	// Opens are the properties that open resources of a type to everybody, by their names.
	Opens map[string]map[string]opening
}

// opening is what a property opens a resource by.
type opening struct {
	Values    []any
	ByDefault bool
}

// stackDiff is what changes in one stack.
type stackDiff struct {
	Resources  map[string]*resourceDiff
	Statements changed[parsed]
	Managed    changed[parsedAttachment]
	Ingress    changed[rule]
	Egress     changed[rule]
}

type changed[T any] struct{ Added, Removed []T }

type resourceDiff struct {
	Properties [][2]string // name, impact
	Other      []string
}

// parsed is a policy's statement, or one that could not be parsed.
type parsed struct {
	Type, Repr string
	Value      statement
}

type statement struct {
	Effect                         string
	Resources, Actions, Principals values
	Condition                      any
}

type values struct {
	Not    bool
	Values []string
}

type parsedAttachment struct {
	Value struct{ IdentityARN, ManagedPolicyARN string }
	Repr  string
}

// rule is one of a security group.
type rule struct {
	GroupID    string
	IPProtocol string
	FromPort   any
	ToPort     any
	Peer       map[string]any
}

// compare asks the script, and adds what the create-only schemas say.
func (d *Differ) compare(base, head *Assembly) (*answer, error) {
	pairs := map[string][2]map[string]any{}
	kinds := map[string]bool{}
	for name, h := range head.Stacks {
		if b := base.Stacks[name]; b != nil && !b.moved(h) {
			if encoded(b.Template) == encoded(h.Template) {
				continue
			}
			pairs[name] = [2]map[string]any{b.Template, h.Template}
		} else {
			pairs[name] = [2]map[string]any{{}, h.Template}
		}
	}
	for name, b := range base.Stacks {
		for _, r := range b.resources() {
			kinds[r.kind] = true
		}
		if head.Stacks[name] == nil {
			pairs[name] = [2]map[string]any{b.Template, {}}
		}
	}
	line, err := json.Marshal(pairs)
	if err != nil {
		return nil, err
	}
	if _, err := d.input.Write(append(line, '\n')); err != nil {
		return nil, d.failed(err)
	}
	line, err = d.output.ReadBytes('\n')
	if err != nil {
		return nil, d.failed(err)
	}
	var a answer
	if err := json.Unmarshal(line, &a); err != nil {
		return nil, d.failed(err)
	}
	return &a, d.readSchemas(kinds)
}

// failed ends Node.js, and says the error that it printed.
func (d *Differ) failed(err error) error {
	_ = d.Close() // err has what failed, and only then all is printed
	lines := strings.Split(strings.TrimSpace(d.said.String()), "\n")
	for _, line := range lines {
		if strings.Contains(line, "Error") {
			return fmt.Errorf("the templates cannot be compared: %s (%w)", line, err)
		}
	}
	return fmt.Errorf("the templates cannot be compared: %w", err)
}

// readSchemas reads the schemas of types that it has not read yet.
func (d *Differ) readSchemas(kinds map[string]bool) error {
	var missing []string
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		if _, ok := d.createOnly[kind]; !ok && strings.HasPrefix(kind, "AWS::") {
			missing = append(missing, kind)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	properties, err := emulator.CreateOnly(missing)
	if err != nil {
		return err
	}
	maps.Copy(d.createOnly, properties)
	return nil
}

// replaces reports whether a change of the properties from old to new replaces a
// resource, as its schema says.
func (d *Differ) replaces(kind string, old, new map[string]any) bool {
	return slices.ContainsFunc(d.createOnly[kind], func(name string) bool { return encoded(old[name]) != encoded(new[name]) })
}
