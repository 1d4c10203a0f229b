package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// value is one value of the configuration, as JSON has it. A string stands for a
// number, a truth value or a list too: `-c` passes nothing else.
type value struct {
	problems // found so far, and where the value is
	raw      any
}

// reader is a type that is written in more than one way: it reads itself.
type reader interface{ read(value) bool }

// wanted is a type that says what its value has to be.
type wanted interface{ want() string }

// read sets to and reports whether it did: it does not where v is absent, or is
// not of the type, which is a problem.
func (v value) read(to reflect.Value) bool {
	if own, ok := to.Addr().Interface().(reader); ok {
		return own.read(v)
	}
	switch to.Kind() {
	case reflect.String:
		s, ok := v.raw.(string)
		to.SetString(s)
		return v.is(ok, "a string")
	case reflect.Int:
		n, ok := number(v.raw)
		to.SetInt(int64(n))
		return v.is(ok, "a whole number")
	case reflect.Float64:
		n, ok := decimal(v.raw)
		to.SetFloat(n)
		return v.is(ok, "a number")
	case reflect.Bool:
		b, ok := truth(v.raw)
		to.SetBool(b)
		return v.is(ok, "true or false")
	case reflect.Slice:
		return v.readList(to)
	case reflect.Map:
		return v.readMap(to)
	case reflect.Struct:
		v.readFields(to)
		return true
	default:
		panic(fmt.Sprintf("config: %s: a key cannot be of type %s", v.path, to.Type()))
	}
}

// is adds a problem if v is something else than what is wanted, and returns ok.
func (v value) is(ok bool, want string) bool {
	if !ok && v.raw != nil {
		v.add("", want, v.raw)
	}
	return ok
}

func number(raw any) (int, bool) {
	switch n := raw.(type) {
	case float64:
		return int(n), n == float64(int(n))
	case string:
		i, err := strconv.Atoi(n)
		return i, err == nil
	}
	return 0, false
}

func decimal(raw any) (float64, bool) {
	switch n := raw.(type) {
	case float64:
		return n, true
	case string:
		f, err := strconv.ParseFloat(n, 64)
		return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
	}
	return 0, false
}

func truth(raw any) (is, ok bool) {
	switch b := raw.(type) {
	case bool:
		return b, true
	case string:
		return b == "true", b == "true" || b == "false"
	}
	return false, false
}

// readList reads a list. An item that is wrong keeps its place.
func (v value) readList(to reflect.Value) bool {
	items, ok := v.raw.([]any)
	if s, isString := v.raw.(string); isString {
		items, ok = splitList(s), true
	}
	if !v.is(ok, "a list") {
		return false
	}
	to.Set(reflect.MakeSlice(to.Type(), len(items), len(items)))
	for i, item := range items {
		child := value{v.under(fmt.Sprintf("[%d]", i)), item}
		if item == nil {
			child.add("", "a value", nil)
			continue
		}
		child.read(to.Index(i))
	}
	return true
}

// splitList reads a string as a JSON list or as words between commas.
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

func (v value) readMap(to reflect.Value) bool {
	values, ok := v.raw.(map[string]any)
	if !v.is(ok, `an object such as {"KEY": "value"}`) {
		return false
	}
	to.Set(reflect.MakeMap(to.Type()))
	for _, key := range slices.Sorted(maps.Keys(values)) {
		child := value{v.under(key), values[key]}
		if values[key] == nil {
			child.add("", "a value", nil)
			continue
		}
		item := reflect.New(to.Type().Elem()).Elem()
		child.read(item)
		to.SetMapIndex(reflect.ValueOf(key), item)
	}
	return true
}

// readFields reads the fields of a struct, each by the key in its json tag, and
// takes the value of its default tag for one that is absent or wrong. It refuses
// other keys.
func (v value) readFields(to reflect.Value) {
	want := "an object"
	if w, ok := to.Interface().(wanted); ok {
		want = w.want()
	}
	values, ok := v.raw.(map[string]any)
	v.is(ok, want)
	var known []string
	for _, f := range fields(to.Type()) {
		known = append(known, f.key)
		child := value{v.under(f.key), values[f.key]}
		if child.read(to.FieldByIndex(f.Index)) {
			continue
		}
		if otherwise, ok := f.Tag.Lookup("default"); ok {
			child.raw = otherwise
			child.read(to.FieldByIndex(f.Index))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if where, ok := elsewhere[key]; ok && !slices.Contains(known, key) {
			v.under(key).say("there is no such key: " + where)
		} else if !slices.Contains(known, key) {
			v.under(key).say(fmt.Sprintf("there is no such key%s; known are %s", didYouMean(key, known), strings.Join(known, ", ")))
		}
	}
}

// elsewhere are where settings are that are looked for among the keys.
var elsewhere = map[string]string{
	"permissionsBoundary": `CDK has it, as "@aws-cdk/core:permissionsBoundary" beside archipelago: {"name": "Boundary"}`,
}

// named is a value that may be just a name, as the object with that name.
func named(raw any) any {
	if name, ok := raw.(string); ok {
		return map[string]any{"name": name}
	}
	return raw
}
