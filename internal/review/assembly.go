package review

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Assembly is a cloud assembly, as far as a review reads it.
type Assembly struct {
	Dir    string
	Stacks map[string]*Stack
	// Lost are the regions whose stacks the configuration leaves out while AWS does not
	// answer there: they stay as they are.
	Lost []string
	// Deployed is whether it is what CloudFormation has in the regions of the head.
	Deployed bool
}

// Stack is one of an assembly.
type Stack struct {
	Name, Region string
	// Account is the AWS account that it is deployed into, "" where that is not known.
	Account string
	// Tags are those that CloudFormation puts on it.
	Tags map[string]string
	// DependsOn are the stacks that are deployed before it.
	DependsOn []string
	// Template is CloudFormation's, as JSON.
	Template map[string]any
	// protected is whether CloudFormation refuses to delete it.
	protected bool
	// assets are the names of what is published for it, by the hash of the content.
	assets map[string]string
	// paths are those of constructs within the stack, by the ids of their resources.
	paths map[string]string
}

// regionName is how AWS spells one, and CDK one that it does not know.
var regionName = regexp.MustCompile(`^[a-z][a-z0-9-]+$`)

// ReadAssembly reads what a synth wrote to dir.
func ReadAssembly(dir string) (*Assembly, error) {
	var manifest struct {
		Version   string
		Artifacts map[string]struct {
			Type, Environment string
			Properties        struct {
				TemplateFile, File    string
				Tags                  map[string]string
				TerminationProtection bool
			}
			Dependencies []string
		}
	}
	if err := readJSON(filepath.Join(dir, "manifest.json"), &manifest); err != nil {
		return nil, err
	}
	a := &Assembly{Dir: dir, Stacks: map[string]*Stack{}}
	assets := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(manifest.Artifacts)) {
		artifact := manifest.Artifacts[name]
		switch artifact.Type {
		case "cdk:asset-manifest":
			var file struct {
				Files map[string]struct{ DisplayName string }
			}
			if err := readJSON(filepath.Join(dir, filepath.Base(artifact.Properties.File)), &file); err != nil {
				return nil, err
			}
			for hash, f := range file.Files {
				// The same is published for each region, under the name of a construct in its stack.
				stack, within, _ := strings.Cut(f.DisplayName, "/")
				if assets[hash] = f.DisplayName; manifest.Artifacts[stack].Type == "aws:cloudformation:stack" {
					assets[hash] = within
				}
			}
		case "cdk:cloud-assembly":
			return nil, fmt.Errorf("the assembly in %s has stages, such as %q: a review reads an app whose stacks are its own", dir, name)
		case "aws:cloudformation:stack":
			region := artifact.Environment[strings.LastIndex(artifact.Environment, "/")+1:]
			if artifact.Properties.TemplateFile == "" || !regionName.MatchString(region) {
				return nil, fmt.Errorf("the assembly in %s, of the schema %q, has a stack %q without a template or a region that a review can read", dir, manifest.Version, name)
			}
			account, _, _ := strings.Cut(strings.TrimPrefix(artifact.Environment, "aws://"), "/")
			s := &Stack{Name: name, Region: region, Account: account, Tags: artifact.Properties.Tags, protected: artifact.Properties.TerminationProtection, assets: assets, paths: map[string]string{}}
			for _, d := range artifact.Dependencies {
				if manifest.Artifacts[d].Type == "aws:cloudformation:stack" {
					s.DependsOn = append(s.DependsOn, d)
				}
			}
			slices.Sort(s.DependsOn)
			if err := readJSON(filepath.Join(dir, filepath.Base(artifact.Properties.TemplateFile)), &s.Template); err != nil {
				return nil, err
			}
			if err := s.readPaths(filepath.Join(dir, name+".metadata.json")); err != nil {
				return nil, err
			}
			a.Stacks[name] = s
		}
	}
	if len(a.Stacks) == 0 {
		return nil, fmt.Errorf("the assembly in %s, of the schema %q, has no stack that a review reads", dir, manifest.Version)
	}
	return a, nil
}

