package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/child"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
)

// checkTools names what is missing before anything is started.
func checkTools(root string) error {
	if runtime.GOOS != "linux" {
		return errors.New("the local cloud runs the Linux programs that instances run: use a Linux machine, or a virtual machine or container with Linux")
	}
	for _, tool := range []string{"cdk", "node"} {
		if _, err := os.Stat(filepath.Join(root, "node_modules", ".bin", tool)); err != nil {
			return fmt.Errorf("%s is missing from node_modules: run `make setup`, which needs npm (%w)", tool, err)
		}
	}
	return nil
}

// cli runs the CDK CLI against the emulator.
type cli struct {
	root    string
	out     string // where the assembly goes
	url     string // the emulator's
	context []string
	tags    []string
	steps   *steps
}

// assembly is what a synth made.
type assembly struct {
	// regions are those that have a region stack, in the order of deployment.
	regions []string
}

// deployAll synthesizes and deploys every stack, as a user does on AWS.
func (c cli) deployAll(ctx context.Context) (*assembly, error) {
	err := c.steps.run(ctx, "synthesize the stacks", synthWithin, func(ctx context.Context) error {
		if err := os.RemoveAll(c.out); err != nil { // else every version of the service stays in it
			return err
		}
		return c.run(ctx, append([]string{"synth", "--quiet", "--output", c.out, "-c", "archipelago.account=" + account}, c.settings()...)...)
	})
	if err != nil {
		return nil, err
	}
	a, err := readAssembly(c.out)
	if err != nil {
		return nil, err
	}
	err = c.steps.run(ctx, "bootstrap the regions", bootstrapWithin, func(ctx context.Context) error {
		return c.run(ctx, "bootstrap", "--app", c.out)
	})
	if err != nil {
		return nil, err
	}
	return a, c.steps.run(ctx, "deploy the stacks", deployWithin, func(ctx context.Context) error {
		// Stacks of one region that are deployed at once race in the emulator.
		arguments := []string{"deploy", "--app", c.out, "--all", "--concurrency", "1", "--require-approval", "never"}
		for _, tag := range c.tags {
			arguments = append(arguments, "--tags", tag)
		}
		return c.run(ctx, arguments...)
	})
}

// diff shows on out what a deployment would change.
func (c cli) diff(ctx context.Context, out io.Writer) error {
	cmd, err := c.command(append([]string{"diff", "--method", "template", "-c", "archipelago.account=" + account}, c.settings()...)...)
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = out, out
	return <-child.Run(ctx, cmd, 2*time.Second)
}

// settings are the flags that lay the options' settings over cdk.json's.
func (c cli) settings() []string {
	var flags []string
	for _, setting := range c.context {
		flags = append(flags, "-c", setting)
	}
	return flags
}

// run runs one command of the CLI. Its error has the lines that tell why.
func (c cli) run(ctx context.Context, arguments ...string) error {
	cmd, err := c.command(arguments...)
	if err != nil {
		return err
	}
	cmd.Stdout, cmd.Stderr = c.steps.log, c.steps.log
	if err := <-child.Run(ctx, cmd, 2*time.Second); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("cdk %s failed:\n%s", arguments[0], c.steps.log.telling())
	}
	return nil
}

// command is one of the CLI that speaks to the emulator and to nothing else.
func (c cli) command(arguments ...string) (*exec.Cmd, error) {
	bin, err := filepath.Abs(filepath.Join(c.root, "node_modules", ".bin"))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(filepath.Join(bin, "cdk"), append(arguments, "--no-notices")...)
	cmd.Dir = c.root
	cmd.Env = append(append(os.Environ(), emulator.Environment(c.url)...),
		"PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"),
		"AWS_REGION=us-east-1",
		"CDK_DISABLE_CLI_TELEMETRY=true",
		"CDK_DISABLE_VERSION_CHECK=1",
		"CI=true", // plain lines instead of a progress bar
		"NO_COLOR=1",
	)
	return cmd, nil
}

// readAssembly reads what there is to know of the stacks out of the manifest.
func readAssembly(dir string) (*assembly, error) {
	b, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		return nil, err
	}
	var manifest struct {
		Artifacts map[string]struct {
			Type         string
			Environment  string
			Dependencies []string
		}
	}
	if err := json.Unmarshal(b, &manifest); err != nil {
		return nil, err
	}
	order := map[string]int{}
	var depth func(id string) int
	depth = func(id string) int {
		if _, known := order[id]; !known {
			order[id] = 0 // against a circle, which CDK refuses
			for _, on := range manifest.Artifacts[id].Dependencies {
				order[id] = max(order[id], depth(on)+1)
			}
		}
		return order[id]
	}
	var ids []string
	for id, artifact := range manifest.Artifacts {
		if artifact.Type == "aws:cloudformation:stack" && strings.Contains(id, "-region-") {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int { return depth(a) - depth(b) })
	a := &assembly{}
	for _, id := range ids {
		environment := manifest.Artifacts[id].Environment // aws://ACCOUNT/REGION
		a.regions = append(a.regions, environment[strings.LastIndex(environment, "/")+1:])
	}
	if len(a.regions) == 0 {
		return nil, fmt.Errorf("%s has no region's stack", dir)
	}
	return a, nil
}
