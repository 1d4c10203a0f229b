package envfile_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/envfile"
	"pgregory.net/rapid"
)

// hard are values that files, shells and units could take for something else.
var hard = []string{
	"", " ", "a b", "  both ends  ", `"`, `'`, `\`, `\\`, `a\`, "$HOME", "${HOME}", "$(id)", "`id`", "%i", "# no comment", "; no comment",
	"END", "a=b", "=", `"a" 'b'`, `\n`, `\"`, `{"a": "b\\c"}`, "é", "日本", "https://x/?a=b&c=d#e", "@NAME@",
}

func TestValuesComeBack(t *testing.T) {
	var lines, want []string
	for i, value := range hard {
		name := "A" + strings.Repeat("_", i)
		line, err := envfile.Line(name, value)
		if err != nil {
			t.Fatal(err)
		}
		lines, want = append(lines, line), append(want, name+"="+value)
	}
	got, err := envfile.Parse(strings.Join(lines, "\n") + "\n")
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v\n%q, want\n%q", err, got, want)
	}
}

// TestAnyValueComesBack: what Line writes is one line, and is read as what it was;
// what it refuses is a control character or none of UTF-8.
func TestAnyValueComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(
			rapid.String(),
			rapid.StringOfN(rapid.RuneFrom([]rune("aE \"'\\$`#;=\n\t\x00\x85")), 0, 12, -1),
			rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
		).Draw(t, "value")
		line, err := envfile.Line("NAME", value)
		if err != nil {
			if strings.ToValidUTF8(value, "") == value && strings.IndexFunc(value, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0xfdd0 }) < 0 {
				t.Fatalf("%q is refused: %v", value, err)
			}
			return
		}
		if strings.ContainsAny(line, "\n\r\x00") {
			t.Fatalf("%q is not a line", line)
		}
		got, err := envfile.Parse(line + "\nNEXT=1\n")
		if want := []string{"NAME=" + value, "NEXT=1"}; err != nil || !slices.Equal(got, want) {
			t.Fatalf("got %q, %v, want %q", got, err, want)
		}
	})
}

func TestWhatNoLineHoldsIsRefused(t *testing.T) {
	for _, name := range []string{"", "1A", "A B", "A-B", "A\nB", "A=", "Ä"} {
		if _, err := envfile.Line(name, "x"); err == nil || !strings.Contains(err.Error(), "want a name of A-Z") {
			t.Errorf("the name %q: got %v", name, err)
		}
	}
	for value, want := range map[string]string{
		"x\nEND\nid": "A: want a value of one line", "x\r": "of one line", "\x00": "control", "a\tb": "control", "\x1b[0m": "control",
		"\xff": "in UTF-8", "\uFFFE": "U+FFFE", "\uFEFF": "U+FEFF",
	} {
		if _, err := envfile.Line("A", value); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", value, err, want)
		}
	}
}

// TestFileIsReadAsSystemdDoes: the cases of systemd.exec(5).
func TestFileIsReadAsSystemdDoes(t *testing.T) {
	for text, want := range map[string][]string{
		"# c\n; c\n\nA=1\n  B = x=y  \nno variable\n": {"A=1", "B=x=y"},
		"A=1":                      {"A=1"},
		"A=\nB=2\n":                {"A=", "B=2"},
		"A=x y  \n":                {"A=x y"},
		"A=x \"y\" 'z'\n":          {`A=x "y" 'z'`},
		`A=a\ b\\c\$d` + "\n":      {`A=a b\c$d`},
		"A=a\\\nb\n":               {"A=ab"},
		"A=x\\ \n":                 {"A=x "},
		"A='a\\b\nc\"d'\nB=1\n":    {"A=a\\b\nc\"d", "B=1"},
		"A=\"a\\\nb\\nc\\\"d\"\n":  {`A=ab\nc"d`},
		"A=\"a\"'b'\n":             {"A=ab"},
		"A=\"a\" b\n":              {"A=ab"},
		"A=1\nB=2\nA=3\n":          {"A=3", "B=2"},
		"# a \\\nstill\nA=1\r\n":   {"A=1"},
		"export=1\n":               {"export=1"},
		"A=\"$B `c` \\$d \\` \"\n": {"A=$B `c` $d ` "},
	} {
		if got, err := envfile.Parse(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"A='x\n": "A: the quote ' has no end", `A="x\"`: `A: the quote " has no end`, "export A=1\n": `"export A" is not the name`,
	} {
		if _, err := envfile.Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}
