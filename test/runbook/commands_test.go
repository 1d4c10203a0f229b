package runbook_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/config"
	"mvdan.cc/sh/v3/syntax"
)

const root = "../.."

// programs are those that the pages name.
var programs = map[string]program{
	"archipelago": {help: "archipelago SUB -h", sub: true, ours: true},
	"calibrate":   {help: "calibrate -h", ours: true},
	"directory":   {help: "directory SUB -h", sub: true, ours: true},
	"cdk":         {help: "cdk SUB --help", sub: true},
	"git":         {help: "git SUB -h", sub: true},
	"go":          {help: "go help SUB && go help build && go help testflag", sub: true},
	"curl":        {help: "curl --help all"},
	"make":        {}, // asked itself
	"aws":         {}, // by TestAWSCLITakesTheCommands

	"cat": {help: "cat --help"}, "date": {help: "date --help"}, "grep": {help: "grep --help"}, "head": {help: "head --help"},
	"mv": {help: "mv --help"}, "sed": {help: "sed --help"}, "sleep": {help: "sleep --help"}, "sort": {help: "sort --help"}, "tail": {help: "tail --help"},
	"tee": {help: "tee --help"}, "tr": {help: "tr --help"},
	"[": {help: "help ["}, "cd": {help: "help cd"}, "echo": {help: "help echo"}, "export": {help: "help export"},
	"printf": {help: "help printf"}, "read": {help: "help read"},

	// Those that the tests' machines need not have, with their options. Sources:
	// nc(1) of OpenBSD; GitHub CLI manual, "gh api"; journalctl(1).
	"nc": {help: "echo -w"}, "gh": {help: "echo --jq"}, "journalctl": {help: "echo --cursor-file --unit"}, "watch": {help: "echo"},
}

type program struct {
	// help is the script that prints its options.
	help string
	// sub says that its first word is a command, for which SUB stands in help.
	sub bool
	// ours says that this repository has it.
	ours bool
}

// command is one that a page has.
type command struct {
	page string
	// inline says that it is in a sentence, which may name it without all that it needs.
	inline bool
	words  []*syntax.Word
}

func (c command) String() string {
	var b strings.Builder
	_ = syntax.NewPrinter(syntax.SingleLine(true)).Print(&b, &syntax.CallExpr{Args: c.words}) // to memory
	return strings.TrimPrefix(c.page, root+"/") + ": " + b.String()
}

// program is what its first word names: dist/archipelago is archipelago.
func (c command) program() string { return filepath.Base(value(c.words[0].Parts)) }

// values are its words.
func (c command) values() []string {
	var all []string
	for _, word := range c.words {
		if text := value(word.Parts); text != "" {
			all = append(all, text)
		}
	}
	return all
}

// options are those of its words that are options: what is quoted is a value.
func (c command) options() []string {
	var all []string
	for _, word := range c.words[1:] {
		if lit, ok := word.Parts[0].(*syntax.Lit); ok && option.MatchString(lit.Value) {
			name, _, _ := strings.Cut(lit.Value, "=")
			all = append(all, name)
		}
	}
	return all
}

var (
	option = regexp.MustCompile(`^--?[A-Za-z]`)
	short  = regexp.MustCompile(`^-[A-Za-z]+$`)
	// fence begins a block, or ends it where it is as long and says no language.
	fence = regexp.MustCompile("^ *(````*)([a-z]*)\n?$")
	// span is code in a sentence, and ofCI a command in the file of another CI.
	span = regexp.MustCompile("`([^`\n]+)`")
	ofCI = regexp.MustCompile(`(?:- |sh ')(make [^'\n]+)`)
	// ofWorkflow is a line of a step of one of ours.
	ofWorkflow = regexp.MustCompile(`(?m)^ +(?:- )?(?:run: )?((?:PATH=\S+ )?(?:cdk|go|make) .+)$`)
	// outside are programs that a sentence may name: other words are code too.
	outside = regexp.MustCompile(`^(?:[A-Z_]+=\S+ )*(?:(?:dist|\.)/)?(?:archipelago|aws|cdk|curl|directory|gh|git|go|journalctl|make) [^=]`)
)

