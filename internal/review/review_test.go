package review

import (
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/matrix"
	"github.com/archipelago-cdk/archipelago/internal/synth"
	"github.com/aws/jsii-runtime-go"
)

// TestMain ends CDK's own process, which removes its files.
func TestMain(m *testing.M) {
	code := m.Run()
	jsii.Close()
	for _, dir := range made {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// made are the folders of assemblies, by what they are made from.
var made = map[string]string{}

// assembly synthesizes a change's base or head, once for all that have the same.
func (c change) assembly(t *testing.T, head bool) string {
	t.Helper()
	context, service := c.context(t, head), ""
	if head {
		service = c.service
	}
	content, err := json.Marshal(context)
	if err != nil {
		t.Fatal(err)
	}
	edits := map[string][2]string{}
	if head {
		edits = c.source
	}
	key := fmt.Sprintf("%x", sha256.Sum256([]byte(string(content)+service+fmt.Sprint(c.source != nil, edits))))
	if dir := made[key]; dir != "" {
		return dir
	}
	if c.source != nil {
		made[key] = sources(t, context, edits)
		return made[key]
	}
	dir, err := os.MkdirTemp("", "archipelago-review-")
	if err != nil {
		t.Fatal(err)
	}
	builds, err := synth.StandIns(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if service != "" {
		if err := os.WriteFile(builds.Service, []byte(service), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	context["@aws-cdk/core:annotationsInValidationReport"] = false
	if err := synth.App(context, matrix.Account, dir, builds, nil); err != nil {
		t.Fatal(err)
	}
	made[key] = dir
	return dir
}

// both returns a change's base and head, edited.
func (c change) both(t *testing.T) (base, head *Assembly) {
	t.Helper()
	dirs := [2]string{c.assembly(t, false), c.assembly(t, true)}
	if c.edit != nil {
		e := readEdited(t, dirs[1])
		e.before = readEdited(t, dirs[0])
		c.edit(e)
		for i, edited := range []*edited{e.before, e} {
			copied := t.TempDir()
			if err := os.CopyFS(copied, os.DirFS(dirs[i])); err != nil {
				t.Fatal(err)
			}
			dirs[i] = copied
			edited.write(copied)
		}
	}
	read := func(dir string) *Assembly {
		a, err := ReadAssembly(dir)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	return read(dirs[0]), read(dirs[1])
}

func newDiffer(t *testing.T) *Differ {
	t.Helper()
	root, err := matrix.Root()
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDiffer(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return d
}

// TestWhyTemplatesCannotBeCompared is in what Node.js prints, which may come after it has
// closed its output.
func TestWhyTemplatesCannotBeCompared(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{".bin", "@aws-cdk/cloudformation-diff"} {
		if err := os.MkdirAll(filepath.Join(root, "node_modules", dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const node = "#!/bin/sh\nexec >&-\nread line\nsleep 0.3\necho 'RangeError: too long' >&2\n"
	if err := os.WriteFile(filepath.Join(root, "node_modules", ".bin", "node"), []byte(node), 0o755); err != nil {
		t.Fatal(err)
	}
	d, err := NewDiffer(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.compare(&Assembly{}, &Assembly{}); err == nil || !strings.Contains(err.Error(), "cannot be compared: RangeError: too long") {
		t.Errorf("got %v", err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

var update = flag.Bool("update", false, "write the comment into docs/review.md instead of comparing with it")

// TestPageShowsAComment: the one in docs/review.md is what a review says now.
func TestPageShowsAComment(t *testing.T) {
	i := slices.IndexFunc(corpus, func(c change) bool { return c.name == "a bucket's old versions are kept for less" })
	base, head := corpus[i].both(t)
	r, err := newDiffer(t).Compare(base, head)
	if err != nil {
		t.Fatal(err)
	}
	comment, err := r.Markdown()
	if err != nil {
		t.Fatal(err)
	}
	const path, mark, end = "../../docs/review.md", "<!-- the comment, as TestPageShowsAComment writes it -->\n", "\n## What it does not see\n"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(page), mark)
	_, after, found2 := strings.Cut(rest, end)
	if !found || !found2 {
		t.Fatalf("%s has no place for the comment", path)
	}
	want := before + mark + "\n````markdown\n" + comment + "````\n" + end + after
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if string(page) != want {
		t.Errorf("%s has another comment; if that is meant, run `go test ./internal/review -run Page -update`:\n%s", path, comment)
	}
}

// TestHoldIsNotRepeated: what the fleet's hold has is the group's, and said of that alone.
func TestHoldIsNotRepeated(t *testing.T) {
	i := slices.IndexFunc(corpus, func(c change) bool { return c.name == "fleet.max" })
	base, head := corpus[i].both(t)
	r, err := newDiffer(t).Compare(base, head)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Changes) != 1 || r.Changes[0].Type != scalingGroup || !slices.Equal(r.Changes[0].Properties, []string{"MaxSize"}) {
		t.Errorf("got %+v", r.Changes)
	}
}

// TestCallIsShownOnce: a custom resource that calls the same for its creation and its
// update has one call in the diff.
func TestCallIsShownOnce(t *testing.T) {
	assembly := func(days string) *Assembly {
		call := `{\"action\":\"put\",\"days\":` + days + `}`
		return &Assembly{Dir: t.TempDir(), Stacks: map[string]*Stack{"s": {Name: "s", Region: "eu-west-1", Template: object(
			`{"Resources": {"C": {"Type": "Custom::AWS", "Properties": {"Create": "` + call + `", "Update": "` + call + `"}}}}`)}}}
	}
	r, err := newDiffer(t).Compare(assembly("1"), assembly("2"))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Changes) != 1 || strings.Count(strings.Join(r.Changes[0].Lines, "\n"), "days: 2") != 1 {
		t.Errorf("got %+v, want the call once", r.Changes)
	}
}

// sections are those of a comment, in their order. Without a change there is no diff.
var sections = []string{"Data", "Users", "Instances", "Security", "Cost", "Plan", "Changes", "Diff", "Blind spots"}

// headings are the titles of a comment's sections.
func headings(comment string) []string {
	var all []string
	for line := range strings.Lines(comment) {
		if title, ok := strings.CutPrefix(line, "## "); ok {
			all = append(all, strings.TrimSpace(title))
		}
	}
	return all
}

// content is a report as JSON.
func content(t *testing.T, r Report) string {
	t.Helper()
	b, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestVerdicts: what a review says of each change of the corpus is what was decided
// before.
func TestVerdicts(t *testing.T) {
	d := newDiffer(t)
	proved := 0
	var expected []string
	for i, c := range corpus {
		if !c.gate && !matrix.All() {
			continue
		}
		proved++
		t.Run(c.name, func(t *testing.T) {
			base, head := c.both(t)
			if c.lost != "" {
				head.Lost = []string{c.lost}
			}
			r, comment := compare(t, d, base, head)
			if titles := headings(comment); !slices.Equal(titles, sections) && !slices.Equal(titles, slices.DeleteFunc(slices.Clone(sections), func(s string) bool { return s == "Diff" && len(r.Changes) == 0 })) {
				t.Errorf("its sections are %q, want %q", titles, sections)
			}
			if len(comment) > 60_000 {
				t.Errorf("it has %d bytes", len(comment))
			}
			again, err := d.Compare(base, head)
			if err != nil {
				t.Fatal(err)
			}
			if first, second := content(t, r), content(t, again); first != second {
				t.Errorf("the same change is another report:\n%s\n%s", first, second)
			}
			if dir := os.Getenv("REVIEWS"); dir != "" { // to be looked at
				name := fmt.Sprintf("%03d", i+1)
				if err := os.WriteFile(filepath.Join(dir, name+".md"), []byte(comment), 0o644); err != nil {
					t.Fatal(err)
				}
				expected = append(expected, strings.Join([]string{name, c.name, c.want.String(), string(c.wantAnswer())}, "\t"))
			}
			if r.Verdict != c.want {
				t.Errorf("got %q, want %q:\n%s", r.Verdict, c.want, comment)
			}
			if r.Answer != c.wantAnswer() {
				t.Errorf("got the answer %q, want %q:\n%s", r.Answer, c.wantAnswer(), comment)
			}
			for _, words := range c.says {
				if !strings.Contains(strings.ToLower(comment), strings.ToLower(words)) {
					t.Errorf("the comment lacks %q:\n%s", words, comment)
				}
			}
			for _, words := range c.lacks {
				if strings.Contains(comment, words) {
					t.Errorf("the comment has %q:\n%s", words, comment)
				}
			}
		})
	}
	if dir := os.Getenv("REVIEWS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, "expected.tsv"), []byte(strings.Join(expected, "\n")+"\n"), 0o644); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d of %d changes", proved, len(corpus))
}
