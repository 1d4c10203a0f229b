package source_test

import (
	"fmt"
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
	// except are matches of pattern, with a few words before them, that are good English.
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
	{`(is|are|was|were|be) none`, `\bthere( [a-z]+){1,2} none$`, `"is not one", "is refused", "does not count"`, "An alias is none, since IAM does not know it."},
	{`(is|are) none of no`, ``, `"is empty"`, "There are none of no employee."},
	{`(is|are|was|were) no [a-z]+`, `\bthere [a-z]+ no [a-z]+$|no (longer|more|bigger|older|earlier|later|larger|smaller|news|part|reason|help|way)$`, `"is not a"`, "The version is no number."},
	{`what( [a-z]+){1,4} (is|are|was|were) at`, ``, `name what it does`, "It remembers what the environment is at."},
	{`for how long (it|he|she|they|we|you) may`, ``, `"how long it may take", "its timeout"`, "It remembers for how long it may."},
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
	{`afresh`, ``, `"again"`, "Pages are made afresh."},
	{`shall`, ``, `"must", "does"`, "A deployment shall not be rolled back for it."},
}

// sentences were the hardest to read in this repository, as a reader of all of it found.
var sentences = []string{
	"ask asks for whoever waits: one who goes away takes nobody's answer along.",
	"none of them ends it, and none's time counts.",
	"nobody's password is none.",
	"There are none of no employee.",
	"a cursor is none that a Page returned",
	"token is none's, or what is stored is not a session that this version wrote",
	"begin remembers what the environment is at, and for how long it may.",
	"accountName is of whom the local cloud makes an account for.",
	"Vertical tells that a scaler changes the fleet's instance type, or says that it would.",
	"or let it change to and fro",
	"a photo that has not been replicated yet is had from the region of its upload",
	"lets anyone on the way read passwords",
	"an item of the table is no account: %w",
	"want a directory that is there, got %q",
	"drain this one and look on in peace",
	"func TestOneWhoGoesAwayTakesNobodysAnswerAlong(t *testing.T) {",
	"// TestFewerInstancesAreLookedAtAnew: what they leave is judged by its own CPU.",
}

// TestPhrases reads all that people read: code with its names, comments and errors,
// scripts, pages, documents, and what the patches of usual changes add.
func TestPhrases(t *testing.T) {
	find := finder()
	for _, p := range phrases {
		if !slices.ContainsFunc(find(p.example), func(f finding) bool { return f.pattern == p.pattern }) {
			t.Errorf("%s does not find its example %q", p.pattern, p.example)
		}
	}
	for _, sentence := range sentences {
		if len(find(words("", sentence))) == 0 {
			t.Errorf("no pattern finds %q", sentence)
		}
	}
	if found := find(words("a.patch", "-It starts anew.\n+It starts anew.\n It starts anew.\n")); len(found) != 1 {
		t.Errorf("of a patch that adds a phrase, removes it and leaves it, want what it adds, got %v", found)
	}
	read := 0
	for _, path := range texts(t) {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		read++
		text := words(path, string(content))
		for _, f := range find(text) {
			t.Errorf("%s:%d: %q: write %s", strings.TrimPrefix(path, "../../"),
				strings.Count(text[:f.at], "\n")+1, strings.Join(strings.Fields(f.text), " "), f.instead)
		}
	}
	if read < 300 {
		t.Errorf("read %d files: where are the others?", read)
	}
}

var (
	camel    = regexp.MustCompile(`([a-z0-9])([A-Z])|([A-Z])([A-Z][a-z])`)
	notAdded = regexp.MustCompile(`(?m)^[^+\n].*$`)
)

// words is what a file says, in its lines: names have spaces between their words, and a
// patch has only what it adds.
func words(path, text string) string {
	switch filepath.Ext(path) {
	case ".py":
		text = strings.ReplaceAll(text, " is None", " is null") // its operator is not a sentence
	case ".patch":
		text = notAdded.ReplaceAllString(text, "")
	}
	return camel.ReplaceAllString(text, "$1$3 $2$4")
}

type finding struct {
	pattern, text, instead string
	at                     int
}

// finder returns a function that finds the phrases of a text.
func finder() func(text string) []finding {
	compile := func(format, pattern string) *regexp.Regexp {
		return regexp.MustCompile(fmt.Sprintf(format, strings.ReplaceAll(pattern, " ", `[\s/#*]+`)))
	}
	compiled, except := make([]*regexp.Regexp, len(phrases)), make([]*regexp.Regexp, len(phrases))
	for i, p := range phrases {
		compiled[i] = compile(`\b(?:%s)\b`, p.pattern)
		if p.except != "" {
			except[i] = compile(`%s`, p.except)
		}
	}
	return func(text string) []finding {
		const before = 24 // bytes, of the few words before
		text = strings.ToLower(text)
		var all []finding
		for i, p := range phrases {
			for _, at := range compiled[i].FindAllStringIndex(text, -1) {
				if except[i] == nil || !except[i].MatchString(text[max(0, at[0]-before):at[1]]) {
					all = append(all, finding{p.pattern, text[at[0]:at[1]], p.instead, at[0]})
				}
			}
		}
		return all
	}
}

// texts returns the files that people read, but for this one, what is generated
// and what others wrote. It walks rather than asking git, so that go test knows
// which files its cached result depends on.
func texts(t *testing.T) []string {
	t.Helper()
	skipped := []string{".archipelago", ".git", ".venv", "node_modules", "dist", "cdk.out", "data", "testdata", "__pycache__"}
	kinds := []string{".go", ".py", ".sh", ".js", ".html", ".css", ".md", ".svg", ".templ", ".json", ".yml", ".txt", ".ts", ".mjs", ".patch"}
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