// commandsOfPages are all of the pages, in blocks of sh, in sentences, and in the files of
// other CIs, and those of the workflows.
func commandsOfPages(t *testing.T) []command {
	t.Helper()
	var all []command
	pages := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{".archipelago", ".git", ".venv", "node_modules", "dist", "cdk.out", "data", "testdata"}, entry.Name()):
			return fs.SkipDir
		case filepath.Ext(path) != ".md":
			return nil
		}
		pages++
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		all = append(all, commandsOf(t, path, string(content))...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	workflows, err := filepath.Glob(root + "/.github/workflows/*.yml")
	if err != nil || len(workflows) == 0 {
		t.Fatalf("there are no workflows (%v)", err)
	}
	for _, path := range workflows {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range ofWorkflow.FindAllStringSubmatch(string(content), -1) {
			all = append(all, parse(t, path, m[1], false)...)
		}
	}
	if pages < 20 {
		t.Fatalf("read %d pages: where are the others?", pages)
	}
	return all
}

// commandsOf are those of one page.
func commandsOf(t *testing.T, page, content string) []command {
	t.Helper()
	var all []command
	blocks, prose := split(content)
	for _, b := range blocks {
		switch b.language {
		case "sh":
			all = append(all, parse(t, page, b.text, false)...)
		case "":
			for line := range strings.Lines(b.text) {
				if outside.MatchString(line) {
					t.Errorf("%s: a block without a language has the command %s", page, line)
				}
			}
		case "groovy", "yaml":
			for _, m := range ofCI.FindAllStringSubmatch(b.text, -1) {
				all = append(all, parse(t, page, m[1], false)...)
			}
		}
	}
	for _, m := range span.FindAllStringSubmatch(prose, -1) {
		script := m[1]
		if pipe := strings.LastIndex(script, "| "); pipe >= 0 && !outside.MatchString(script) && outside.MatchString(script[pipe+2:]) {
			script = script[pipe+2:]
		}
		if outside.MatchString(script) {
			all = append(all, parse(t, page, script, true)...)
		}
	}
	return all
}

type block struct{ language, text string }

// split are the blocks of a page, indented where they are part of a list, and the rest.
func split(content string) (blocks []block, prose string) {
	var b block
	open := ""
	for line := range strings.Lines(content) {
		m := fence.FindStringSubmatch(line)
		switch {
		case open == "" && m != nil:
			open, b = m[1], block{language: m[2]}
		case open != "" && m != nil && m[2] == "" && len(m[1]) >= len(open):
			open, blocks = "", append(blocks, b)
		case open != "":
			b.text += line
		default:
			prose += line
		}
	}
	return blocks, prose
}

// parse is what a script calls, but for the functions that it has itself.
func parse(t *testing.T, page, script string, inline bool) []command {
	t.Helper()
	// "…" stands for what is left out.
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(strings.ReplaceAll(script, "…", "x")), page)
	if err != nil {
		t.Errorf("%v in\n%s", err, script)
		return nil
	}
	own := map[string]bool{}
	syntax.Walk(file, func(node syntax.Node) bool {
		if f, ok := node.(*syntax.FuncDecl); ok {
			own[f.Name.Value] = true
		}
		return true
	})
	var all []command
	syntax.Walk(file, func(node syntax.Node) bool {
		if call, ok := node.(*syntax.CallExpr); ok && len(call.Args) > 0 && !own[call.Args[0].Lit()] {
			c := command{page, inline, call.Args}
			if all = append(all, c); c.program() == "watch" {
				all = append(all, parse(t, page, value(call.Args[len(call.Args)-1].Parts), inline)...)
			}
		}
		return true
	})
	return all
}

