// Package setup fetches and builds what the tool and the targets of the Makefile
// need, all at the same time, and says what it does and how long that will take.
package setup

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/child"
	"github.com/archipelago-cdk/archipelago/internal/local/progress"
)

// setup is what is asked for.
type setup struct {
	root  string
	tools bool
	build []string // packages, whose programs go to dist
	warm  []string // packages that are compiled only, so that a later build is quick
	out   *progress.Printer
}

// Run fetches and builds what args say, and returns the program that is to run then.
func Run(ctx context.Context, args []string, stdout io.Writer) (program []string, err error) {
	s := setup{out: progress.New(stdout)}
	var silent time.Duration
	flags := flag.NewFlagSet("setup", flag.ContinueOnError)
	flags.DurationVar(&silent, "silent", 0, "for how `long` make has printed nothing")
	flags.StringVar(&s.root, "root", ".", "`directory` of the checkout")
	flags.BoolVar(&s.tools, "tools", false, "fetch the CDK CLI, Node.js, and the AWS emulator")
	flags.Func("build", "`package` whose program is built to dist; may be repeated", func(p string) error { s.build = append(s.build, p); return nil })
	flags.Func("warm", "`package` that is compiled where no program was built before; may be repeated", func(p string) error { s.warm = append(s.warm, p); return nil })
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	s.out.SilentFor(silent)
	var tasks []task
	err = s.out.RunQuietly("see what is missing", nil, func() error {
		tasks, err = s.plan(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := s.do(ctx, tasks); err != nil {
		return nil, err
	}
	if python, err := filepath.Abs(s.path(".venv/bin/python")); s.tools && err == nil {
		if _, err := os.Stat(python); err == nil { // make looked before it was there
			return flags.Args(), os.Setenv("PYTHON", python)
		}
	}
	return flags.Args(), nil
}

// task is one thing that takes time.
type task struct {
	name string
	// megabytes and minutes are about what it downloads and takes on two cores;
	// 0 where that is nothing to speak of.
	megabytes int
	minutes   float64
	what      string // that is downloaded
	// quiet is a task that most often finds nothing to do: it is not said how
	// long it took then.
	quiet bool
	do    func(ctx context.Context, doing *doing) error
}

// plan looks at what is there.
func (s setup) plan(ctx context.Context) ([]task, error) {
	var tasks []task
	if s.tools && older(s.path("node_modules/.package-lock.json"), s.path("package-lock.json")) {
		if _, err := exec.LookPath("npm"); err != nil {
			return nil, errors.New("npm is missing: install Node.js, which brings it")
		}
		tasks = append(tasks, task{"fetch the CDK CLI and Node.js", 85, 0.5, "Node.js packages", false, s.npm})
	}
	if s.tools && !s.hasEmulator(ctx) {
		if _, err := exec.LookPath("python3"); err != nil {
			return nil, errors.New("python3 is missing: install Python 3.11 or newer, with venv")
		}
		tasks = append(tasks, task{"fetch the AWS emulator", 60, 0.5, "Python packages", false, s.venv})
	}
	if len(s.build) > 0 {
		compile := task{name: "compile " + strings.Join(append(s.build[:len(s.build):len(s.build)], s.warm...), ", "), quiet: true, do: s.compile}
		compile.megabytes, compile.what = s.modules(ctx), "Go modules"
		cold := func(packages []string) bool { return compile.megabytes > 0 || s.cold(ctx, packages) }
		switch {
		case len(s.warm) > 0 && cold(s.warm):
			compile.quiet, compile.minutes = false, 4
		case cold(s.build):
			compile.quiet, compile.minutes = false, 0.5
		}
		tasks = append(tasks, compile)
	}
	return tasks, nil
}

func (s setup) path(name string) string { return filepath.Join(s.root, name) }

// older reports whether made is missing or older than what it is made of.
func older(made, of string) bool {
	m, err := os.Stat(made)
	if err != nil {
		return true
	}
	o, err := os.Stat(of)
	return err == nil && m.ModTime().Before(o.ModTime())
}

// hasEmulator reports whether the virtual environment, or else python3 where there
// is none, has what requirements.txt names.
func (s setup) hasEmulator(ctx context.Context) bool {
	if _, err := os.Stat(s.path(".venv")); err == nil {
		return !older(s.path(".venv/"+complete), s.path("requirements.txt"))
	}
	const check = `import importlib.metadata as m, re, sys
pinned = re.findall(r"(?m)^([a-z-]+).*==(.*)$", open(sys.argv[1]).read())
sys.exit(any(m.version(name) != version for name, version in pinned))`
	return s.command(ctx, "python3", "-c", check, "requirements.txt").Run() == nil
}

// complete marks a virtual environment that has everything.
const complete = "complete"

// modules is how many megabytes of Go modules are to be downloaded, judged by the
// largest.
func (s setup) modules(ctx context.Context) int {
	const all, largest = 180, "github.com/aws/aws-cdk-go/awscdk/v2"
	out, err := s.command(ctx, "go", "list", "-m", "-f", "{{.Dir}}", largest).Output()
	if err == nil && strings.TrimSpace(string(out)) == "" {
		return all
	}
	return 0
}

// cold reports whether Go's build cache lacks packages of what is to be built. Go
// downloads the modules that it does not have before it answers.
func (s setup) cold(ctx context.Context, packages []string) bool {
	arguments := append([]string{"list", "-trimpath", "-deps", "-f", "{{if .Stale}}{{.StaleReason}}{{end}}"}, packages...)
	out, err := s.command(ctx, "go", arguments...).Output()
	if err != nil {
		return true
	}
	const cached, few = "available in build cache", 10 // few: somebody changed something
	missing := 0
	for reason := range strings.Lines(string(out)) {
		if reason = strings.TrimSpace(reason); reason != "" && !strings.Contains(reason, cached) {
			missing++
		}
	}
	return missing > few
}

// do says what is to come and does it, all at once.
func (s setup) do(ctx context.Context, tasks []task) error {
	if said := announcement(tasks); said != "" {
		s.out.Printf("%s", said)
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	var group sync.WaitGroup
	errs := make([]error, len(tasks))
	for i, t := range tasks {
		group.Go(func() {
			doing := &doing{}
			run := s.out.Run
			if t.quiet {
				run = s.out.RunQuietly
			}
			errs[i] = run(t.name, doing.now, func() error { return t.do(ctx, doing) })
			if errs[i] != nil {
				errs[i] = fmt.Errorf("could not %s: %w", t.name, errs[i])
			}
		})
	}
	group.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return errors.Join(errs...)
}

// announcement says what is downloaded and how long it takes, or "" where that is
// nothing to speak of.
func announcement(tasks []task) string {
	var parts []string
	megabytes, minutes := 0, 0.0
	for _, t := range tasks {
		if t.megabytes > 0 {
			parts = append(parts, fmt.Sprintf("%d MB of %s", t.megabytes, t.what))
		}
		megabytes += t.megabytes
		minutes = max(minutes, t.minutes)
	}
	var said []string
	if len(parts) > 0 {
		said = append(said, "downloads about "+strings.Join(parts, ", "))
	}
	if minutes > 0 {
		said = append(said, fmt.Sprintf("takes about %s on two cores", duration(minutes)))
	}
	if len(said) == 0 {
		return ""
	}
	return "first time here: this " + strings.Join(said, " and ") + "; later it takes seconds"
}

func duration(minutes float64) string {
	if minutes < 1 {
		return "half a minute"
	}
	return fmt.Sprintf("%.0f minutes", minutes)
}

// lock waits until no other setup of this checkout is at work.
func (s setup) lock(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(s.path("dist"), 0o755); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(s.path("dist/setup.lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	err = s.out.RunQuietly("wait for another make in this clone", nil, func() error {
		for {
			err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
			if !errors.Is(err, syscall.EWOULDBLOCK) {
				return err
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// doing says what a task does at this moment.
type doing struct {
	group   atomic.Int64 // the processes that it started
	printed progress.Tail
	all     output
}

func (d *doing) now() string {
	if compiling := progress.Compiling(int(d.group.Load())); compiling != "" {
		return compiling
	}
	return fetched(d.printed.Last())
}

// npmFetched is a line of npm's for a file that it fetched.
var npmFetched = regexp.MustCompile(`^npm http \S+ GET \d+ \S*/([^/?\s]+)`)

func fetched(line string) string {
	if m := npmFetched.FindStringSubmatch(line); m != nil {
		return m[1]
	}
	return line
}

// run runs a command of the task and returns an error with what it printed last.
func (d *doing) run(ctx context.Context, cmd *exec.Cmd, telling func(line string) bool) error {
	to := io.MultiWriter(&d.printed, &d.all)
	cmd.Stdout, cmd.Stderr = to, to
	err := <-child.RunNoting(ctx, cmd, time.Second, func(pid int) { d.group.Store(int64(pid)) })
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w\n%s", err, d.all.last(telling))
}

// output is what a command printed.
type output struct {
	mu   sync.Mutex
	text []byte
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	const most = 1 << 20
	if o.text = append(o.text, b...); len(o.text) > most {
		o.text = o.text[len(o.text)-most:]
	}
	return len(b), nil
}

// last returns the last lines that tell something, indented.
func (o *output) last(telling func(string) bool) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var lines []string
	for line := range strings.Lines(string(o.text)) {
		if line = strings.TrimRight(line, " \r\n"); line != "" && telling(line) {
			lines = append(lines, "  "+line)
		}
	}
	const most = 12
	return strings.Join(lines[max(0, len(lines)-most):], "\n")
}

// command is one of a program in the checkout, for this machine. What its user likes
// stays out: it may break a build, npm, or a virtual environment, and colour what is
// read here. What says where packages come from stays.
func (s setup) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = s.root
	cmd.Env = append(slices.DeleteFunc(os.Environ(), disturbs),
		"GOFLAGS=-buildvcs=false", "GOWORK=off", "GOOS="+runtime.GOOS, "GOARCH="+runtime.GOARCH, "CGO_ENABLED=0",
		"NO_COLOR=1",
		"PIP_USER=0") // pip reads its files where a variable is empty
	return cmd
}

// disturbs reports whether a variable changes where or how a program installs, or
// that it prints colours. PYTHON says which Python there is, and stays.
func disturbs(pair string) bool {
	name, _, _ := strings.Cut(pair, "=")
	return name != "PYTHON" && strings.HasPrefix(name, "PYTHON") || slices.Contains([]string{
		"NODE_OPTIONS", "NODE_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON", "FORCE_COLOR", "CLICOLOR_FORCE",
	}, name)
}

// Installing are the flags by which npm installs all that package.json names, with its
// programs, whatever its user has set.
var Installing = []string{
	"--include=dev", "--ignore-scripts=false", "--bin-links=true", "--no-color", "--no-audit", "--no-fund", "--no-update-notifier",
}

// npmTells are npm's lines that tell why, without its stack trace.
var npmTells = regexp.MustCompile(`^npm error [^ }A]`)

// npm fetches the CDK CLI. Without a network it gives up after some seconds.
func (s setup) npm(ctx context.Context, d *doing) error {
	arguments := append([]string{"ci"}, Installing...)
	cmd := s.command(context.WithoutCancel(ctx), "npm", append(arguments, "--loglevel=http",
		"--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=3000")...)
	if err := d.run(ctx, cmd, npmTells.MatchString); err != nil {
		return fmt.Errorf("is there a network? %w", err)
	}
	now := time.Now()
	err := os.Chtimes(s.path("node_modules/.package-lock.json"), now, now)
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("npm ended well and installed nothing: look in what `npm config ls -l` prints for a setting that keeps it from that, such as dry-run")
	}
	return err
}

// venv makes a virtual environment with the emulator.
func (s setup) venv(ctx context.Context, d *doing) error {
	ctxless := context.WithoutCancel(ctx)
	anything := func(line string) bool { return !strings.HasPrefix(line, "[notice]") }
	if err := d.run(ctx, s.command(ctxless, "python3", "-m", "venv", ".venv"), anything); err != nil {
		return errors.Join(fmt.Errorf("it needs Python 3.11 or newer with venv: %w", err), os.RemoveAll(s.path(".venv")))
	}
	pip := s.command(ctxless, ".venv/bin/pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off",
		"--retries", "1", "--requirement", "requirements.txt")
	if err := d.run(ctx, pip, anything); err != nil {
		return errors.Join(fmt.Errorf("is there a network? %w", err), os.RemoveAll(s.path(".venv")))
	}
	return os.WriteFile(s.path(".venv/"+complete), nil, 0o644)
}

// compile builds the programs, as those are built that are deployed: they share
// packages in Go's cache.
func (s setup) compile(ctx context.Context, d *doing) error {
	ctxless := context.WithoutCancel(ctx)
	anything := func(string) bool { return true }
	warm := len(s.warm) > 0 && s.cold(ctx, s.warm)
	for _, pkg := range s.build {
		if err := d.run(ctx, s.command(ctxless, "go", "build", "-trimpath", "-o", "dist/"+filepath.Base(pkg), pkg), anything); err != nil {
			return err
		}
	}
	if !warm {
		return nil
	}
	return d.run(ctx, s.command(ctxless, "go", append([]string{"build", "-trimpath", "-o", os.DevNull}, s.warm...)...), anything)
}
