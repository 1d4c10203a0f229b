// Package cdkjson changes a cdk.json and leaves every byte of it that it does not have
// to change.
package cdkjson

import (
	"fmt"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

// SetRegion sets a key of region i, which is called name, to a value, JSON, in a file's
// content. A region that is written as its name becomes an object.
func SetRegion(file []byte, i int, name, key, value string) ([]byte, error) {
	path := fmt.Sprintf("context.%s.regions.%d", config.ContextKey, i)
	switch region := gjson.GetBytes(file, path); {
	case region.IsObject():
		return sjson.SetRawBytes(file, path+"."+key, []byte(value))
	case region.Type == gjson.String:
		return sjson.SetRawBytes(file, path, fmt.Appendf(nil, `{"name": %q, %q: %s}`, name, key, value))
	default:
		return nil, fmt.Errorf("%s.regions: want a list of the regions to write %s into, such as [%q]", config.ContextKey, key, name)
	}
}