// TestCommandsOfPagesAreTaken: each is of a program that is known here, and has the
// program's own commands and options, targets and variables, packages, tests and keys.
func TestCommandsOfPagesAreTaken(t *testing.T) {
	c := newChecker(t)
	t.Run("wrong ones are not", func(t *testing.T) { seesWrongCommands(t, c) })
	found := map[string]int{}
	for _, cmd := range commandsOfPages(t) {
		found[cmd.program()]++
		if err := c.check(cmd); err != nil {
			t.Errorf("%s: %v", cmd, err)
		}
	}
	for name, want := range map[string]int{"make": 150, "go": 60, "cdk": 40, "aws": 60, "archipelago": 10, "directory": 10, "curl": 10, "git": 8} {
		if found[name] < want {
			t.Errorf("found %d commands of %s: where are the others?", found[name], name)
		}
	}
}

// seesWrongCommands guards the test above.
func seesWrongCommands(t *testing.T, c *checker) {
	for script, want := range map[string]string{
		"make upp":        "No rule to make target",
		"make up RGION=x": "no target reads RGION",
		"make simulate TRACE=x ARGS='-polcy horizontal'": "has no option -polcy",
		"make up ARGS='-c archipelago.fleet.mx=3'":       "mx",
		"archipelago upp":                               `no command "upp"`,
		"archipelago logs -regoin x":                    "has no option -regoin",
		"go tool archipelago drain -regoin x":           "has no option -regoin",
		"./directory user add -employee-table x NAME":   "has no option -employee-table",
		"directory backupp x":                           "backupp",
		"cdk deploi --all":                              "has no command deploi",
		"cdk deploy --exclusivly x":                     "has no option --exclusivly",
		"cdk deploy -c archipelago.fleet.max=x":         "fleet.max",
		"git swich -":                                   "swich",
		"git switch --detatch x":                        "has no option --detatch",
		"curl --max-tme 5 x":                            "has no option --max-tme",
		"curl -bX PUT x":                                "",
		"go tst ./config":                               "tst",
		"go test ./confg":                               "no package ./confg",
		"go test ./config -run TestNoneIsCalledThis":    "no test is named",
		"go test ./config -run none -bench NoneOfThese": "no test is named",
		"go test ./config -updat":                       "has no option -updat",
		"go test ./config -all":                         "has no option -all",
		"read -r -w x":                                  "has no option -w",
		"npm ci":                                        "npm is not known",
		`watch "make upp"`:                              "No rule to make target",
		"f() { make upp; }; f":                          "No rule to make target",
		`x=$(make upp)`:                                 "No rule to make target",
		"date -d '-10 minutes' +%F":                     "",
		"directory restore --replace x.tar":             "",
	} {
		var got error
		for _, cmd := range parse(t, "page", script, false) {
			got = errors.Join(got, c.check(cmd))
		}
		if want == "" && got != nil || want != "" && (got == nil || !strings.Contains(got.Error(), want)) {
			t.Errorf("%s: got %v, want %q", script, got, want)
		}
	}
	const page = "```sh\nmake a\n```\nSay `make b`, or `echo x | aws c d`, in `fleet.max` of `go.mod`:\n\n1. A\n   ```sh\n   make e\n   ```\n\n" +
		"````markdown\n```diff\n- make x\n```\n`make y`\n````\n\n`make g`\n\n```yaml\n  - make f\n```\n"
	var names []string
	for _, cmd := range commandsOf(t, "page", page) {
		names = append(names, strings.Join(cmd.values(), " "))
	}
	if want := []string{"make a", "make e", "make f", "make b", "aws c d", "make g"}; !slices.Equal(names, want) {
		t.Errorf("of a page are read %q, want %q", names, want)
	}
}

// checker asks programs what they take.
type checker struct {
	t   *testing.T
	env []string
	// helps are what programs printed, and mades what `make -n` did, by what was asked.
	helps, mades map[string]string
	tests        func() map[string]bool
}

