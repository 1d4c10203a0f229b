package machine

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/nobody"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// requestTimeout bounds a request of the script.
const requestTimeout = 2 * time.Second

// shell is what user data runs in: bash, with the files below root and those of
// Amazon Linux's commands that it needs.
type shell struct {
	root        string
	url         string                  // the emulator's
	addr        string                  // where the machine's service listens here
	metadata    string                  // where its metadata service is here
	credentials aws.CredentialsProvider // of the instance's role
	output      io.Writer
	journal     *journal // nil is one that may not be read
	// start starts a unit, and sends the result when it has started or failed to. Only
	// user data has it.
	start func(unit string) (<-chan error, error)
}

// runUserData runs a script as cloud-init does at the first boot.
func runUserData(ctx context.Context, script string, sh shell) error {
	for _, dir := range []string{"etc/systemd/system", "usr/local/bin"} {
		if err := nobody.MkdirAll(filepath.Join(sh.root, dir)); err != nil {
			return err
		}
	}
	return sh.run(ctx, script, "user-data")
}

// runFile runs a script, the first word of a command, with the others as its
// arguments.
func (sh shell) runFile(ctx context.Context, command []string) error {
	script, err := os.ReadFile(sh.path(command[0]))
	if err != nil {
		return err
	}
	return sh.run(ctx, string(script), command[0], command[1:]...)
}

func (sh shell) run(ctx context.Context, script, name string, arguments ...string) error {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(script), name)
	if err != nil {
		return err
	}
	runner, err := interp.New(
		interp.Env(expand.ListEnviron("PATH=/usr/bin:/bin", "HOME=/root")),
		interp.StdIO(nil, sh.output, sh.output),
		interp.Dir("/"),
		interp.Params(append([]string{"--"}, arguments...)...),
		interp.OpenHandler(sh.open),
		interp.StatHandler(sh.stat),
		interp.ExecHandlers(func(interp.ExecHandlerFunc) interp.ExecHandlerFunc { return sh.exec }),
	)
	if err != nil {
		return err
	}
	return runner.Run(ctx, file)
}

// path is where a path of the machine is on this one.
func (sh shell) path(path string) string {
	if path == os.DevNull {
		return path
	}
	return filepath.Join(sh.root, filepath.Clean("/"+path))
}

func (sh shell) open(_ context.Context, path string, flag int, perm fs.FileMode) (io.ReadWriteCloser, error) {
	return nobody.OpenFile(sh.path(path), flag, perm)
}

func (sh shell) stat(_ context.Context, path string, followSymlinks bool) (fs.FileInfo, error) {
	if followSymlinks {
		return os.Stat(sh.path(path))
	}
	return os.Lstat(sh.path(path))
}

// exec runs a command of the script. One that is not here says so and fails, as
// in any shell: user data that needs it ends there, and what may fail does.
func (sh shell) exec(ctx context.Context, args []string) error {
	hc := interp.HandlerCtx(ctx)
	var err error
	switch line := strings.Join(args, " "); {
	case line == "uname -m":
		_, err = fmt.Fprintln(hc.Stdout, machineName())
	case args[0] == "cat" && len(args) == 1:
		_, err = io.Copy(hc.Stdout, hc.Stdin)
	case args[0] == "sleep" && len(args) == 2:
		err = sleep(ctx, args[1])
	case args[0] == "mkdir" && len(args) == 3 && args[1] == "-p":
		err = nobody.MkdirAll(sh.path(args[2]))
	case args[0] == "chmod" && len(args) == 3:
		err = sh.chmod(args[1], args[2])
	case args[0] == "mv" && len(args) == 3:
		err = os.Rename(sh.path(args[1]), sh.path(args[2]))
	case line == "date --utc +%Y-%m-%dT%H-%M-%S.%NZ":
		_, err = fmt.Fprintln(hc.Stdout, time.Now().UTC().Format("2006-01-02T15-04-05.000000000Z"))
	case args[0] == "curl":
		err = sh.curl(ctx, hc.Stdout, args[1:])
	case strings.HasPrefix(line, "aws s3 cp --region "):
		err = sh.copyObject(ctx, args[4], args[5:])
	case strings.HasPrefix(line, "aws ssm get-parameter "):
		err = sh.getParameter(ctx, hc.Stdout, args[3:])
	case strings.HasPrefix(line, "aws secretsmanager get-secret-value "):
		err = sh.getSecret(ctx, hc.Stdout, args[3:])
	case strings.HasPrefix(line, "journalctl --quiet --output=cat "):
		err = sh.journalctl(hc.Stdout, args[3:])
	case line == "systemctl daemon-reload":
	case sh.start == nil && args[0] == "systemctl":
		err = errors.New("only user data starts units here")
	case strings.HasPrefix(line, "systemctl enable --now --no-block ") && len(args) == 5:
		_, err = sh.start(args[4])
	case strings.HasPrefix(line, "systemctl enable --now ") && len(args) == 4:
		var started <-chan error
		if started, err = sh.start(args[3]); err == nil {
			err = <-started
		}
	default:
		fmt.Fprintf(hc.Stderr, "%s: the local cloud's machines have no such command\n", line)
		return interp.ExitStatus(127)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		fmt.Fprintf(hc.Stderr, "%s: %v\n", strings.Join(args, " "), err)
		return interp.ExitStatus(1)
	}
	return nil
}

