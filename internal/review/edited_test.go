package review

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// edited is an assembly whose templates a change edits. A stack and a resource are
// named by what their names begin with, and an edit is made to all that have it:
// "archipelago-region-" is the stacks of all regions.
type edited struct {
	t         *testing.T
	templates map[string]map[string]any
	// before is the base's, for a change that needs another one.
	before *edited
	// everywhere are pairs of texts, of which the second replaces the first in all files of
	// the assembly.
	everywhere []string
}

// readEdited reads the templates in dir by the names of their stacks.
func readEdited(t *testing.T, dir string) *edited {
	t.Helper()
	e := &edited{t: t, templates: map[string]map[string]any{}}
	paths, err := filepath.Glob(filepath.Join(dir, "*.template.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		e.templates[strings.TrimSuffix(filepath.Base(path), ".template.json")] = object(string(b))
	}
	return e
}

// write writes them to dir.
func (e *edited) write(dir string) {
	e.t.Helper()
	for name, template := range e.templates {
		b, err := json.Marshal(template)
		if err != nil {
			e.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".template.json"), b, 0o644); err != nil {
			e.t.Fatal(err)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		e.t.Fatal(err)
	}
	replacer, all := strings.NewReplacer(e.everywhere...), ""
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			e.t.Fatal(err)
		}
		all += string(b)
		if err := os.WriteFile(path, []byte(replacer.Replace(string(b))), 0o644); err != nil {
			e.t.Fatal(err)
		}
	}
	for i := 0; i < len(e.everywhere); i += 2 {
		if !strings.Contains(all, e.everywhere[i]) {
			e.t.Fatalf("no file has %s", e.everywhere[i])
		}
	}
}

// olderCDK has the functions that CDK publishes have other code, in templates and in what is
// published, and the assembly another schema.
func (e *edited) olderCDK(schema string) {
	e.t.Helper()
	e.everywhere = []string{`"version": "54.0.0"`, `"version": "` + schema + `"`}
	for _, template := range e.templates {
		for _, r := range template["Resources"].(map[string]any) {
			hash, _, _ := strings.Cut(text(get(r, "Properties", "Code", "S3Key")), ".")
			if hash != "" && strings.HasPrefix(text(get(r, "Properties", "Runtime")), "nodejs") && !slices.Contains(e.everywhere, hash) {
				e.everywhere = append(e.everywhere, hash, fmt.Sprintf("%x", sha256.Sum256([]byte(schema+hash))))
			}
		}
	}
	if len(e.everywhere) < 4 {
		e.t.Fatal("no function is CDK's")
	}
}

// each calls do with the resource whose id is id with a hash, in every stack.
func (e *edited) each(stack, id string, do func(resources map[string]any, id string)) {
	e.t.Helper()
	found := 0
	for name, template := range e.templates {
		if !strings.HasPrefix(name, stack) {
			continue
		}
		resources := template["Resources"].(map[string]any)
		for _, have := range slices.Sorted(maps.Keys(resources)) {
			if rest, ok := strings.CutPrefix(have, id); ok && len(rest) == 8 {
				found++
				do(resources, have)
			}
		}
	}
	if found == 0 {
		e.t.Fatalf("no stack %s* has a resource %s", stack, id)
	}
}

// put gives a resource an attribute.
func (e *edited) put(stack, id, key string, value any) {
	e.t.Helper()
	e.each(stack, id, func(resources map[string]any, id string) { resources[id].(map[string]any)[key] = value })
}

// policy is what becomes of a resource with its stack, and when it is replaced.
func (e *edited) policy(stack, id, policy string) {
	e.t.Helper()
	e.put(stack, id, "DeletionPolicy", policy)
	e.put(stack, id, "UpdateReplacePolicy", policy)
}

// set sets a property, by its path between slashes.
func (e *edited) set(stack, id, path string, value any) {
	e.t.Helper()
	e.each(stack, id, func(resources map[string]any, id string) {
		resource := resources[id].(map[string]any)
		resource["Properties"] = at(resource["Properties"], strings.Split(path, "/"), func(any) any { return value })
	})
}