func newChecker(t *testing.T) *checker {
	t.Helper()
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin, "./cmd/archipelago", "./cmd/calibrate", "./cmd/directory")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	tools, err := filepath.Abs(filepath.Join(root, "node_modules", ".bin"))
	if err != nil {
		t.Fatal(err)
	}
	// Without make's own variables, where make runs this test, and without anybody's
	// credentials.
	env := []string{"PATH=" + strings.Join([]string{bin, tools, os.Getenv("PATH")}, ":"), "HOME=" + os.Getenv("HOME"), "CDK_DISABLE_CLI_TELEMETRY=true", "LC_ALL=C", "COLUMNS=200"}
	return &checker{t, env, map[string]string{}, map[string]string{}, sync.OnceValue(func() map[string]bool { return testNames(t) })}
}

// run runs a script where no harm is done.
func (c *checker) run(dir, script string, arguments ...string) (string, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", append([]string{"--noprofile", "--norc", "-c", script, "bash"}, arguments...)...)
	cmd.Dir, cmd.Env = dir, c.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (c *checker) check(cmd command) error {
	name, values := cmd.program(), cmd.values()
	p, ok := programs[name]
	switch {
	case !ok:
		return fmt.Errorf("%s is not known: is it a program?", name)
	case name == "aws":
		return nil
	case name == "make":
		return c.make(values[1:])
	case name == "go" && len(values) > 2 && (values[1] == "tool" || values[1] == "run"):
		if programs[filepath.Base(values[2])].ours {
			return c.check(command{cmd.page, cmd.inline, cmd.words[2:]})
		}
	}
	sub := ""
	if p.sub && len(values) > 1 && !strings.HasPrefix(values[1], "-") {
		if sub = values[1]; sub == "scaler" {
			sub = strings.Join(values[1:min(3, len(values))], " ") // scaler plan
		}
	}
	help, err := c.help(name, sub)
	if err != nil {
		return err
	}
	takes := func(option string) bool {
		return regexp.MustCompile(`(?:^|[\s,\[(|])` + regexp.QuoteMeta(option) + `(?:$|[\s,=\])|])`).MatchString(help)
	}
	for _, option := range cmd.options() {
		if p.ours {
			option = "-" + strings.TrimLeft(option, "-") // for Go's flags that is the same
		}
		letters := strings.TrimPrefix(option, "-")
		if takes(option) || p.ours && letters == "help" || sub == "test" && c.declares(values, letters) {
			continue
		}
		// Several of one letter, as in -sS, which Go's programs do not take.
		several := short.MatchString(option) && !slices.ContainsFunc(strings.Split(letters, ""), func(letter string) bool { return !takes("-" + letter) })
		if several {
			continue
		}
		return fmt.Errorf("%s has no option %s", strings.TrimSpace(name+" "+sub), option)
	}
	if sub == "user" && len(values) > 2 && !strings.HasPrefix(values[2], "-") && !strings.Contains(help, "directory user "+values[2]+" ") {
		return fmt.Errorf("directory user has no command %s", values[2])
	}
	if name == "go" {
		return c.packages(values)
	}
	if name == "cdk" || name == "archipelago" {
		return configuration(values)
	}
	return nil
}

// help is what a program prints of a command of its own.
func (c *checker) help(name, sub string) (string, error) {
	asked := strings.ReplaceAll(programs[name].help, "SUB", sub)
	if _, known := c.helps[asked]; !known {
		out, err := c.run(c.t.TempDir(), asked)
		var exit *exec.ExitError
		// git ends so, having printed its help.
		if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 129) {
			return "", fmt.Errorf("%s: %w\n%s", asked, err, out)
		}
		c.helps[asked] = strings.ReplaceAll(out, "[no-]", "")
	}
	if name == "cdk" && !strings.HasPrefix(strings.TrimSpace(c.helps[asked]), "cdk "+sub+" ") {
		return "", fmt.Errorf("cdk has no command %s", sub)
	}
	return c.helps[asked], nil
}

