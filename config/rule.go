package config

import (
	"cmp"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// field is a field of a configuration's struct, with the key that it is read from.
type field struct {
	reflect.StructField
	key   string
	rules rules
}

// fieldsOf has the fields of each type: to read their tags is most of the work.
var fieldsOf sync.Map

// fields returns those of a struct that are keys: which have a json tag.
func fields(of reflect.Type) []field {
	if all, ok := fieldsOf.Load(of); ok {
		return all.([]field)
	}
	var all []field
	for i := range of.NumField() {
		if f := of.Field(i); f.Tag.Get("json") != "" {
			all = append(all, field{f, f.Tag.Get("json"), rulesOf(f)})
		}
	}
	fieldsOf.Store(of, all)
	return all
}

// rules are what a value has to keep, as the jsonschema tag of its field says: of a
// list, pattern, enum and maxLength are for its items.
type rules struct {
	required           bool
	optional           bool // a zero value is one that is absent, and keeps all rules
	minimum, maximum   *int
	minItems, maxItems *int
	maxLength          *int
	pattern            *regexp.Regexp
	enum               []string
	want, wantMost     string
}

// rulesOf reads those of a field. Its want tag is said of a value that breaks one; its
// wantMost tag, in place of that, of one that is too long.
func rulesOf(f reflect.StructField) rules {
	r := rules{want: f.Tag.Get("want"), wantMost: f.Tag.Get("wantMost")}
	_, hasDefault := f.Tag.Lookup("default")
	r.optional = !hasDefault
	for rule := range strings.SplitSeq(f.Tag.Get("jsonschema"), ",") {
		switch name, limit, _ := strings.Cut(rule, "="); name {
		case "":
		case "required":
			r.required, r.optional = true, false
		case "enum":
			r.enum = append(r.enum, limit)
		case "pattern":
			r.pattern = regexp.MustCompile(limit)
		default:
			n, err := strconv.Atoi(limit)
			bound, ok := map[string]**int{
				"minimum": &r.minimum, "maximum": &r.maximum, "minItems": &r.minItems, "maxItems": &r.maxItems, "maxLength": &r.maxLength,
			}[name]
			if err != nil || !ok {
				panic(fmt.Sprintf("config: the field %s has a rule %q, which nothing checks", f.Name, rule))
			}
			*bound = &n
		}
	}
	return r
}

// checkFields adds the values of a struct that break their rules, but those that
// have a problem: what else is said of them is more exact.
func (p problems) checkFields(of reflect.Value) {
	for _, f := range fields(of.Type()) {
		v, r, at := of.FieldByIndex(f.Index), f.rules, p.under(f.key)
		switch {
		case at.has() || v.IsZero() && r.optional:
		case v.IsZero() && r.required:
			at.add("", r.wantOf(v), nil)
		default:
			at.check(v, r)
		}
	}
}

// wantOf is said of a value that is required and absent.
func (r rules) wantOf(v reflect.Value) string {
	if r.want != "" {
		return r.want
	}
	if w, ok := v.Interface().(wanted); ok {
		return w.want()
	}
	return "a value, it is required"
}

func (p problems) check(v reflect.Value, r rules) {
	switch v.Kind() {
	case reflect.Int:
		if n := int(v.Int()); r.minimum != nil && n < *r.minimum || r.maximum != nil && n > *r.maximum {
			p.add("", r.bounds(), n)
		}
	case reflect.Float64:
		if n := v.Float(); r.minimum != nil && n < float64(*r.minimum) || r.maximum != nil && n > float64(*r.maximum) {
			p.add("", r.bounds(), n)
		}
	case reflect.String:
		switch s := v.String(); {
		case r.enum != nil && !slices.Contains(r.enum, s):
			p.add("", oneOf(s, r.enum), s)
		case r.maxLength != nil && len(s) > *r.maxLength:
			p.add("", cmp.Or(r.wantMost, r.want, fmt.Sprintf("at most %d characters", *r.maxLength)), s)
		case r.pattern != nil && !r.pattern.MatchString(s):
			p.add("", r.want, s)
		}
	case reflect.Slice:
		switch {
		case r.minItems != nil && v.Len() < *r.minItems:
			p.add("", cmp.Or(r.want, fmt.Sprintf("at least %d", *r.minItems)), v.Interface())
		case r.maxItems != nil && v.Len() > *r.maxItems:
			p.add("", cmp.Or(r.wantMost, r.want, fmt.Sprintf("at most %d", *r.maxItems)), v.Len())
		}
		for i := range v.Len() {
			if at := p.under(fmt.Sprintf("[%d]", i)); v.Index(i).Kind() == reflect.Struct || !at.has() {
				at.check(v.Index(i), r)
			}
		}
	case reflect.Struct:
		p.checkFields(v)
	}
}

// bounds says between which numbers a value is.
func (r rules) bounds() string {
	switch {
	case r.want != "":
		return r.want
	case r.maximum == nil:
		return fmt.Sprintf("at least %d", *r.minimum)
	case r.minimum == nil:
		return fmt.Sprintf("at most %d", *r.maximum)
	default:
		return fmt.Sprintf("%d to %d", *r.minimum, *r.maximum)
	}
}
