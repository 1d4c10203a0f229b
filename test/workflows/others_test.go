package workflows

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/review"
	"go.yaml.in/yaml/v4"
)

// block is the one of the page that is written in a language and has some words.
func block(t *testing.T, language, words string) string {
	t.Helper()
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(read(t, "../../docs/review.md"), -1) {
		if strings.Contains(m[1], words) {
			return m[1]
		}
	}
	t.Fatalf("the page has no %s with %q", language, words)
	return ""
}

// steps runs scripts one after the other, as GitLab and Jenkins do, in a folder in which
// make writes a review. It returns what the last one printed, and what make was asked for.
func steps(t *testing.T, scripts []string, json string) (dir, out, asked string, err error) {
	t.Helper()
	dir, bin := t.TempDir(), t.TempDir()
	for name, content := range map[string]string{
		"make": "printf '%s\\n' \"$*\" >>\"$BIN/asked\"\n[ -n \"$JSON\" ] || exit 2\nmkdir -p .archipelago/review\nprintf %s \"$JSON\" >.archipelago/review/review.json\n",
		"git":  "echo \"of $*\"\n",
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/bash\n"+content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, script := range scripts {
		cmd := exec.Command("bash", "--noprofile", "--norc", "-euo", "pipefail", "-c", script)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "BIN=" + bin, "JSON=" + json, "CI_MERGE_REQUEST_DIFF_BASE_SHA=base", "CHANGE_TARGET=main"}
		b, failed := cmd.CombinedOutput()
		if out, err = string(b), failed; err != nil {
			break
		}
	}
	b, _ := os.ReadFile(filepath.Join(bin, "asked")) // it may ask nothing
	return dir, out, string(b), err
}

// TestGitLabWaitsOnDataAtRisk: the pipeline that the review writes waits for a person where
// data is at risk, and only there, and there is none where there is no review.
func TestGitLabWaitsOnDataAtRisk(t *testing.T) {
	var file struct {
		Review struct{ Script []string }
		Gate   struct {
			Needs   []string
			Trigger struct {
				Include  []struct{ Artifact, Job string }
				Strategy string
			}
		} `yaml:"data-loss"`
	}
	if err := yaml.Unmarshal([]byte(block(t, "yaml", "strategy: mirror")), &file); err != nil {
		t.Fatal(err)
	}
	include := file.Gate.Trigger.Include
	if len(include) != 1 || include[0].Artifact != "gate.yml" || include[0].Job != "review" || file.Gate.Trigger.Strategy != "mirror" || len(file.Gate.Needs) != 1 {
		t.Errorf("what is triggered is not what the review writes: %+v", file.Gate)
	}
	script := []string{strings.Join(file.Review.Script, "\n")} // GitLab runs them in one shell
	for v := review.NoEffect; v <= review.DataAtRisk; v++ {
		dir, out, asked, err := steps(t, script, `{"verdict": "`+v.String()+`"}`)
		if err != nil {
			t.Fatalf("%s: %v\n%s", v, err, out)
		}
		if want := "review BASE=of merge-base base HEAD\n"; asked != want {
			t.Errorf("make is asked for %q, want %q", asked, want)
		}
		var jobs map[string]struct {
			Script      []string
			Environment string
			Rules       []struct {
				When         string
				AllowFailure bool `yaml:"allow_failure"`
			}
		}
		if err := yaml.Unmarshal([]byte(read(t, filepath.Join(dir, "gate.yml"))), &jobs); err != nil {
			t.Fatal(err)
		}
		if len(jobs) != 1 {
			t.Fatalf("%s: want one job, got %+v", v, jobs)
		}
		for name, job := range jobs {
			waits := job.Environment == "allow-data-loss" && len(job.Rules) == 1 && job.Rules[0].When == "manual" && !job.Rules[0].AllowFailure
			if waits != (v == review.DataAtRisk) || !waits && (len(job.Rules) != 1 || job.Rules[0].When != "always") || len(job.Script) == 0 {
				t.Errorf("%s: %s is %+v", v, name, job)
			}
		}
	}
	for _, json := range []string{"", "{}", "{"} {
		dir, _, _, err := steps(t, script, json)
		if _, there := os.Stat(filepath.Join(dir, "gate.yml")); err == nil || there == nil {
			t.Errorf("a review of %q passes", json)
		}
	}
}

// TestJenkinsAsksOnDataAtRisk: the verdict that the stage after the review compares is the
// one that the review has, and the build fails where there is no review.
func TestJenkinsAsksOnDataAtRisk(t *testing.T) {
	file := block(t, "groovy", "pipeline {")
	var scripts []string
	for _, m := range regexp.MustCompile(`(?:sh|script:) '([^'\n]+)'`).FindAllStringSubmatch(file, -1) {
		scripts = append(scripts, m[1])
	}
	if len(scripts) != 2 {
		t.Fatalf("want two scripts, got %q", scripts)
	}
	compared := regexp.MustCompile(`env\.VERDICT == '([^']+)'`).FindStringSubmatch(file)
	if compared == nil || compared[1] != review.DataAtRisk.String() || !strings.Contains(file, "beforeInput true") || !strings.Contains(file, "submitter '") {
		t.Errorf("somebody is asked by %q, want it on %q", compared, review.DataAtRisk)
	}
	for v := review.NoEffect; v <= review.DataAtRisk; v++ {
		_, out, asked, err := steps(t, scripts, `{"verdict": "`+v.String()+`"}`)
		if err != nil || strings.TrimSpace(out) != v.String() || asked != "review BASE=of merge-base origin/main HEAD\n" {
			t.Errorf("%s: %v, VERDICT is %q, make is asked for %q", v, err, out, asked)
		}
	}
	for _, json := range []string{"", "{}", "{"} {
		if _, _, _, err := steps(t, scripts, json); err == nil {
			t.Errorf("a review of %q passes", json)
		}
	}
}
