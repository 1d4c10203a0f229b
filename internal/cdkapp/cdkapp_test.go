package cdkapp

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// ends, set, makes this test binary an app that ends in that way.
const ends = "CDKAPP_TEST_ENDS"

func TestMain(m *testing.M) {
	how := os.Getenv(ends)
	if how == "" {
		os.Exit(m.Run())
	}
	err := Run(func() error {
		app := awscdk.NewApp(nil)
		switch how {
		case "refused":
			return errors.New("the configuration is not valid")
		case "thrown":
			awscdk.NewStack(app, jsii.String("no such name!"), nil)
		case "panic":
			var none []int
			_ = none[len(how)]
		}
		return nil
	})
	if err != nil {
		fmt.Fprintln(Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// TestNothingIsLeftBehind runs apps that end in each way.
func TestNothingIsLeftBehind(t *testing.T) {
	node, err := filepath.Abs("../../node_modules/.bin")
	if err != nil {
		t.Fatal(err)
	}
	for how, want := range map[string]string{
		"well":    "",
		"refused": "the configuration is not valid\n",
		"thrown":  "CDK: ",
		"panic":   "index out of range",
		// Root may write everywhere but below a file.
		"homeless": "/.cache/aws/jsii/package-cache'\nThe home cannot be written: name another folder in JSII_RUNTIME_PACKAGE_CACHE_ROOT\n",
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			tmp := t.TempDir()
			app := exec.Command(os.Args[0])
			app.Env = append(os.Environ(), ends+"="+how, "TMPDIR="+tmp, "PATH="+node+":"+os.Getenv("PATH"))
			if how == "homeless" {
				app.Env = append(app.Env, "HOME="+os.Args[0])
			}
			out, err := app.CombinedOutput()
			if (err == nil) != (how == "well") || !strings.Contains(string(out), want) || want == "" && len(out) > 0 {
				t.Errorf("got %v with %q, want %q", err, out, want)
			}
			if how != "panic" && strings.Contains(string(out), "goroutine") {
				t.Errorf("want no stack trace, got %q", out)
			}
			if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestLateWaitIsNotSaid(t *testing.T) {
	var out bytes.Buffer
	filter(&out, strings.NewReader("a warning\n"+waitedTwice+"the next\nRuntime process exited abnormally: exit status 1"))
	if want := "a warning\nthe next\nRuntime process exited abnormally: exit status 1"; out.String() != want {
		t.Errorf("got %q, want %q", &out, want)
	}
}
