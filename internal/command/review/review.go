// Package review is the command that says what a change of the checkout does to what
// is deployed: it synthesizes two commits and compares them.
package review

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/internal/command/arguments"
	"github.com/archipelago-cdk/archipelago/internal/command/setup"
	"github.com/archipelago-cdk/archipelago/internal/local/child"
	"github.com/archipelago-cdk/archipelago/internal/review"
)

// synthAccount is the account in the names of both assemblies, where cdk.json says
// none.
const synthAccount = "123456789012"

// Files that the command writes.
const (
	markdownFile = "review.md"
	jsonFile     = "review.json"
)

type options struct {
	root, dir, base, head string
	// deployed has what is deployed be the base.
	deployed bool
	// refuse has a loss of data fail, but for that of the head whose commit is allowed.
	refuse  bool
	allowed string
}

// ErrDataAtRisk is that of a review which was made and printed, with -refuse-data-loss.
var ErrDataAtRisk = errors.New("the review says data at risk, and nobody has allowed it for this commit")

// Run does what args, its flags, say: it prints the comment to stdout, and writes it,
// and the same as JSON, to a folder.
func Run(ctx context.Context, args []string, stdout io.Writer) error {
	var o options
	flags := flag.NewFlagSet("review", flag.ContinueOnError)
	flags.StringVar(&o.root, "root", ".", "`directory` of cdk.json, in a git repository")
	flags.StringVar(&o.dir, "dir", "", "`directory` for the report and for the commits' worktrees (default .archipelago/review below -root)")
	flags.StringVar(&o.base, "base", "main", "`commit` that is compared with")
	flags.StringVar(&o.head, "head", "HEAD", "`commit` that is reviewed; what is not committed is not")
	flags.BoolVar(&o.deployed, "deployed", false, "compare with what is deployed in place of -base: on AWS with AWS_PROFILE or AWS_ACCESS_KEY_ID set, else in what `up` runs")
	flags.BoolVar(&o.refuse, "refuse-data-loss", false, "exit with 3 on the verdict data at risk, once the comment is written")
	flags.StringVar(&o.allowed, "allow-data-loss", "", "full id of the `commit` whose loss of data is allowed; another head is refused still")
	if err := arguments.Parse(flags, args); err != nil {
		return err
	}
	if o.allowed != "" && !fullID.MatchString(o.allowed) {
		return fmt.Errorf("-allow-data-loss wants the full id of a commit, got %q", o.allowed)
	}
	var err error
	if o.root, err = filepath.Abs(o.root); err != nil {
		return err
	}
	if o.dir == "" {
		o.dir = filepath.Join(o.root, ".archipelago", "review")
	}
	if o.dir, err = filepath.Abs(o.dir); err != nil {
		return err
	}
	report, head, err := o.report(ctx)
	if err != nil {
		return err
	}
	comment, err := report.Markdown()
	if err != nil {
		return err
	}
	content, err := report.JSON()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(o.dir, jsonFile), content, 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(o.dir, markdownFile), []byte(comment), 0o644); err != nil {
		return err
	}
	if _, err := io.WriteString(stdout, comment); err != nil {
		return err
	}
	if !o.refuse || report.Verdict != review.DataAtRisk {
		return nil
	}
	// A push makes another head, which nobody has allowed.
	if head != o.allowed {
		return ErrDataAtRisk
	}
	return nil
}

// fullID is a commit's, as git writes it: a branch, or the beginning of an id, may come to
// mean another commit.
var fullID = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

// report compares the two commits, and returns the head's id too, as it was when it was
// checked out. Reports of before are gone when it fails.
func (o options) report(ctx context.Context) (review.Report, string, error) {
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return review.Report{}, "", err
	}
	for _, name := range []string{markdownFile, jsonFile} {
		if err := os.RemoveAll(filepath.Join(o.dir, name)); err != nil {
			return review.Report{}, "", err
		}
	}
	sides := []side{{name: "head", ref: o.head}, {name: "base", ref: o.base}}
	if o.deployed {
		sides = sides[:1]
		if err := o.findAccount(ctx, &sides[0]); err != nil {
			return review.Report{}, "", err
		}
	}
	for i := range sides {
		// One after the other: git locks what both would write.
		if err := sides[i].checkOut(ctx, o); err != nil {
			return review.Report{}, "", err
		}
	}
	if !o.deployed {
		// One that names no account is of the other's: to name it changes nothing.
		account := cmp.Or(accountOf(sides[0].dir), accountOf(sides[1].dir))
		for i := range sides {
			sides[i].account = account
		}
	}
	assemblies := make([]*review.Assembly, len(sides))
	errs := make([]error, len(sides))
	var group sync.WaitGroup
	for i := range sides {
		group.Go(func() { assemblies[i], errs[i] = sides[i].synthesize(ctx, o) })
	}
	group.Wait()
	// One sentence is enough: what neither side does is the head's.
	for _, err := range errs {
		if err != nil {
			return review.Report{}, "", err
		}
	}
	if o.deployed {
		base, err := o.readDeployed(ctx, assemblies[0])
		if err != nil {
			return review.Report{}, "", err
		}
		assemblies = append(assemblies, base)
	}
	differ, err := review.NewDiffer(ctx, o.root)
	if err != nil {
		return review.Report{}, "", err
	}
	defer differ.Close()
	report, err := differ.Compare(assemblies[1], assemblies[0])
	return report, sides[0].commit, err
}

