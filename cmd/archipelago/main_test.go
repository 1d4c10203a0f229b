package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/command/doctor"
	"github.com/archipelago-cdk/archipelago/internal/command/review"
	"github.com/archipelago-cdk/archipelago/internal/local/cloud"
)

// TestCommandsAreAboutTheDeploymentOfTheFolder, unless another one is named.
func TestCommandsAreAboutTheDeploymentOfTheFolder(t *testing.T) {
	for name, test := range map[string]struct {
		root      string
		arguments []string
		want      string
	}{
		"hello":             {"../../examples/hello", nil, "hello"},
		"the shipped one":   {"../..", nil, "archipelago"},
		"another one":       {"../../examples/hello", []string{"-name", "shop"}, "shop"},
		"one from anywhere": {".", []string{"-name", "shop"}, "shop"},
	} {
		t.Run(name, func(t *testing.T) {
			flags := flag.NewFlagSet("drain", flag.ContinueOnError)
			named := nameFlag(flags)
			if err := flags.Parse(test.arguments); err != nil {
				t.Fatal(err)
			}
			if got, err := named(cloud.Options{Root: test.root}); got != test.want || err != nil {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
		})
	}
	t.Setenv("AWS_PROFILE", "nobody")
	for _, command := range [][]string{{"drain"}, {"freeze"}, {"scaler", "plan"}, {"logs"}} {
		err := run(t.Context(), append(command, "-root", t.TempDir(), "-region", "eu-west-1"), io.Discard)
		if err == nil || !strings.Contains(err.Error(), "name the deployment with -name") {
			t.Errorf("%s: got %v", command, err)
		}
	}
}

// TestExitCodes: doctor's wrong arguments are told apart from an account in which a
// deployment would fail, and a loss of data that is refused from a review that failed.
func TestExitCodes(t *testing.T) {
	for want, errs := range map[int][]error{
		0:   {nil, flag.ErrHelp},
		1:   {errors.New("the port is taken"), run(t.Context(), []string{"ami", "-x"}, io.Discard)},
		2:   {fmt.Errorf("doctor: %w: -x", doctor.ErrArguments), run(t.Context(), []string{"doctor", "-x"}, io.Discard)},
		3:   {fmt.Errorf("review: %w", review.ErrDataAtRisk)},
		130: {fmt.Errorf("up: %w", context.Canceled)},
	} {
		for _, err := range errs {
			if got := exitCode(err); got != want {
				t.Errorf("%v: exit %d, want %d", err, got, want)
			}
		}
	}
}

// TestArgumentsBesideFlagsAreRefused: a command that left them out would do more than was
// meant, such as for all regions what one was named for.
func TestArgumentsBesideFlagsAreRefused(t *testing.T) {
	for _, c := range commands() {
		args := []string{"eu-west-1"}
		if c.name == "scaler" {
			args = append([]string{"plan"}, args...)
		}
		if err := c.run(t.Context(), args, io.Discard); err == nil || !strings.Contains(err.Error(), `flags only, got ["eu-west-1"]`) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

// TestDrainSaysWhatAnAcceleratorKeeps: of more than three regions it may send users to one
// that is drained, until that leaves it.
func TestDrainSaysWhatAnAcceleratorKeeps(t *testing.T) {
	hello, err := os.ReadFile("../../examples/hello/cdk.json")
	if err != nil {
		t.Fatal(err)
	}
	for regions, want := range map[string]string{
		`"eu-west-1", "eu-west-2", "us-east-1"`:              "",
		`"eu-west-1", "eu-west-2", "us-east-1", "us-west-2"`: `write "weight": 0 beside its name in cdk.json, and cdk deploy --exclusively hello-region-eu-west-1` + "\n",
	} {
		root := t.TempDir()
		file := strings.Replace(string(hello), `"eu-west-1", "us-east-1"`, regions, 1)
		if err := os.WriteFile(filepath.Join(root, "cdk.json"), []byte(file), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"hello", "another"} {
			var out strings.Builder
			if err := sayWhatStays(cloud.Options{Root: root, Out: &out}, name, "eu-west-1"); err != nil {
				t.Fatal(err)
			}
			if got := out.String(); (name == "another" || want == "") && got != "" || name == "hello" && !strings.HasSuffix(got, want) {
				t.Errorf("%s of %s: it says %q, want %q", name, regions, got, want)
			}
		}
	}
}
