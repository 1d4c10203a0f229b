package cloud

import (
	"bytes"
	"cmp"
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
	"sync/atomic"
	"time"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/internal/build"
	"github.com/archipelago-cdk/archipelago/internal/local/child"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/progress"
	"golang.org/x/sys/unix"
)

// checkTools names what is missing before anything is started.
func checkTools(root string) error {
	if runtime.GOOS != "linux" {
		return errors.New("the local cloud runs the Linux programs that instances run: use a Linux machine, or a virtual machine or container with Linux")
	}
	for _, tool := range []string{"cdk", "node"} {
		if _, err := os.Stat(filepath.Join(root, "node_modules", ".bin", tool)); err != nil {
			return fmt.Errorf("%s is missing from node_modules: run `make setup`, or `archipelago setup` where Archipelago is a dependency; both need npm (%w)", tool, err)
		}
	}
	return nil
}

// cli runs the CDK CLI against the emulator.
type cli struct {
	root    string
	at      string // where the CLI runs, root if nothing is said
	pkg     string // the service's
	dir     string // the local cloud's, with what the CLI keeps
	out     string // where the assembly goes, or is
	ready   bool   // whether it is there already
	url     string // the emulator's
	context []string
	tags    []string
	steps   *steps
	doing   *doing
}

// doing says what the CLI does at this moment.
type doing struct {
	group   atomic.Int64 // the processes that it started
	printed progress.Tail
}

// now returns what is compiled, or else the last line that the CLI printed.
func (d *doing) now() string {
	if compiling := progress.Compiling(int(d.group.Load())); compiling != "" {
		return compiling
	}
	return d.printed.Last()
}

// newCLI is of what o says, for the emulator at url. pkg is the service's package.
func newCLI(o Options, pkg, url string, steps *steps) cli {
	c := cli{root: o.Root, pkg: pkg, dir: o.Dir, out: o.Assembly, ready: o.Assembly != "", url: url, context: o.Context, tags: o.Tags, steps: steps, doing: &doing{}}
	if !c.ready {
		c.out = filepath.Join(o.Dir, "cdk.out")
	}
	return c
}

// assembly is what a synth made.
type assembly struct {
	// regions are those that have a region stack, in the order of deployment.
	regions []string
	// environments are those of all stacks, as "aws://ACCOUNT/REGION".
	environments []string
}

// builds are what is deployed here: programs for this machine.
func (c cli) builds() build.Deployment {
	return build.Deployment{Root: c.root, Dir: filepath.Join(c.root, "dist"), Package: c.pkg, Instances: runtime.GOARCH, Functions: runtime.GOARCH}
}

// build builds the CDK app and what it publishes.
func (c cli) build(ctx context.Context) error {
	compiling := func() string { return progress.Compiling(unix.Getpgrp()) }
	return c.steps.run(ctx, "build the programs", buildWithin, compiling, func(ctx context.Context) error {
		if err := c.builds().Build(ctx, c.steps.log); err != nil {
			return err
		}
		return c.builds().BuildApp(ctx, c.steps.log)
	})
}

// app is the command that the CLI runs in root: cdk.json's for the local cloud,
// built.
func (c cli) app() string {
	d := c.builds()
	d.Dir = "dist"
	return d.Program(runtime.GOARCH, build.App) + " -local -built"
}

// synthesize builds what is deployed, and makes every stack's template, unless
// they are there.
func (c cli) synthesize(ctx context.Context) (*assembly, error) {
	if c.ready {
		return readAssembly(c.out)
	}
	if err := c.build(ctx); err != nil {
		return nil, err
	}
	err := c.steps.run(ctx, "synthesize the stacks", synthWithin, c.doing.now, func(ctx context.Context) error {
		if err := os.RemoveAll(c.out); err != nil { // else every version of the service stays in it
			return err
		}
		return c.run(ctx, append([]string{"synth", "--app", c.app(), "--quiet", "--output", c.out, "-c", "archipelago.account=" + account}, c.settings()...)...)
	})
	if err != nil {
		return nil, err
	}
	return readAssembly(c.out)
}

