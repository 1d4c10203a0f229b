package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// merge returns the object under ContextKey with each dotted key laid over it,
// such as "archipelago.fleet.max" or "archipelago.regions[0].ami".
func merge(context map[string]any, p problems) map[string]any {
	tree, ok := clone(context[ContextKey]).(map[string]any)
	if !ok {
		if got := context[ContextKey]; got != nil {
			p.add("", `an object such as {"regions": ["eu-west-1"]}`, got)
		}
		tree = map[string]any{}
	}
	for _, key := range slices.Sorted(maps.Keys(context)) {
		if rest, ok := strings.CutPrefix(key, ContextKey+"."); ok {
			if _, err := set(tree, steps(rest), clone(context[key])); err != nil {
				p.under(rest).say(err.Error())
			}
		}
	}
	return tree
}

// steps splits "regions[0].ami" into "regions", "0", "ami".
func steps(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' })
}

// set puts value at path below node and returns the node with it.
func set(node any, path []string, value any) (any, error) {
	if len(path) == 0 {
		return value, nil
	}
	switch n := node.(type) {
	case nil:
		return set(map[string]any{}, path, value)
	case string:
		if _, err := strconv.Atoi(path[0]); err == nil {
			return set(splitList(n), path, value)
		}
		// A region may be just its name.
		return set(map[string]any{"name": n}, path, value)
	case map[string]any:
		child, err := set(n[path[0]], path[1:], value)
		n[path[0]] = child
		return n, err
	case []any:
		i, err := strconv.Atoi(path[0])
		if err != nil || i < 0 || i >= len(n) {
			return n, fmt.Errorf("want an index from 0 to %d, got %q", len(n)-1, path[0])
		}
		n[i], err = set(n[i], path[1:], value)
		return n, err
	default:
		return n, fmt.Errorf("want a key of an object, but %q is under the value %s", path[0], show(n))
	}
}

// clone copies objects and lists, so that overrides leave the context as it was.
func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, value := range v {
			m[key] = clone(value)
		}
		return m
	case []any:
		l := make([]any, len(v))
		for i, value := range v {
			l[i] = clone(value)
		}
		return l
	default:
		return v
	}
}
