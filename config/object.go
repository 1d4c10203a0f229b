package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
)

// object reads one object of the configuration, remembers the keys that were
// asked for, and collects what is wrong with their values. A string stands for
// a number, a truth value or JSON too: `-c` passes nothing else.
type object struct {
	path   string
	values map[string]any
	asked  []string
	errs   *[]error
}

func (o *object) fail(key, want string) {
	*o.errs = append(*o.errs, wrong(o.path+"."+key, want, o.values[key]))
}

// known marks key as one that exists and returns its value.
func (o *object) known(key string) any {
	o.asked = append(o.asked, key)
	return o.values[key]
}

func (o *object) string(key, otherwise string) string {
	switch v := o.known(key).(type) {
	case nil:
		return otherwise
	case string:
		return v
	default:
		o.fail(key, "a string")
		return otherwise
	}
}

func (o *object) int(key string, otherwise int) int {
	switch v := o.known(key).(type) {
	case nil:
		return otherwise
	case float64:
		if v == float64(int(v)) {
			return int(v)
		}
	case string:
		if n, err := strconv.Atoi(v); err == nil {
			return n
		}
	}
	o.fail(key, "a whole number")
	return otherwise
}

func (o *object) bool(key string, otherwise bool) bool {
	switch v := o.known(key).(type) {
	case nil:
		return otherwise
	case bool:
		return v
	case string:
		if v == "true" || v == "false" {
			return v == "true"
		}
	}
	o.fail(key, "true or false")
	return otherwise
}

func (o *object) strings(key string, otherwise []string) []string {
	items := o.list(key)
	if items == nil {
		return otherwise
	}
	list := make([]string, 0, len(items))
	for _, item := range items {
		s, ok := item.value.(string)
		if !ok {
			*o.errs = append(*o.errs, wrong(item.path, "a string", item.value))
			continue
		}
		list = append(list, s)
	}
	return list
}

// item is one value of a list.
type item struct {
	path  string
	value any
	errs  *[]error
}

// object reads the item as an object, or reports that it is not what is wanted.
func (i item) object(want string) *object {
	values, ok := i.value.(map[string]any)
	if !ok {
		*i.errs = append(*i.errs, wrong(i.path, want, i.value))
	}
	return &object{path: i.path, values: values, errs: i.errs}
}

// list returns the items of a list, or nil where there is none. A string is
// read as a JSON list or as words between commas.
func (o *object) list(key string) []item {
	values, ok := o.known(key).([]any)
	if s, isString := o.values[key].(string); isString {
		values, ok = splitList(s), true
	}
	if !ok {
		if o.values[key] != nil {
			o.fail(key, "a list")
		}
		return nil
	}
	items := make([]item, len(values))
	for i, v := range values {
		items[i] = item{path: fmt.Sprintf("%s.%s[%d]", o.path, key, i), value: v, errs: o.errs}
	}
	return items
}

func splitList(s string) []any {
	var values []any
	if json.Unmarshal([]byte(s), &values) == nil {
		return values
	}
	for _, word := range strings.Split(s, ",") {
		values = append(values, strings.TrimSpace(word))
	}
	return values
}

func (o *object) object(key string) *object {
	values, ok := o.known(key).(map[string]any)
	if !ok && o.values[key] != nil {
		o.fail(key, "an object")
	}
	return &object{path: o.path + "." + key, values: values, errs: o.errs}
}

// refuseUnknown reports the keys that nobody asked for.
func (o *object) refuseUnknown() {
	for _, key := range slices.Sorted(maps.Keys(o.values)) {
		if !slices.Contains(o.asked, key) {
			*o.errs = append(*o.errs, fmt.Errorf("%s.%s: there is no such key%s; known are %s",
				o.path, key, didYouMean(key, o.asked), strings.Join(o.asked, ", ")))
		}
	}
}

// merge returns the object under ContextKey with each dotted key laid over it,
// such as "archipelago.fleet.max" or "archipelago.regions[0].ami".
func merge(context map[string]any) (map[string]any, []error) {
	var errs []error
	tree, ok := clone(context[ContextKey]).(map[string]any)
	if !ok {
		if got := context[ContextKey]; got != nil {
			errs = append(errs, wrong(ContextKey, `an object such as {"regions": ["eu-west-1"]}`, got))
		}
		tree = map[string]any{}
	}
	for _, key := range slices.Sorted(maps.Keys(context)) {
		if rest, ok := strings.CutPrefix(key, ContextKey+"."); ok {
			if _, err := set(tree, steps(rest), context[key]); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", key, err))
			}
		}
	}
	return tree, errs
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

// didYouMean names the nearest of known words, if one is near.
func didYouMean(word string, known []string) string {
	best, distance := "", 1+len(word)/3
	for _, k := range known {
		if d := levenshtein.ComputeDistance(strings.ToLower(word), strings.ToLower(k)); d <= distance && d > 0 {
			best, distance = k, d-1
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// show is a value as a person wrote it in cdk.json.
func show(v any) string {
	if v == nil || v == "" {
		return "nothing"
	}
	b, err := json.Marshal(v)
	if err != nil || string(b) == "null" {
		return "nothing"
	}
	return string(b)
}
