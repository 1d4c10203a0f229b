package machine

import (
	"context"
	"errors"
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
	credentials aws.CredentialsProvider // of the instance's role
	output      io.Writer
	// start starts a unit, and sends the result when it has started or failed to.
	start func(unit string) (<-chan error, error)
}

// runUserData runs a script as cloud-init does at the first boot.
func runUserData(ctx context.Context, script string, sh shell) error {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(script), "user-data")
	if err != nil {
		return err
	}
	for _, dir := range []string{"etc/systemd/system", "usr/local/bin"} {
		if err := nobody.MkdirAll(filepath.Join(sh.root, dir)); err != nil {
			return err
		}
	}
	runner, err := interp.New(
		interp.Env(expand.ListEnviron("PATH=/usr/bin:/bin", "HOME=/root")),
		interp.StdIO(nil, sh.output, sh.output),
		interp.Dir("/"),
		interp.OpenHandler(sh.open),
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
	case strings.HasPrefix(line, "curl --silent --fail --output /dev/null "):
		err = sh.request(ctx, args[len(args)-1])
	case strings.HasPrefix(line, "aws s3 cp --region ") && len(args) == 7:
		err = sh.download(ctx, args[4], args[5], args[6])
	case line == "systemctl daemon-reload":
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

// request asks the machine's own service at an address of its loopback.
func (sh shell) request(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil {
		return err
	}
	u.Host = sh.addr
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= http.StatusBadRequest {
		return errors.New(res.Status)
	}
	return nil
}

// download copies an object to a file.
func (sh shell) download(ctx context.Context, region, url, path string) error {
	bucket, key, ok := strings.Cut(strings.TrimPrefix(url, "s3://"), "/")
	if !ok || !strings.HasPrefix(url, "s3://") {
		return fmt.Errorf("want s3://BUCKET/KEY, got %q", url)
	}
	client := s3.New(s3.Options{Region: region, BaseEndpoint: &sh.url, UsePathStyle: true, Credentials: sh.credentials})
	out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
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
