package config

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// everyText has each key whose value is a text.
const everyText = `{"archipelago": {
	"name": "shop", "account": "` + account + `", "profile": "full", "entry": "internal", "internalFrom": ["10.0.0.0/8"],
	"consistency": "eventual", "egress": "none", "logs": "bucket",
	"regions": [
		{"name": "eu-west-1", "cidr": "10.1.0.0/16", "ami": "ami-0123456789abcdef0", "vpc": ` + existing + `},
		{"name": "eu-west-2", "cidr": "10.2.0.0/16", "zones": ["a", "b"]}
	],
	"service": {"name": "shop", "package": "./cmd/shop", "port": 9000, "health": "/up",
		"environment": {"STOCK": "{table:stock}", "MOTTO": "é"}, "secrets": {"KEY": "/shop/key", "OTHER": "secret:shop/other"},
		"local": {"environment": {"MOTTO": "ü"}}},
	"tables": [{"name": "stock", "partitionKey": {"name": "id", "type": "N"}, "sortKey": {"name": "part"}, "actions": ["Query"],
		"indexes": [{"name": "byPart", "partitionKey": {"name": "part"}}]},
		{"name": "carts", "partitionKey": {"name": "id"}, "ttl": "expires", "ephemeral": true, "watch": "read"}],
	"buckets": [{"name": "files", "prefix": "files/", "watch": "read"}],
	"domain": {"zone": "example.com", "zoneId": "Z0123456789ABCDEFGHIJ", "host": "shop.example.com", "private": true, "certificateArns": {
		"eu-west-1": "arn:aws:acm:eu-west-1:` + account + `:certificate/12345678-1234-1234-1234-123456789012",
		"eu-west-2": "arn:aws:acm:eu-west-2:` + account + `:certificate/12345678-1234-1234-1234-123456789012"}},
	"fleet": {"ladder": ["m7g.medium", "m7g.large"], "startAt": "m7g.large", "vertical": "auto", "window": "01:00-05:00 Europe/Madrid",
		"schedule": [{"name": "Morning", "cron": "0 7 * * 1-5", "timezone": "Europe/Madrid", "min": 3}]},
	"waf": {"common": "block", "badInputs": "count", "ipReputation": "block", "rate": "block"},
	"alarms": ["ops@example.com", "é@example.com"],
	"tags": {"cost-center": "1234"}
}}`

// TestNoTextHoldsWhatNoFileDoes: a template, user data, a unit or its environment
// file is made of these texts, and what one of them cannot hold is a problem of the
// key that has it.
func TestNoTextHoldsWhatNoFileDoes(t *testing.T) {
	if _, err := parse(t, everyText); err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	if err := json.Unmarshal([]byte(everyText), &tree); err != nil {
		t.Fatal(err)
	}
	texts := 0
	eachText(tree[ContextKey], ContextKey, func(path, text string) {
		texts++
		for _, bad := range []string{"\n", "\u0085", "\uFFFE"} {
			context := map[string]any{}
			if err := json.Unmarshal([]byte(everyText), &context); err != nil {
				t.Fatal(err)
			}
			context[path] = text + bad
			_, err := Parse(context, account)
			if err == nil || !strings.Contains("\n"+err.Error(), "\n"+path+": ") {
				t.Errorf("%s = %q: got %v", path, text+bad, err)
			}
		}
	})
	if texts < 50 {
		t.Errorf("%d texts were tried", texts)
	}
}

// eachText visits the texts of a tree with their paths.
func eachText(node any, path string, visit func(path, text string)) {
	switch n := node.(type) {
	case string:
		visit(path, n)
	case []any:
		for i, item := range n {
			eachText(item, fmt.Sprintf("%s[%d]", path, i), visit)
		}
	case map[string]any:
		for key, item := range n {
			eachText(item, path+"."+key, visit)
		}
	}
}

// TestWhatDoesNotShowIsEscaped: a byte-order mark that came along with a name is seen.
func TestWhatDoesNotShowIsEscaped(t *testing.T) {
	for value, want := range map[string]string{
		"eu-west-1\uFEFF": `"eu-west-1\ufeff"`, "a\U0001FFFF": `"a\ud83f\udfff"`, "\u0085é 日本 \"": `"\u0085é 日本 \""`,
	} {
		if got := show(value); got != want {
			t.Errorf("%q: got %s, want %s", value, got, want)
		}
	}
}
