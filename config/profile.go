package config

import "reflect"

// Values of Config.Profile.
const (
	// ProfileFull is what a deployment is worth that people depend on.
	ProfileFull = "full"
	// ProfileTrial costs little.
	ProfileTrial = "trial"
)

// layUnder puts the defaults that a profile has, the values of its tag, under what
// is written.
func layUnder(tree map[string]any, of reflect.Type, profile string) {
	for _, f := range fields(of) {
		if otherwise, ok := f.Tag.Lookup(profile); ok && tree[f.key] == nil {
			tree[f.key] = otherwise
		}
		if f.Type.Kind() != reflect.Struct {
			continue
		}
		if tree[f.key] == nil {
			tree[f.key] = map[string]any{}
		}
		if inner, ok := tree[f.key].(map[string]any); ok {
			layUnder(inner, f.Type, profile)
		}
		if inner, ok := tree[f.key].(map[string]any); ok && len(inner) == 0 {
			delete(tree, f.key)
		}
	}
}