// side is one of the commits.
type side struct {
	// name is "base" or "head", and ref what the user calls the commit.
	name, ref string
	// commit is the full id of what ref was when it was checked out.
	commit string
	// dir is the folder of cdk.json in its worktree.
	dir string
	// account is in the names, where cdk.json says none.
	account string
	// app is the command that synthesizes, where it is not cdk.json's.
	app string
}

// checkOut brings the commit into a worktree of its own, which stays for the next
// review: what is compiled there is compiled once.
func (s *side) checkOut(ctx context.Context, o options) error {
	prefix, err := git(ctx, o.root, "rev-parse", "--show-prefix")
	if err != nil {
		return fmt.Errorf("commits are reviewed, and %s is in no git repository (%w)", o.root, err)
	}
	s.commit, err = git(ctx, o.root, "rev-parse", "--verify", "--quiet", s.ref+"^{commit}")
	switch {
	case err != nil && (s.ref == "" || strings.HasPrefix(s.ref, "-")):
		return fmt.Errorf("there is no commit %q to take as the %s: name one, such as main", s.ref, s.name)
	case err != nil:
		return fmt.Errorf("there is no commit %q to take as the %s: fetch it, by `git fetch origin %[1]s` for instance, or name another one", s.ref, s.name)
	}
	tree := filepath.Join(o.dir, s.name)
	s.dir = filepath.Join(tree, prefix)
	if top, err := git(ctx, tree, "rev-parse", "--show-toplevel"); err == nil && same(top, tree) {
		if _, err := git(ctx, tree, "checkout", "--quiet", "--detach", "--force", s.commit); err != nil {
			return err
		}
		if _, err := git(ctx, tree, "clean", "-fdq"); err != nil {
			return err
		}
	} else {
		if err := os.RemoveAll(tree); err != nil {
			return err
		}
		if _, err := git(ctx, o.root, "worktree", "prune"); err != nil {
			return err
		}
		if _, err := git(ctx, o.root, "worktree", "add", "--quiet", "--detach", "--force", tree, s.commit); err != nil {
			return err
		}
	}
	for _, name := range []string{"cdk.json", "package.json", "package-lock.json"} {
		if _, err := os.Stat(filepath.Join(s.dir, name)); err != nil {
			return fmt.Errorf("the %s %q has no %s, so it cannot be synthesized: name a commit that has one", s.name, s.ref, name)
		}
	}
	return s.tools(ctx, o)
}