// allow has the statement of a policy that has one action have another in place of all.
func (e *edited) allow(stack, id, having, action string) {
	e.t.Helper()
	e.each(stack, id, func(resources map[string]any, id string) {
		statements := itemsOf(get(resources[id], "Properties", "PolicyDocument", "Statement"))
		i := slices.IndexFunc(statements, func(s any) bool { return slices.Contains(itemsOf(get(s, "Action")), any(having)) })
		if i < 0 {
			e.t.Fatalf("%s: no statement allows %s", id, having)
		}
		statements[i].(map[string]any)["Action"] = action
	})
}

// unset removes a property.
func (e *edited) unset(stack, id, path string) {
	e.t.Helper()
	e.each(stack, id, func(resources map[string]any, id string) {
		resource := resources[id].(map[string]any)
		resource["Properties"] = at(resource["Properties"], strings.Split(path, "/"), func(any) any { return nil })
	})
}

// at changes what is at path below node, and returns the node with it. A nil is
// removed.
func at(node any, path []string, change func(any) any) any {
	if len(path) == 0 {
		return change(node)
	}
	switch n := node.(type) {
	case nil:
		return at(map[string]any{}, path, change)
	case map[string]any:
		n = maps.Clone(n)
		if n[path[0]] = at(n[path[0]], path[1:], change); n[path[0]] == nil {
			delete(n, path[0])
		}
		return n
	case []any:
		i, err := strconv.Atoi(path[0])
		if err != nil || i > len(n) {
			panic(fmt.Sprintf("%s of a list of %d", path[0], len(n)))
		}
		n = slices.Clone(n)
		if i == len(n) {
			n = append(n, nil)
		}
		if n[i] = at(n[i], path[1:], change); n[i] == nil {
			n = slices.Delete(n, i, i+1)
		}
		return n
	}
	panic(fmt.Sprintf("%v has no %s", node, path[0]))
}

// remove removes a resource, and that others wait for it.
func (e *edited) remove(stack, id string) {
	e.t.Helper()
	e.each(stack, id, func(resources map[string]any, id string) {
		delete(resources, id)
		for _, other := range resources {
			resource := other.(map[string]any)
			if waits, ok := resource["DependsOn"].([]any); ok {
				resource["DependsOn"] = slices.DeleteFunc(waits, func(on any) bool { return on == id })
			}
		}
	})
}

// rename gives a resource another id, and those that refer to it.
func (e *edited) rename(stack, from, to string) {
	e.t.Helper()
	e.each(stack, from, func(resources map[string]any, id string) {
		b, err := json.Marshal(resources)
		if err != nil {
			e.t.Fatal(err)
		}
		renamed := object(strings.ReplaceAll(string(b), `"`+id+`"`, `"`+to+id[len(from):]+`"`))
		clear(resources)
		maps.Copy(resources, renamed)
	})
}

// top sets what stands beside the resources.
func (e *edited) top(stack, key string, value any) {
	for name, template := range e.templates {
		if strings.HasPrefix(name, stack) {
			template[key] = value
		}
	}
}

// move takes a resource out of a stack and puts it into another one.
func (e *edited) move(from, id, to string) {
	e.t.Helper()
	e.each(from, id, func(resources map[string]any, id string) {
		e.templates[to]["Resources"].(map[string]any)[id] = resources[id]
		delete(resources, id)
	})
}

// replace replaces a text in a resource, as JSON has it.
func (e *edited) replace(stack, id, from, to string) {
	e.t.Helper()
	e.each(stack, id, func(resources map[string]any, id string) {
		text := encoded(resources[id])
		if !strings.Contains(text, from) {
			e.t.Fatalf("%s has no %s", id, from)
		}
		resources[id] = object(strings.ReplaceAll(text, from, to))
	})
}

// removeType removes all resources of a type.
func (e *edited) removeType(stack, kind string) {
	for name, template := range e.templates {
		if strings.HasPrefix(name, stack) {
			maps.DeleteFunc(template["Resources"].(map[string]any), func(_ string, r any) bool { return get(r, "Type") == kind })
		}
	}
}