// account is how AWS writes one.
var account = regexp.MustCompile(`^\d{12}$`)

// moved reports whether the head's stack of the name is another one than the base's s,
// in another region or account.
func (s *Stack) moved(head *Stack) bool {
	return s.Region != head.Region || s.Account != head.Account && account.MatchString(s.Account) && account.MatchString(head.Account)
}

// place is the stack's region and, where it matters, its account.
func (s *Stack) place(other *Stack) string {
	if s.Region != other.Region {
		return s.Region
	}
	return s.Account
}

// readPaths reads where constructs are in the tree. An assembly may have none.
func (s *Stack) readPaths(path string) error {
	var metadata map[string][]struct {
		Type string
		Data any
	}
	if err := readJSON(path, &metadata); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	for path, entries := range metadata {
		for _, e := range entries {
			if id, ok := e.Data.(string); ok && e.Type == "aws:cdk:logicalId" {
				_, within, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
				s.paths[id] = strings.TrimSuffix(within, "/Resource")
			}
		}
	}
	return nil
}

func readJSON(path string, to any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, to); err != nil {
		return fmt.Errorf("%s is not what CDK writes: %w", path, err)
	}
	return nil
}

// resource is one of a template.
type resource struct {
	id    string
	kind  string
	all   map[string]any
	props map[string]any
}

// resources are those of the template, by their ids.
func (s *Stack) resources() map[string]resource {
	all := map[string]resource{}
	if s == nil {
		return all
	}
	resources, _ := s.Template["Resources"].(map[string]any)
	for id, r := range resources {
		fields, _ := r.(map[string]any)
		all[id] = resource{id: id, kind: text(fields["Type"]), all: fields, props: fieldsOf(fields["Properties"])}
	}
	return all
}

// of are the resources of a type, by their ids.
func (s *Stack) of(kind string) []resource {
	var found []resource
	all := s.resources()
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if all[id].kind == kind {
			found = append(found, all[id])
		}
	}
	return found
}

// policy is a resource's DeletionPolicy or UpdateReplacePolicy, "Delete" where it
// says none.
func (r resource) policy(name string) string {
	if p := text(r.all[name]); p != "" {
		return p
	}
	return "Delete"
}

// fieldsOf and itemsOf are an object's and a list's, none of what is neither; text
// is a string.
func fieldsOf(v any) map[string]any { m, _ := v.(map[string]any); return m }
func itemsOf(v any) []any           { l, _ := v.([]any); return l }
func text(v any) string             { s, _ := v.(string); return s }

// get is what is at a path of objects below v.
func get(v any, path ...string) any {
	for _, key := range path {
		v = fieldsOf(v)[key]
	}
	return v
}

// encoded is JSON with sorted keys, the same for the same value.
func encoded(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // it was JSON
	}
	return string(b)
}

// refersTo reports whether v has a reference to a resource.
func refersTo(v any, id string) bool {
	switch v := v.(type) {
	case map[string]any:
		if v["Ref"] == id {
			return true
		}
		if of, ok := v["Fn::GetAtt"].([]any); ok && len(of) > 0 && of[0] == id {
			return true
		}
		for _, each := range v {
			if refersTo(each, id) {
				return true
			}
		}
	case []any:
		for _, each := range v {
			if refersTo(each, id) {
				return true
			}
		}
	}
	return false
}

// titleOf is what a reader knows a resource by: its own name, or its construct's place.
func (s *Stack) titleOf(r resource) string {
	for _, key := range []string{"TableName", "BucketName", "LogGroupName", "QueueName"} {
		if name := text(r.props[key]); name != "" {
			return name
		}
	}
	if path := s.paths[r.id]; path != "" {
		return path
	}
	return r.id
}
