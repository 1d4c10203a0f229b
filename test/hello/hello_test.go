// Package hello_test is a user of Archipelago: a repository of its own, with a
// service of its own, that has Archipelago as a dependency.
package hello_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// release is this module as the examples' go.mod requires it.
var release = module.Version{Path: "github.com/archipelago-cdk/archipelago", Version: "v0.2.0"}

// publish makes a directory that GOPROXY may name, with the files that git would
// commit as the release: a file that the module's zip lacks is missing to users too.
func publish(t *testing.T) (proxy string) {
	t.Helper()
	list := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
	list.Dir = "../.."
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	tree := t.TempDir()
	for name := range strings.SplitSeq(strings.TrimSuffix(string(out), "\x00"), "\x00") {
		path := filepath.Join("../..", name)
		if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
			continue // removed, and not committed yet; or a link, which no module has
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(tree, name), content)
	}
	proxy = t.TempDir()
	dir := filepath.Join(proxy, release.Path, "@v")
	var packed bytes.Buffer
	if err := zip.CreateFromDir(&packed, release, tree); err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(tree, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, release.Version+".zip"), packed.Bytes())
	write(t, filepath.Join(dir, release.Version+".mod"), mod)
	write(t, filepath.Join(dir, release.Version+".info"), []byte(`{"Version": "`+release.Version+`"}`))
	write(t, filepath.Join(dir, "list"), []byte(release.Version+"\n"))
	return proxy
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// repository is the user's.
type repository struct {
	*testing.T
	dir         string
	environment []string
}

