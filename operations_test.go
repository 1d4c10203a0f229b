package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// procedure returns the commands of a section of docs/operations.md, one string
// for each of its blocks, for an operator's deployment.
func procedure(t *testing.T, section string, names *strings.Replacer) []string {
	t.Helper()
	page, err := os.ReadFile("docs/operations.md")
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
