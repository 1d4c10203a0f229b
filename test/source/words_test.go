package source_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// phrases are what no file of this repository says, since a reader has to read
// it twice: archaisms, and word-for-word translations.
var phrases = []struct {
	// pattern is a regular expression of whole words. A space in it stands for
	// any space, also for that between two lines of a comment.
	pattern string
	// except are matches of pattern that are good English.
	except string
	// instead is what to write.
	instead string
	// example is a sentence that pattern finds.
	example string
}{
	{`tell(s|ing)? whether`, ``, `"reports whether"`, "Empty tells whether there are none."},
	{`tells (that|what|of|from|it from)`, ``, `"reports that", "means that", "says"`, "Drained tells that no users come."},
	{`anew`, ``, `"again"`, "It is started anew."},
	{`(is|are|was|were|be|been|being) had`, ``, `"is fetched", "is read", "is available"`, "The photo is had from the other region."},
	{`to and fro`, ``, `"back and forth", "oscillate"`, "The fleet steps to and fro."},
	{`none's|(no one|noone)'s`, ``, `name who has it: "belongs to no …"`, "The time is none's."},
	{`(is|are|was|were|be) (nobody|anybody|somebody)'s`, ``, `"belongs to nobody", "is unknown"`, "The token is nobody's."},
	{`(that|which|who) (is|are|was|were) none`, ``, `"invalid"`, "It refuses an image that is none."},
	{`(is|are) none (of no|that)`, ``, `"is not"`, "The cursor is none that a page returned."},
	{`(that|which|who|version|item|table|type) (is|are|was|were) no [a-z]+`, `no (longer|more|bigger|older|earlier|later|larger|smaller)$`, `"is not a"`, "The version is no number."},
	{`(who|whoever|one who|anybody who) (goes|go|went) away`, ``, `"cancels", "disconnects"`, "One who goes away takes no answer along."},
	{`whoever|whomever|whosoever`, ``, `name the actor, or use the passive`, "It counts, whoever asks."},
	{`(of|for|to|from|by) whom`, ``, `"whose", or name them`, "It is of whom an account is made."},
	{`(any|every|some|no)(one|body) on the way`, ``, `"on the network path"`, "It lets anyone on the way read it."},
	{`look(s|ed|ing)? on`, ``, `"watch", "investigate"`, "Look on in peace."},
	{`in peace`, ``, `"without load", "undisturbed"`, "Look for the cause in peace."},
	{`once more`, ``, `"again"`, "It is sent once more."},
	{`mend(s|ed|ing)?`, ``, `"fix", "repair"`, "Mend the cause."},
	{`mak(e|es|ing) good|made good`, ``, `"repair"`, "It makes good what was lost."},
	{`(bring|brings|bringing|brought) over`, ``, `"import", "copy"`, "It brings over the data."},
	{`ring(s|ing)?|rang`, ``, `"is in ALARM", "goes to ALARM", "sends a message"`, "The alarm rings until it passes."},
	{`(that|which) (is|are|was|were) there`, ``, `"exists"`, "It wants a directory that is there."},
	{`(has|have|had) no more`, `no more [a-z]+`, `"no longer has"`, "It removes what the template has no more."},
	{`thrice`, ``, `"three times"`, "It is tried thrice."},
	{`lest|whence|whither|thither|hither|therein|wherein|thereof|whereof|thereby|whereby|thereupon`, ``, `plain words`, "It is the account whence the calls come."},
	{`ought to|needs must|must needs`, ``, `"must", "should"`, "It ought to be refused."},
	{`in vain`, ``, `"without success"`, "It was tried in vain."},
}

// TestPhrases reads all that people read: code with its comments and errors,
// scripts, pages and documents.
func TestPhrases(t *testing.T) {
	compiled := make([]*regexp.Regexp, len(phrases))
	except := make([]*regexp.Regexp, len(phrases))
	for i, p := range phrases {
		compiled[i] = regexp.MustCompile(`\b(?:` + strings.ReplaceAll(p.pattern, " ", `[\s/#*]+`) + `)\b`)
		if p.except != "" {
			except[i] = regexp.MustCompile(p.except)
		}
		if !compiled[i].MatchString(strings.ToLower(p.example)) {
			t.Errorf("%s does not find its example %q", p.pattern, p.example)
		}
	}
	read := 0
	for _, path := range texts(t) {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		read++
		content = bytes.ToLower(content)
		for i, p := range phrases {
			for _, at := range compiled[i].FindAllIndex(content, -1) {
				found := content[at[0]:at[1]]
				if except[i] != nil && except[i].Match(found) {
					continue
				}
				t.Errorf("%s:%d: %q: write %s", strings.TrimPrefix(path, "../../"),
					bytes.Count(content[:at[0]], []byte("\n"))+1, strings.Join(strings.Fields(string(found)), " "), p.instead)
			}
		}
	}
	if read < 300 {
		t.Errorf("read %d files: where are the others?", read)
	}
}

// texts returns the files that people read, but for this one, what is generated
// and what others wrote. It walks rather than asking git, so that go test knows
// which files its cached result depends on.
func texts(t *testing.T) []string {
	t.Helper()
	skipped := []string{".archipelago", ".git", ".venv", "node_modules", "dist", "cdk.out", "data", "testdata", "__pycache__"}
	kinds := []string{".go", ".py", ".sh", ".js", ".html", ".css", ".md", ".svg", ".templ", ".json", ".txt", ".ts", ".mjs"}
	names := []string{"Makefile", "run", "bootstrap"}
	others := []string{"package-lock.json", "words_test.go"}
	var paths []string
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains(skipped, entry.Name()):
			return fs.SkipDir
		case entry.Type().IsRegular() && !slices.Contains(others, entry.Name()) &&
			!strings.HasSuffix(path, "_templ.go") &&
			(slices.Contains(kinds, filepath.Ext(path)) || slices.Contains(names, entry.Name())):
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}