// bootstrap bootstraps the environments that are not yet.
func (c cli) bootstrap(ctx context.Context, environments []string) error {
	missing, err := c.notBootstrapped(ctx, environments)
	if err != nil || len(missing) == 0 {
		return err
	}
	return c.steps.run(ctx, "bootstrap the regions", bootstrapWithin, c.doing.now, func(ctx context.Context) error {
		// The CLI reads an app that it is given, though the environments are named, and
		// locks its folder, to which the stacks may be synthesized at this moment.
		c.at = filepath.Join(c.dir, "bootstrap")
		if err := c.withoutApp(c.at); err != nil {
			return err
		}
		return c.run(ctx, append([]string{"bootstrap"}, missing...)...)
	})
}

// withoutApp makes a folder with the settings of cdk.json, such as the bootstrap's
// qualifier, and no app.
func (c cli) withoutApp(dir string) error {
	content, err := os.ReadFile(filepath.Join(c.root, "cdk.json"))
	if err != nil {
		return err
	}
	var settings map[string]any
	if err := json.Unmarshal(content, &settings); err != nil {
		return fmt.Errorf("cdk.json: %w", err)
	}
	delete(settings, "app")
	if content, err = json.Marshal(settings); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "cdk.json"), content, 0o644)
}

// environmentsOf are those of a configuration's stacks.
func environmentsOf(c config.Config) []string {
	var environments []string
	for _, region := range c.Regions {
		if !region.Lost {
			environments = append(environments, "aws://"+account+"/"+region.Name)
		}
	}
	return environments
}

// deploy deploys what was synthesized, as a user does on AWS: a region is
// bootstrapped before its first deployment.
func (c cli) deploy(ctx context.Context, a *assembly) error {
	if err := c.bootstrap(ctx, a.environments); err != nil {
		return err
	}
	return c.steps.run(ctx, "deploy the stacks", deployWithin, c.doing.now, func(ctx context.Context) error {
		// Stacks of one region that are deployed at once race in the emulator.
		arguments := []string{"deploy", "--app", c.out, "--all", "--concurrency", "1", "--require-approval", "never"}
		for _, tag := range c.tags {
			arguments = append(arguments, "--tags", tag)
		}
		return c.run(ctx, arguments...)
	})
}

// bootstrapStack is what a bootstrap makes in a region. Source: AWS CDK Developer
// Guide, "Bootstrap your environment".
const bootstrapStack = "CDKToolkit"

// notBootstrapped returns the environments that have no such stack.
func (c cli) notBootstrapped(ctx context.Context, environments []string) ([]string, error) {
	deployed, err := emulator.Control{URL: c.url}.Fleet(ctx)
	if err != nil {
		return nil, err
	}
	has := map[string]bool{}
	for _, stack := range deployed.Stacks {
		if stack.Name == bootstrapStack {
			has[stack.Region] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(environments), func(e string) bool { return has[regionOf(e)] }), nil
}

// regionOf is the region of an environment.
func regionOf(environment string) string { return environment[strings.LastIndex(environment, "/")+1:] }

// diff shows on out what a deployment would change.
func (c cli) diff(ctx context.Context, out io.Writer) error {
	if c.url != "" {
		if err := c.build(ctx); err != nil {
			return err
		}
	}
	var printed strings.Builder
	err := c.steps.run(ctx, "compare the stacks", synthWithin, c.doing.now, func(ctx context.Context) error {
		arguments := []string{"diff", "--output", c.out}
		if c.url != "" {
			arguments = append(arguments, "--app", c.app(), "--method", "template", "-c", "archipelago.account="+account)
		}
		return c.runTo(ctx, &printed, append(arguments, c.settings()...)...)
	})
	if err != nil {
		return err
	}
	_, err = io.WriteString(out, tidy(printed.String()))
	return err
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
	return c.runTo(ctx, io.Discard, arguments...)
}

// runTo is run, with what the command prints on out too.
func (c cli) runTo(ctx context.Context, out io.Writer, arguments ...string) error {
	cmd, err := c.command(arguments...)
	if err != nil {
		return err
	}
	c.doing.printed.Reset()
	var said bytes.Buffer // the log has what runs beside it, too
	output := io.MultiWriter(c.steps.log, &c.doing.printed, &said, out)
	cmd.Stdout, cmd.Stderr = output, output
	started := func(pid int) { c.doing.group.Store(int64(pid)) }
	if err := <-child.RunNoting(ctx, cmd, 2*time.Second, started); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("cdk %s failed:\n%s", arguments[0], telling(said.String()))
	}
	return nil
}