// same reports whether two paths are of one folder.
func same(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// tools brings what the commit's package-lock.json names: the checkout's where they
// are the same.
func (s *side) tools(ctx context.Context, o options) error {
	lock, err := os.ReadFile(filepath.Join(s.dir, "package-lock.json"))
	if err != nil {
		return err
	}
	modules := filepath.Join(s.dir, "node_modules")
	of := filepath.Join(s.dir, "node_modules", ".package-lock.of-review.json")
	own, err := os.ReadFile(filepath.Join(o.root, "package-lock.json"))
	_, there := os.Stat(filepath.Join(o.root, "node_modules", "aws-cdk"))
	if err == nil && there == nil && bytes.Equal(own, lock) {
		if err := os.RemoveAll(modules); err != nil {
			return err
		}
		return os.Symlink(filepath.Join(o.root, "node_modules"), modules)
	}
	if installed, err := os.ReadFile(of); err == nil && bytes.Equal(installed, lock) {
		return nil
	}
	if err := os.RemoveAll(modules); err != nil {
		return err
	}
	cmd := exec.Command("npm", append([]string{"ci"}, setup.Installing...)...)
	cmd.Dir = s.dir
	if said, err := output(ctx, cmd); err != nil {
		return fmt.Errorf("the tools of the %s %q cannot be fetched: %s (%w)", s.name, s.ref, last(said), err)
	}
	return os.WriteFile(of, lock, 0o644)
}

// synthesize has the commit's own CDK CLI make its assembly. It needs no credentials,
// and gets none. CDK's rules are for `make test`: they make no other templates.
func (s *side) synthesize(ctx context.Context, o options) (*review.Assembly, error) {
	out := filepath.Join(o.dir, s.name+".out")
	if err := os.RemoveAll(out); err != nil {
		return nil, err
	}
	arguments := []string{"synth", "--quiet", "--output", out}
	if accountOf(s.dir) == "" {
		arguments = append(arguments, "-c", "archipelago.account="+cmp.Or(s.account, synthAccount))
	}
	if s.app != "" {
		arguments = append(arguments, "--app", s.app)
	}
	bin := filepath.Join(s.dir, "node_modules", ".bin")
	cmd := exec.Command(filepath.Join(bin, "cdk"), arguments...)
	cmd.Dir = s.dir
	for _, v := range os.Environ() {
		if !slices.ContainsFunc(withheld, func(name string) bool { return strings.HasPrefix(v, name) }) {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(cmd.Env, "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE="+os.DevNull, "AWS_SHARED_CREDENTIALS_FILE="+os.DevNull, "AWS_REGION=us-east-1",
		"CDK_DISABLE_CLI_TELEMETRY=true", "CDK_DISABLE_VERSION_CHECK=1", "CDK_VALIDATION=false", "CI=true", "NO_COLOR=1")
	if said, err := output(ctx, cmd); err != nil {
		return nil, fmt.Errorf("the %s %q does not synthesize: %s (%w)", s.name, s.ref, last(said), err)
	}
	a, err := review.ReadAssembly(out)
	if err != nil {
		return nil, fmt.Errorf("the %s %q: %w", s.name, s.ref, err)
	}
	a.Lost = lostOf(s.dir)
	return a, nil
}

// withheld begin the variables that a synth does not get: credentials, what GitHub gives
// a job some for, what says where the assembly goes, and what colours a reason to fail.
var withheld = []string{"ACTIONS_ID_TOKEN_", "AWS_", "CDK_", "CLICOLOR_FORCE=", "FORCE_COLOR=", "GH_TOKEN=", "GITHUB_TOKEN=", "PATH="}

// lostOf are the regions that cdk.json marks as lost. One that cannot be read has been
// synthesized by an app that reads something else.
func lostOf(dir string) []string {
	c, err := config.Read(dir, nil, synthAccount)
	if err != nil {
		return nil
	}
	var lost []string
	for _, r := range c.Regions {
		if r.Lost {
			lost = append(lost, r.Name)
		}
	}
	return lost
}

// accountOf is the account that cdk.json names itself, "" for none.
func accountOf(dir string) string {
	var file struct {
		Context struct {
			Archipelago struct{ Account any }
			Account     any `json:"archipelago.account"`
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "cdk.json"))
	if err != nil || json.Unmarshal(b, &file) != nil {
		return ""
	}
	for _, account := range []any{file.Context.Account, file.Context.Archipelago.Account} {
		if account != nil {
			return fmt.Sprint(account)
		}
	}
	return ""
}

// git runs it in dir and returns what it printed.
func git(ctx context.Context, dir string, arguments ...string) (string, error) {
	cmd := exec.Command("git", append([]string{"-C", dir}, arguments...)...)
	said, err := output(ctx, cmd)
	if err != nil {
		return "", fmt.Errorf("git %s: %s (%w)", arguments[0], last(said), err)
	}
	return strings.TrimSpace(said), nil
}

// output runs cmd, which ends with ctx, and returns all that it printed.
func output(ctx context.Context, cmd *exec.Cmd) (string, error) {
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := <-child.Run(ctx, cmd, 2*time.Second)
	return said.String(), err
}

// last is the line that says most of why a program failed: its last one that is about
// that.
func last(said string) string {
	line := "it says nothing"
	for each := range strings.Lines(said) {
		each = strings.TrimSpace(each)
		if each == "" || strings.HasPrefix(each, "exit status") || strings.Contains(each, "Subprocess exited") || strings.Contains(each, "complete log of this run") {
			continue
		}
		line = each
	}
	return line
}
