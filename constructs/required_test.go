package constructs_test

import (
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/constructs/buckets"
	"github.com/archipelago-cdk/archipelago/constructs/entry"
	"github.com/archipelago-cdk/archipelago/constructs/fleet"
	"github.com/archipelago-cdk/archipelago/constructs/github"
	"github.com/archipelago-cdk/archipelago/constructs/lighthouse"
	"github.com/archipelago-cdk/archipelago/constructs/loadbalancer"
	"github.com/archipelago-cdk/archipelago/constructs/logs"
	"github.com/archipelago-cdk/archipelago/constructs/network"
	"github.com/archipelago-cdk/archipelago/constructs/observability"
	"github.com/archipelago-cdk/archipelago/constructs/scaler"
	"github.com/archipelago-cdk/archipelago/constructs/tables"
	"github.com/archipelago-cdk/archipelago/constructs/waf"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
)

// makers make constructs, by their names and those of their packages.
var makers = map[string]any{
	"buckets.New": buckets.New, "entry.New": entry.New, "entry.NewEndpoint": entry.NewEndpoint, "entry.NewRecord": entry.NewRecord,
	"fleet.New": fleet.New, "fleet.NewInstanceTypeParameter": fleet.NewInstanceTypeParameter, "github.New": github.New, "lighthouse.New": lighthouse.New,
	"loadbalancer.New": loadbalancer.New, "logs.NewBucket": logs.NewBucket, "logs.NewGroup": logs.NewGroup,
	"network.New": network.New, "network.Import": network.Import,
	"observability.NewGlobal": observability.NewGlobal, "observability.NewRegion": observability.NewRegion,
	"scaler.New": scaler.New, "tables.New": tables.New, "waf.New": waf.New,
}

// TestRequiredPropsAreRefusedWhereTheyAreMissing: each in turn, and all others there,
// ends in one sentence that names it, before anything is made.
func TestRequiredPropsAreRefusedWhereTheyAreMissing(t *testing.T) {
	p := newPlain(t, true)
	for _, name := range constructors(t) {
		if makers[name] == nil && name != "buckets.NewReplication" { // which requires nothing
			t.Errorf("%s is not tried", name)
		}
		if l3s[name].place == nil && name != "network.Import" { // which makes nothing
			t.Errorf("%s is not placed in another app", name)
		}
	}
	tried := 0
	for name, maker := range makers {
		maker := reflect.ValueOf(maker)
		props := maker.Type().In(2).Elem()
		pkg, _, _ := strings.Cut(name, ".")
		for _, path := range requiredFields("", props) {
			tried++
			t.Run(name+" without "+path, func(t *testing.T) {
				made := fill(p, props)
				at(made, path).SetZero()
				want := fmt.Sprintf("%s: want %s in %s: it is required", pkg, path, props.Name())
				defer func() {
					if got := fmt.Sprint(recover()); got != want {
						t.Errorf("got %s, want %s", got, want)
					}
				}()
				maker.Call([]reflect.Value{reflect.ValueOf(p.stack), reflect.ValueOf("Zeroed"), made.Addr()})
			})
		}
	}
	if tried < 70 {
		t.Errorf("tried %d props: where are the others?", tried)
	}
}

// constructors are the functions that make a construct, of all packages.
func constructors(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	declared := regexp.MustCompile(`(?m)^func ([A-Z]\w*)\(scope constructs\.Construct, id string, props \*\w*Props\)`)
	var names []string
	for _, path := range paths {
		for _, m := range declared.FindAllStringSubmatch(string(read(t, path)), -1) {
			names = append(names, filepath.Dir(path)+"."+m[1])
		}
	}
	if len(names) != len(makers)+1 {
		t.Errorf("found %q, want as many as are tried, and one", names)
	}
	return names
}

// requiredFields are the paths of a type's required fields, in its structs and the
// first of its lists of structs too.
func requiredFields(prefix string, of reflect.Type) []string {
	var all []string
	for i := range of.NumField() {
		field := of.Field(i)
		if field.Tag.Get("required") == "true" {
			all = append(all, prefix+field.Name)
		}
		switch inner := field.Type; {
		case isOurs(inner):
			all = append(all, requiredFields(prefix+field.Name+".", inner)...)
		case inner.Kind() == reflect.Pointer && isOurs(inner.Elem()):
			all = append(all, requiredFields(prefix+field.Name+".", inner.Elem())...)
		case inner.Kind() == reflect.Slice && isOurs(inner.Elem()):
			all = append(all, requiredFields(prefix+field.Name+"[0].", inner.Elem())...)
		}
	}
	return all
}

func isOurs(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && strings.Contains(t.PkgPath(), "/constructs/")
}

// at is the field at a path.
func at(v reflect.Value, path string) reflect.Value {
	for _, name := range strings.Split(path, ".") {
		name, isList := strings.CutSuffix(name, "[0]")
		v = reflect.Indirect(v).FieldByName(name)
		if isList {
			v = v.Index(0)
		}
	}
	return v
}

// filled are props with a value in each field.
func filled[T any](p *plain) *T {
	return fill(p, reflect.TypeFor[T]()).Addr().Interface().(*T)
}

// fill makes a value of a type that is not empty anywhere. What is of CDK is from p.
func fill(p *plain, of reflect.Type) reflect.Value {
	v := reflect.New(of).Elem()
	switch of.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Int:
		v.SetInt(1)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Struct:
		for i := range of.NumField() {
			v.Field(i).Set(fill(p, of.Field(i).Type))
		}
	case reflect.Pointer:
		v.Set(reflect.New(of.Elem()))
		if isOurs(of.Elem()) {
			v.Elem().Set(fill(p, of.Elem()))
		}
	case reflect.Slice:
		v.Set(reflect.Append(v, fill(p, of.Elem())))
	case reflect.Map:
		v.Set(reflect.MakeMap(of))
		v.SetMapIndex(fill(p, of.Key()), fill(p, of.Elem()))
	case reflect.Func:
		v.Set(reflect.MakeFunc(of, func([]reflect.Value) []reflect.Value {
			out := make([]reflect.Value, of.NumOut())
			for i := range out {
				out[i] = reflect.Zero(of.Out(i))
			}
			return out
		}))
	case reflect.Interface:
		for _, known := range []any{
			p.vpc, p.balancer, p.listener, p.targets, p.group, p.template, p.role, p.inside, p.alarm, p.table, p.bucket, p.logGroup, p.topic, p.zone,
			awslambda.Architecture_ARM_64(),
		} {
			if k := reflect.ValueOf(known); k.Type().Implements(of) {
				v.Set(k)
				break
			}
		}
	}
	return v
}