// clone copies examples/hello to a place of its own, where go.mod is completed.
func clone(t *testing.T) *repository {
	t.Helper()
	proxy := publish(t)
	r := &repository{T: t, dir: t.TempDir()}
	if err := os.CopyFS(r.dir, os.DirFS("../../examples/hello")); err != nil {
		t.Fatal(err)
	}
	upstream, err := exec.Command("go", "env", "GOPROXY").Output()
	if err != nil {
		t.Fatal(err)
	}
	cache, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	r.environment = append(os.Environ(),
		"GOFLAGS=-modcacherw", "GOWORK=off", "GONOSUMDB="+release.Path,
		"GOMODCACHE="+borrow(t, strings.TrimSpace(string(cache))),
		"GOPROXY=file://"+proxy+","+strings.TrimSpace(string(upstream)),
	)
	// `archipelago setup` would fetch what this checkout has.
	modules, err := filepath.Abs("../../node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(modules, filepath.Join(r.dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	r.run("go", "mod", "tidy")
	return r
}

// borrow makes a module cache that has what another one has, but for this module: a
// cache keeps a version for ever.
func borrow(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	// Folders that have the module below them are made, all others linked.
	shared := []string{".", "github.com", "cache", "cache/download", "cache/download/github.com"}
	for _, dir := range shared {
		if err := os.MkdirAll(filepath.Join(to, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(filepath.Join(from, dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			if slices.Contains(shared, path) || e.Name() == "archipelago-cdk" || e.Name() == "lock" {
				continue
			}
			if err := os.Symlink(filepath.Join(from, path), filepath.Join(to, path)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return to
}

func (r *repository) command(ctx context.Context, name string, arguments ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, arguments...)
	cmd.Dir, cmd.Env = r.dir, r.environment
	return cmd
}

func (r *repository) run(name string, arguments ...string) string {
	r.Helper()
	out, err := r.command(r.Context(), name, arguments...).CombinedOutput()
	if err != nil {
		r.Fatalf("%s %s: %v\n%s", name, strings.Join(arguments, " "), err, out)
	}
	return string(out)
}

// up is `archipelago up`, until the test ends. It returns when users can come.
func (r *repository) up() running {
	r.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := r.command(ctx, "go", "tool", "archipelago", "up", "-port", "0", "-pace", "10")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	var output locked
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		r.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	r.Cleanup(func() {
		cancel()
		<-ended
	})
	for {
		select {
		case err := <-ended:
			ended <- err
			r.Fatalf("it ended before it was ready: %v\n%s", err, output.String())
		case <-time.After(200 * time.Millisecond):
		}
		if strings.Contains(output.String(), "\nready: http://") {
			return r.running()
		}
	}
}

// running is what answers.
type running struct {
	control emulator.Control
	playing emulator.Status
}

func (r *repository) running() running {
	r.Helper()
	b, err := os.ReadFile(filepath.Join(r.dir, ".archipelago/up.json"))
	if err != nil {
		r.Fatal(err)
	}
	var file struct{ Emulator string }
	if err := json.Unmarshal(b, &file); err != nil {
		r.Fatal(err)
	}
	now := running{control: emulator.Control{URL: file.Emulator}}
	if now.playing, err = now.control.Status(r.Context()); err != nil {
		r.Fatal(err)
	}
	return now
}

type locked struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(b)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}

type count struct {
	Count           int
	Region, Version string
}

// ask sends a request to the service.
func ask(ctx context.Context, method, address string) (count, error) {
	var c count
	req, err := http.NewRequestWithContext(ctx, method, address, nil)
	if err != nil {
		return c, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return c, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return c, err
	}
	if res.StatusCode != http.StatusOK {
		return c, fmt.Errorf("%s %s: %s: %s", method, address, res.Status, body)
	}
	return c, json.Unmarshal(body, &c)
}

// await waits for something; a slow machine takes its time.
func (r *repository) await(check func() error) {
	r.Helper()
	var err error
	for deadline := time.Now().Add(3 * time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if err = check(); err == nil {
			return
		}
	}
	r.Fatal(err)
}

// TestAnyService is what docs/your-service.md walks through.
func TestAnyService(t *testing.T) {
	r := clone(t)
	now := r.up()
	here, there := now.playing.Regions["eu-west-1"], now.playing.Regions["us-east-1"]
	const path = "/counters/visits"

	t.Run("what one region counts the other reads", func(t *testing.T) {
		for i, address := range []string{here, there, here} {
			if c, err := ask(t.Context(), http.MethodPost, address+path); err != nil || c.Count < 1 {
				t.Fatalf("request %d: %+v, %v", i, c, err)
			}
		}
		for region, address := range map[string]string{"eu-west-1": here, "us-east-1": there} {
			r.await(func() error {
				c, err := ask(t.Context(), http.MethodGet, address+path)
				if err == nil && (c.Count != 3 || c.Region != region) {
					err = fmt.Errorf("got %+v, want 3 in %s", c, region)
				}
				return err
			})
		}
		if _, err := ask(t.Context(), http.MethodPost, here+path+"/snapshot"); err != nil {
			t.Error(err)
		}
	})

	t.Run("an instance that is lost is replaced", func(t *testing.T) {
		lost := r.instances(now)[0]
		client := ec2.NewFromConfig(aws.Config{
			Region: "eu-west-1", BaseEndpoint: &now.control.URL, Credentials: credentials.NewStaticCredentialsProvider("emulator", "emulator", ""),
		})
		if _, err := client.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{lost}}); err != nil {
			t.Fatal(err)
		}
		r.await(func() error {
			if left := r.instances(r.running()); slices.Contains(left, lost) || len(left) != 2 {
				return fmt.Errorf("%s was lost, and there are %q", lost, left)
			}
			_, err := ask(t.Context(), http.MethodGet, here+path)
			return err
		})
	})

	t.Run("another version is deployed", func(t *testing.T) {
		main := filepath.Join(r.dir, "service/main.go")
		source, err := os.ReadFile(main)
		if err != nil {
			t.Fatal(err)
		}
		changed := bytes.Replace(source, []byte(`const version = "1"`), []byte(`const version = "2"`), 1)
		if bytes.Equal(changed, source) {
			t.Fatal("the service states no version 1")
		}
		write(t, main, changed)
		r.run("go", "tool", "archipelago", "up")
		for _, address := range []string{here, there} {
			if c, err := ask(t.Context(), http.MethodGet, address+path); err != nil || c.Version != "2" || c.Count != 3 {
				t.Errorf("%s: got %+v, %v", address, c, err)
			}
		}
	})

	t.Run("what it prints is read by region", func(t *testing.T) {
		if out := r.run("go", "tool", "archipelago", "logs", "-region", "us-east-1"); !strings.Contains(out, "version 2 listens on ") {
			t.Errorf("got %s", out)
		}
	})
}

// all is for services that wait until the local cloud gives up.
var all = flag.Bool("all", false, "run every service that does not serve")

// TestServiceThatDoesNotServe: what is wrong is said with the instance's own words,
// and nothing is left running.
func TestServiceThatDoesNotServe(t *testing.T) {
	for name, test := range map[string]struct {
		old, new string
		want     []string
		slow     bool
	}{
		"it ends at its start": {
			`	log.Printf("version`, `	log.Fatal("no counters for today")` + "\n" + `	log.Printf("version`,
			[]string{"its service ended 6 times; it printed last:", "no counters for today"}, false,
		},
		"it listens elsewhere": {
			`cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:8080")`, `cmp.Or("127.0.0.1:0", os.Getenv("PORT"))`,
			[]string{"was not healthy: a service has to listen on $LISTEN", "version 1 listens on 127.0.0.1:0"}, true,
		},
		"its health path is another one": {
			"GET /healthz", "GET /health",
			[]string{"to answer its health path with 200", "version 1 listens on "}, true,
		},
		"it does not build": {
			`const version = "1"`, `const version = 1`,
			[]string{"go build of ./service", "service/main.go:"}, false,
		},
	} {
		if test.slow && !*all {
			continue // docs/testing.md: shard-hello has it
		}
		t.Run(name, func(t *testing.T) {
			r := clone(t)
			main := filepath.Join(r.dir, "service/main.go")
			source, err := os.ReadFile(main)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(source, []byte(test.old)) {
				t.Fatalf("the service has no %q", test.old)
			}
			write(t, main, bytes.Replace(source, []byte(test.old), []byte(test.new), 1))
			out, err := r.command(t.Context(), "go", "tool", "archipelago", "up", "-port", "0", "-pace", "10", "-c", "archipelago.regions=eu-west-1").CombinedOutput()
			if err == nil {
				t.Fatalf("it came up:\n%s", out)
			}
			for _, want := range test.want {
				if !strings.Contains(string(out), want) {
					t.Errorf("the output lacks %q:\n%s", want, out)
				}
			}
			if _, err := os.Stat(filepath.Join(r.dir, ".archipelago/up.json")); err == nil {
				t.Error("something is left that says it runs")
			}
		})
	}
}

// instances are the healthy ones of eu-west-1.
func (r *repository) instances(now running) []string {
	r.Helper()
	deployed, err := now.control.Fleet(r.Context())
	if err != nil {
		r.Fatal(err)
	}
	var ids []string
	for _, i := range deployed.Instances {
		if i.Region == "eu-west-1" && now.playing.Health[i.ID] == "healthy" {
			ids = append(ids, i.ID)
		}
	}
	return ids
}
