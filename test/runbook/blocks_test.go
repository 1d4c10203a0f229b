package runbook_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/syntax"
)

// shell are the commands of blocks that every machine has.
var shell = []string{"[", "cat", "date", "echo", "git", "grep", "mv", "read", "sed", "sleep", "tr"}

// TestEveryBlockOfOperationsIsKnown: what docs/operations.md and docs/rollout.md have an
// operator type is a command of the AWS CLI, which TestAWSCLITakesTheCommands asks; one of
// the CDK CLI, with options that it has; a target of the Makefile, with its variables; a
// command of the service; a function of the block, or the shell's own.
func TestEveryBlockOfOperationsIsKnown(t *testing.T) {
	makefile := read(t, "../../Makefile")
	usage := read(t, "../../cmd/directory/main.go")
	options := map[string]string{} // of the CDK CLI's commands, as it prints them
	blocks := 0
	for _, page := range []string{"operations.md", "rollout.md"} {
		for _, match := range code.FindAllStringSubmatch(read(t, filepath.Join("../../docs", page)), -1) {
			if match[1] == "" {
				continue
			}
			blocks++
			file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(strings.ReplaceAll(match[1], "…", "x")), page)
			if err != nil {
				t.Errorf("%s: %v in\n%s", page, err, match[1])
				continue
			}
			var functions []string
			syntax.Walk(file, func(node syntax.Node) bool {
				if f, ok := node.(*syntax.FuncDecl); ok {
					functions = append(functions, f.Name.Value)
				}
				return true
			})
			syntax.Walk(file, func(node syntax.Node) bool {
				call, ok := node.(*syntax.CallExpr)
				if !ok || len(call.Args) == 0 {
					return true
				}
				var words []string
				for _, word := range call.Args {
					var b strings.Builder
					if err := syntax.NewPrinter().Print(&b, word); err != nil {
						t.Fatal(err)
					}
					words = append(words, b.String())
				}
				switch name := words[0]; {
				case name == "aws", slices.Contains(shell, name), slices.Contains(functions, name):
				case name == "make" && len(words) > 1:
					checkMake(t, makefile, words[1:])
				case name == "cdk" && len(words) > 1:
					checkCDK(t, options, words[1:])
				case name == "directory" && len(words) > 1 && strings.Contains(usage, `"`+words[1]+`"`):
				default:
					t.Errorf("%s: nobody knows %q", page, strings.Join(words, " "))
				}
				return true
			})
		}
	}
	if blocks < 40 {
		t.Errorf("found %d blocks: the pages are not read", blocks)
	}
}

func checkMake(t *testing.T, makefile string, words []string) {
	t.Helper()
	if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(words[0]) + `:`).MatchString(makefile) {
		t.Errorf("the Makefile has no target %q", words[0])
	}
	for _, word := range words[1:] {
		name, _, assigned := strings.Cut(word, "=")
		if !assigned || !regexp.MustCompile(`\$\((if )?`+name+`[),]`).MatchString(makefile) {
			t.Errorf("make %s: the Makefile has no variable of %q", words[0], word)
		}
	}
}

func checkCDK(t *testing.T, options map[string]string, words []string) {
	t.Helper()
	command := words[0]
	if options[command] == "" {
		help := exec.Command("../../node_modules/.bin/cdk", command, "--help")
		help.Env = append(os.Environ(), "CDK_DISABLE_CLI_TELEMETRY=true", "COLUMNS=200")
		out, err := help.Output()
		if err != nil || !strings.HasPrefix(string(out), "cdk "+command) {
			t.Errorf("cdk %s: %v, and it prints %.80q", command, err, out)
			return
		}
		options[command] = string(out)
	}
	for _, word := range words[1:] {
		option, _, _ := strings.Cut(word, "=")
		if strings.HasPrefix(option, "-") && !regexp.MustCompile(regexp.QuoteMeta(option)+`[\s,]`).MatchString(options[command]) {
			t.Errorf("cdk %s has no option %s", command, option)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
