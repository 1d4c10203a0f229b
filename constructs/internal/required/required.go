// Package required refuses props that lack what a construct cannot work without.
package required

import (
	"fmt"
	"reflect"
	"strings"
)

// Check panics with one sentence that names each field of props, a pointer to a
// struct, that has the tag `required:"true"` and is empty, within its structs and
// lists of structs too. construct is the package's name.
func Check(construct string, props any) {
	v := reflect.ValueOf(props)
	name := v.Type().Elem().Name()
	if v.IsNil() {
		panic(fmt.Sprintf("%s: want %s, got nil", construct, name))
	}
	lacks := missing("", v.Elem())
	switch n := len(lacks) - 1; {
	case n == 0:
		panic(fmt.Sprintf("%s: want %s in %s: it is required", construct, lacks[0], name))
	case n > 0:
		panic(fmt.Sprintf("%s: want %s and %s in %s: they are required", construct, strings.Join(lacks[:n], ", "), lacks[n], name))
	}
}

// missing are the paths of the required fields of a struct that are empty.
func missing(prefix string, v reflect.Value) []string {
	var all []string
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		path := prefix + field.Name
		if field.Tag.Get("required") == "true" && empty(value) {
			all = append(all, path)
		}
		switch {
		case ours(field.Type):
			all = append(all, missing(path+".", value)...)
		case value.Kind() == reflect.Pointer && !value.IsNil() && ours(field.Type.Elem()):
			all = append(all, missing(path+".", value.Elem())...)
		case value.Kind() == reflect.Slice && ours(field.Type.Elem()):
			for n := range value.Len() {
				all = append(all, missing(fmt.Sprintf("%s[%d].", path, n), value.Index(n))...)
			}
		}
	}
	return all
}

func empty(v reflect.Value) bool {
	if k := v.Kind(); k == reflect.Slice || k == reflect.Map {
		return v.Len() == 0
	}
	return v.IsZero()
}

// constructs is the path that packages of constructs are below, whatever the module is
// called.
var constructs, _, _ = strings.Cut(reflect.TypeFor[here]().PkgPath(), "internal/")

type here struct{}

// ours reports whether t is a struct of a package of constructs: CDK's own say
// themselves what they lack.
func ours(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && strings.HasPrefix(t.PkgPath(), constructs)
}
