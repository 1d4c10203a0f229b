package review

import "testing"

// TestTextsAreInOneForm: what CloudFormation puts together is the same however it is
// written, and what only a deployment knows stays.
func TestTextsAreInOneForm(t *testing.T) {
	for from, want := range map[string]string{
		`"a"`:                             `"a"`,
		`{"Fn::Join": ["", ["a"]]}`:       `"a"`,
		`{"Fn::Join": ["-", ["a", "b"]]}`: `"a-b"`,
		`{"Fn::Join": ["", []]}`:          `""`,
		`{"Fn::Sub": "a"}`:                `"a"`,
		`{"Fn::Sub": "${!a}"}`:            `"${a}"`,
		`{"Fn::Sub": "a${"}`:              `"a${"`,
		`{"Fn::Sub": ["a-${b}", {"b": {"Fn::Sub": "c"}}]}`:          `"a-c"`,
		`{"Fn::Sub": "${B}"}`:                                       `{"Ref":"B"}`,
		`{"Fn::Join": ["", [{"Fn::ImportValue": "a"}]]}`:            `{"Fn::Join":["",[{"Fn::ImportValue":"a"}]]}`,
		`{"Fn::Sub": "a${B}c${D.E.F}"}`:                             `{"Fn::Join":["",["a",{"Ref":"B"},"c",{"Fn::GetAtt":["D","E.F"]}]]}`,
		`{"Fn::Join": ["", ["a", "b", {"Ref": "C"}, "", "d"]]}`:     `{"Fn::Join":["",["ab",{"Ref":"C"},"d"]]}`,
		`{"Fn::Join": ["", ["a", {"Fn::Join": ["", ["b", "c"]]}]]}`: `"abc"`,
		`{"Fn::Join": ["-", ["a", {"Ref": "B"}]]}`:                  `{"Fn::Join":["-",["a",{"Ref":"B"}]]}`,
		`{"Fn::Join": ["", {"Ref": "B"}]}`:                          `{"Fn::Join":["",{"Ref":"B"}]}`,
		`{"Fn::Join": "a"}`:                                         `{"Fn::Join":"a"}`,
		`[{"x": {"Fn::Sub": "a"}}]`:                                 `[{"x":"a"}]`,
	} {
		if got := encoded(resolve(read[any](from))); got != want {
			t.Errorf("%s: got %s, want %s", from, got, want)
		}
	}
}