// machineName is this machine's architecture as Linux spells it.
func machineName() string {
	if runtime.GOARCH == "arm64" {
		return "aarch64"
	}
	return "x86_64"
}

func sleep(ctx context.Context, seconds string) error {
	n, err := strconv.Atoi(seconds)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Duration(n) * time.Second):
		return nil
	}
}

func (sh shell) chmod(mode, path string) error {
	m, err := strconv.ParseUint(mode, 8, 32)
	if err != nil {
		return err
	}
	return os.Chmod(sh.path(path), fs.FileMode(m))
}

// curl makes a request to the machine's own service or its metadata service.
func (sh shell) curl(ctx context.Context, out io.Writer, args []string) error {
	flags := flag.NewFlagSet("curl", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	for _, set := range []string{"silent", "fail", "globoff"} {
		flags.Bool(set, false, "")
	}
	output := flags.String("output", "", "")
	method := flags.String("request", http.MethodGet, "")
	within := flags.Int("max-time", int(requestTimeout/time.Second), "")
	header := http.Header{}
	flags.Func("header", "", func(line string) error {
		name, value, _ := strings.Cut(line, ": ")
		header.Set(name, value)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() != 1 || *output != "" && *output != os.DevNull {
		return errors.New("want one address, and no output but /dev/null")
	}
	u, err := url.Parse(flags.Arg(0))
	if err != nil {
		return err
	}
	switch u.Hostname() {
	case "127.0.0.1":
		u.Host = sh.addr
	case "169.254.169.254":
		u.Host = strings.TrimPrefix(sh.metadata, "http://")
	default:
		return fmt.Errorf("the local cloud's machines do not reach %s", u.Host)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(*within)*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, *method, u.String(), nil)
	if err != nil {
		return err
	}
	req.Header = header
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= http.StatusBadRequest {
		return errors.New(res.Status)
	}
	if *output != "" {
		return nil
	}
	_, err = io.Copy(out, res.Body)
	return err
}

// journalctl prints the journal of units after a cursor.
func (sh shell) journalctl(out io.Writer, args []string) error {
	var units []string
	cursor := ""
	for _, a := range args {
		if unit, ok := strings.CutPrefix(a, "--unit="); ok {
			units = append(units, unit)
		} else if file, ok := strings.CutPrefix(a, "--cursor-file="); ok {
			cursor = file
		} else {
			return fmt.Errorf("the local cloud knows --unit= and --cursor-file=, got %q", a)
		}
	}
	if units == nil || cursor == "" {
		return errors.New("the local cloud wants --unit= and --cursor-file=")
	}
	return sh.printJournal(out, cursor, units)
}

// copyObject is aws s3 cp, from a bucket to a file or from a file to a bucket.
func (sh shell) copyObject(ctx context.Context, region string, args []string) error {
	if len(args) > 0 && args[0] == "--only-show-errors" {
		args = args[1:]
	}
	if len(args) != 2 {
		return fmt.Errorf("want two paths, got %q", args)
	}
	client := s3.New(s3.Options{Region: region, BaseEndpoint: &sh.url, UsePathStyle: true, Credentials: sh.credentials})
	if strings.HasPrefix(args[0], "s3://") {
		return sh.download(ctx, client, args[0], args[1])
	}
	return sh.upload(ctx, client, args[0], args[1])
}

// cutObject splits the address of an object.
func cutObject(url string) (bucket, key string, err error) {
	path, ok := strings.CutPrefix(url, "s3://")
	bucket, key, found := strings.Cut(path, "/")
	if !ok || !found {
		return "", "", fmt.Errorf("want s3://BUCKET/KEY, got %q", url)
	}
	return bucket, key, nil
}

func (sh shell) upload(ctx context.Context, client *s3.Client, path, url string) error {
	bucket, key, err := cutObject(url)
	if err != nil {
		return err
	}
	f, err := os.Open(sh.path(path))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: f})
	return err
}

// download copies an object to a file.
func (sh shell) download(ctx context.Context, client *s3.Client, url, path string) error {
	bucket, key, err := cutObject(url)
	if err != nil {
		return err
	}
	out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return err
	}
	defer out.Body.Close()
	f, err := nobody.OpenFile(sh.path(path), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, out.Body)
	return errors.Join(err, f.Close())
}