// make has make say what it would run: it takes the target, each variable changes
// something, and what is run of this repository takes its options.
func (c *checker) make(arguments []string) error {
	made, err := c.makes(arguments)
	if err != nil {
		return err
	}
	for i, argument := range arguments {
		name, _, set := strings.Cut(argument, "=")
		if !set {
			continue
		}
		if without, err := c.makes(slices.Delete(slices.Clone(arguments), i, i+1)); err == nil && without == made && argument != "BASE=main" {
			return fmt.Errorf("no target reads %s", name)
		}
	}
	for _, cmd := range parse(c.t, "make "+strings.Join(arguments, " "), made, false) {
		// dist/setup fetches things, and runs what is behind --.
		if i := slices.IndexFunc(cmd.words, func(w *syntax.Word) bool { return w.Lit() == "--" }); i >= 0 && i+1 < len(cmd.words) {
			cmd.words = cmd.words[i+1:]
		}
		values := cmd.values()
		if programs[cmd.program()].ours || len(values) > 2 && values[1] == "run" && programs[filepath.Base(values[2])].ours {
			if err := c.check(cmd); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *checker) makes(arguments []string) (string, error) {
	asked := strings.Join(arguments, "\x00")
	if _, known := c.mades[asked]; !known {
		out, err := c.run(root, `exec make --no-print-directory -n "$@"`, arguments...)
		if err != nil {
			return "", fmt.Errorf("make says: %s", out)
		}
		c.mades[asked] = out
	}
	return c.mades[asked], nil
}

// configuration says what is wrong with the settings of a command of the shipped app.
func configuration(values []string) error {
	var settings []string
	for i, v := range values {
		if v == "-c" && i+1 < len(values) && strings.HasPrefix(values[i+1], "archipelago.") {
			settings = append(settings, values[i+1])
		}
	}
	if settings == nil {
		return nil
	}
	_, err := config.Read(root, settings, "123456789012")
	return err
}

// packages says what is wrong with the packages of a command of go, and with its
// patterns for tests.
func (c *checker) packages(values []string) error {
	for i, v := range values {
		if dir, ok := strings.CutPrefix(v, "./"); ok && dir != "that/package" {
			if _, err := os.Stat(filepath.Join(root, strings.TrimSuffix(dir, "..."))); err != nil {
				return fmt.Errorf("there is no package %s", v)
			}
		}
		if v != "-run" && v != "-bench" || i+1 == len(values) {
			continue
		}
		pattern, _, _ := strings.Cut(values[i+1], "/")
		matches := regexp.MustCompile(pattern).MatchString
		exists := pattern == "none"
		for name := range c.tests() {
			exists = exists || matches(name) && strings.HasPrefix(name, "Benchmark") == (v == "-bench")
		}
		if !exists {
			return fmt.Errorf("no test is named as %s %s", v, values[i+1])
		}
	}
	return nil
}

// declares reports whether the tests of a package that a command names have a flag of
// their own of this name, or the shared ones of internal/matrix.
func (c *checker) declares(values []string, name string) bool {
	declared := regexp.MustCompile(`flag\.\w+\("` + name + `"`)
	for _, v := range values {
		if v != "." && !strings.HasPrefix(v, "./") {
			continue
		}
		files, _ := filepath.Glob(filepath.Join(root, v, "*_test.go")) // the pattern is valid
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				c.t.Fatal(err)
			}
			if declared.Match(content) {
				return true
			}
			if shared, err := os.ReadFile(filepath.Join(root, "internal/matrix/shard.go")); err == nil && strings.Contains(string(content), `/internal/matrix"`) && declared.Match(shared) {
				return true
			}
		}
	}
	return false
}

// testNames are those of the tests and benchmarks of all packages.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)[A-Za-z0-9]+)\(`)
	names := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains([]string{".git", ".venv", "node_modules", "testdata"}, entry.Name()):
			return fs.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		content, err := os.ReadFile(path)
		for _, m := range declared.FindAllStringSubmatch(string(content), -1) {
			names[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
