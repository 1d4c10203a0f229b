package matrix

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/config"
)

// Assembly is what a configuration was made into: its facts, as Facts returns
// them, in a folder.
type Assembly struct {
	// Name is the configuration's.
	Name string
	// Dir holds the facts.
	Dir string
	// Config is what it was made from.
	Config config.Config
	// Stacks are by their names.
	Stacks map[string]Stack
}

// Stack is one of an assembly.
type Stack struct {
	Region string
	// Template is the path of its template.
	Template string
	// Tags are those that CloudFormation puts on the stack.
	Tags map[string]string
	// DependsOn are the stacks that are deployed before it.
	DependsOn []string
	// TerminationProtection reports whether it cannot be deleted.
	TerminationProtection bool
	// Findings are the errors and warnings of CDK and of cdk-nag.
	Findings []Finding
}

// Finding is an error or warning about a construct.
type Finding struct {
	// Resource is the construct's path within its stack, "" for the stack itself.
	Resource string
	// Rule is what the message begins with: cdk-nag's rule with what it found in
	// brackets, or a word for what is warned of.
	Rule string
	// Message says more.
	Message string
}

// manifest is what tests read of an assembly's.
type manifest struct {
	Artifacts map[string]artifact `json:"artifacts"`
}

type artifact struct {
	Type        string `json:"type"`
	Environment string `json:"environment"` // aws://ACCOUNT/REGION
	Properties  struct {
		TemplateFile          string            `json:"templateFile"`
		TerminationProtection bool              `json:"terminationProtection,omitempty"`
		Tags                  map[string]string `json:"tags,omitempty"`
	} `json:"properties"`
	Dependencies []string `json:"dependencies,omitempty"`
}

const stackType = "aws:cloudformation:stack"

// The facts beside templates.
const (
	manifestFile = "manifest.json"
	findingsFile = "findings.txt"
)

// Hash is what changes with the content of an asset.
var Hash = regexp.MustCompile(`[0-9a-f]{64}`)

// Facts returns what is worth comparing in an assembly that CDK wrote to dir, by
// the names of files: the templates, without the hashes of assets; the stacks of
// the manifest with their regions, tags and order; and what CDK and cdk-nag found,
// a line for each finding.
func Facts(dir string) (map[string][]byte, error) {
	var all manifest
	if err := readJSON(filepath.Join(dir, manifestFile), &all); err != nil {
		return nil, err
	}
	stacks := manifest{map[string]artifact{}}
	for name, a := range all.Artifacts {
		if a.Type != stackType {
			continue
		}
		a.Dependencies = slices.DeleteFunc(a.Dependencies, func(d string) bool { return all.Artifacts[d].Type != stackType })
		slices.Sort(a.Dependencies)
		stacks.Artifacts[name] = a
	}
	facts := map[string][]byte{}
	b, err := json.MarshalIndent(stacks, "", " ")
	if err != nil {
		return nil, err
	}
	facts[manifestFile] = append(b, '\n')
	var findings []string
	for name, a := range stacks.Artifacts {
		b, err := os.ReadFile(filepath.Join(dir, a.Properties.TemplateFile))
		if err != nil {
			return nil, err
		}
		facts[a.Properties.TemplateFile] = Hash.ReplaceAll(b, []byte("HASH"))
		lines, err := findingsOf(dir, name)
		if err != nil {
			return nil, err
		}
		findings = append(findings, lines...)
	}
	slices.Sort(findings)
	facts[findingsFile] = []byte(strings.Join(findings, ""))
	return facts, nil
}

// findingsOf returns a stack's errors and warnings, a line each.
func findingsOf(dir, stack string) ([]string, error) {
	var metadata map[string][]struct {
		Type string
		Data any
	}
	if err := readJSON(filepath.Join(dir, stack+".metadata.json"), &metadata); err != nil {
		return nil, err
	}
	var lines []string
	for path, entries := range metadata {
		for _, e := range entries {
			if e.Type == "aws:cdk:error" || e.Type == "aws:cdk:warning" {
				lines = append(lines, fmt.Sprintf("%s: %s\n", strings.TrimPrefix(path, "/"), strings.Join(strings.Fields(fmt.Sprint(e.Data)), " ")))
			}
		}
	}
	return lines, nil
}

// read reads a configuration's facts.
func read(t testing.TB, name, dir string) Assembly {
	t.Helper()
	c, err := Parse(name)
	if err != nil {
		t.Fatal(err)
	}
	a := Assembly{Name: name, Dir: dir, Config: c, Stacks: map[string]Stack{}}
	var stacks manifest
	if err := readJSON(filepath.Join(dir, manifestFile), &stacks); err != nil {
		t.Fatal(err)
	}
	findings, err := os.ReadFile(filepath.Join(dir, findingsFile))
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range stacks.Artifacts {
		stack := Stack{
			Region:    s.Environment[strings.LastIndex(s.Environment, "/")+1:],
			Template:  filepath.Join(dir, s.Properties.TemplateFile),
			Tags:      s.Properties.Tags,
			DependsOn: s.Dependencies,

			TerminationProtection: s.Properties.TerminationProtection,
		}
		for line := range strings.Lines(string(findings)) {
			path, message, _ := strings.Cut(strings.TrimSpace(line), ": ")
			if of, resource, _ := strings.Cut(path, "/"); of == name {
				rule, text, _ := strings.Cut(message, ": ")
				stack.Findings = append(stack.Findings, Finding{resource, rule, text})
			}
		}
		a.Stacks[name] = stack
	}
	return a
}

// Names returns those of the stacks, sorted.
func (a Assembly) Names() []string { return slices.Sorted(maps.Keys(a.Stacks)) }

// Resource is one of a template.
type Resource struct {
	Type       string
	Properties map[string]any
	DependsOn  []string
	// DeletionPolicy is what becomes of it with its stack, and UpdateReplacePolicy when
	// an update replaces it; "" is "Delete".
	DeletionPolicy, UpdateReplacePolicy string
}

// Resources reads those of a template.
func (s Stack) Resources(t testing.TB) map[string]Resource {
	t.Helper()
	var template struct{ Resources map[string]Resource }
	if err := readJSON(s.Template, &template); err != nil {
		t.Fatal(err)
	}
	return template.Resources
}

// readJSON reads a file into to.
func readJSON(path string, to any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, to); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