// command is one of the CLI that speaks to the emulator and to nothing else, or to
// AWS where there is none.
func (c cli) command(arguments ...string) (*exec.Cmd, error) {
	bin, err := filepath.Abs(filepath.Join(c.root, "node_modules", ".bin"))
	if err != nil {
		return nil, err
	}
	// NO_COLOR, without which tidy finds nothing, counts less than these.
	environment := slices.DeleteFunc(os.Environ(), func(pair string) bool {
		return strings.HasPrefix(pair, "FORCE_COLOR=") || strings.HasPrefix(pair, "CLICOLOR_FORCE=")
	})
	if c.url != "" {
		own, err := c.home(arguments[0])
		if err != nil {
			return nil, err
		}
		environment = append(append(emulator.Isolate(environment, c.url), own...), "AWS_REGION=us-east-1",
			"CDK_VALIDATION=false") // CDK's rules take seconds; jsii starts CDK before the app's main
	}
	cmd := exec.Command(filepath.Join(bin, "cdk"), append(arguments, "--no-notices")...)
	cmd.Dir = cmp.Or(c.at, c.root)
	cmd.Env = append(environment,
		"PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"),
		"CDK_DISABLE_CLI_TELEMETRY=true",
		"CDK_DISABLE_VERSION_CHECK=1",
		"CI=true", // plain lines instead of a progress bar
		"NO_COLOR=1",
	)
	return cmd, nil
}

// home returns the variables of a home of the CLI's own, where no ~/.cdk.json of
// the user is, and of a temporary folder, which the command finds empty and shares
// with no other that runs beside it. The caches of Go and jsii stay where they are,
// and so do Go's settings but for flags of the go command: those that a user likes
// may break a build.
func (c cli) home(command string) ([]string, error) {
	home, temporary := filepath.Join(c.dir, "home"), filepath.Join(c.dir, "tmp", command)
	if err := os.RemoveAll(temporary); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(temporary, 0o755); err != nil {
		return nil, err
	}
	if err := build.WithoutTelemetry(filepath.Join(home, ".config")); err != nil {
		return nil, err
	}
	pairs := []string{"HOME=" + home, "TMPDIR=" + temporary, "GOFLAGS=-buildvcs=false"}
	out, err := exec.Command("go", "env", "-json", "GOCACHE", "GOENV", "GOMODCACHE", "GOPATH").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	var settings map[string]string
	if err := json.Unmarshal(out, &settings); err != nil {
		return nil, err
	}
	for name, value := range settings {
		pairs = append(pairs, name+"="+value)
	}
	if cache, err := os.UserCacheDir(); err == nil {
		// 200 MB that other CDK apps share, unless that place is read-only.
		packages := filepath.Join(cache, "aws", "jsii", "package-cache")
		if os.MkdirAll(packages, 0o755) == nil && unix.Access(packages, unix.W_OK) == nil {
			pairs = append(pairs, "JSII_RUNTIME_PACKAGE_CACHE_ROOT="+packages)
		}
	}
	return pairs, nil
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
	a := &assembly{}
	for id, artifact := range manifest.Artifacts {
		if artifact.Type != "aws:cloudformation:stack" {
			continue
		}
		if !slices.Contains(a.environments, artifact.Environment) {
			a.environments = append(a.environments, artifact.Environment)
		}
		if strings.HasSuffix(id, "-region-"+regionOf(artifact.Environment)) {
			ids = append(ids, id)
		}
	}
	slices.Sort(a.environments)
	slices.SortFunc(ids, func(a, b string) int { return depth(a) - depth(b) })
	for _, id := range ids {
		a.regions = append(a.regions, regionOf(manifest.Artifacts[id].Environment))
	}
	if len(a.regions) == 0 {
		return nil, fmt.Errorf("%s has no region's stack", dir)
	}
	return a, nil
}
