package lives_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// procedure returns the commands of a section of docs/operations.md, one string
// for each of its blocks, for an operator's deployment.
func procedure(t *testing.T, section string, names *strings.Replacer) []string {
	t.Helper()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "\n## "+section+"\n")
	if !found {
		t.Fatalf("docs/operations.md has no section %q", section)
	}
	text, _, _ := strings.Cut(rest, "\n## ")
	var blocks []string
	for _, block := range commandBlock.FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, names.Replace(block[1]))
	}
	return blocks
}

var commandBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// TestRestoreWritesWhatDynamoDBPutsOff: a write of many items may leave some to be
// written again, and says so in an answer of status 200.
func TestRestoreWritesWhatDynamoDBPutsOff(t *testing.T) {
	const copyBack = 1
	dir := t.TempDir()
	// Two pages, the second empty. The first write fails, and of the second one item
	// is put off.
	const awsCLI = `#!/bin/sh
case "$*" in
*starting-token*NextToken*) echo null ;;
*NextToken*) echo '"page2"' ;;
*starting-token*) echo '{"shop-employees": []}' ;;
*scan*) echo '{"shop-employees": [{"PutRequest": {"Item": "one"}}, {"PutRequest": {"Item": "two"}}]}' ;;
*batch-write-item*)
	if [ ! -e tried ]; then touch tried; echo "no answer" >&2; exit 255; fi
	cat items.json >> written
	if [ -e again ]; then echo '{}'; else echo '{"shop-employees": [{"PutRequest": {"Item": "two"}}]}'; fi
	touch again ;;
*) echo "what is $*?" >&2; exit 1 ;;
esac
`
	if err := os.WriteFile(filepath.Join(dir, "aws"), []byte(awsCLI), 0o755); err != nil {
		t.Fatal(err)
	}
	commands := procedure(t, "Restore data", strings.NewReplacer("NAME", "shop", "PRIMARY", "eu-west-1"))[copyBack]
	cmd := exec.CommandContext(t.Context(), "timeout", "20", "bash", "-euc", commands)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	written, err := os.ReadFile(filepath.Join(dir, "written"))
	if err != nil {
		t.Fatal(err)
	}
	if one, two := strings.Count(string(written), `"one"`), strings.Count(string(written), `"two"`); one != 1 || two != 2 {
		t.Errorf("one was written %d times and two %d times, want once and again:\n%s", one, two, written)
	}
}
