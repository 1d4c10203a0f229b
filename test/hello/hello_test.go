// Package hello_test is a user of Archipelago: a repository of its own, with a
// service of its own, that has Archipelago as a dependency.
package hello_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

// release is this module as it is published here.
var release = module.Version{Path: "github.com/archipelago-cdk/archipelago"}

// indexed is what Go's index of a module has of a file: its name, what it imports and what
// it embeds. Go makes the index of a version once and for all, by its folder, though home
// has what each run publishes. Source: cmd/go/internal/modindex.
func indexed(t *testing.T, name string, content []byte) string {
	t.Helper()
	if filepath.Ext(name) != ".go" {
		return name + "\n"
	}
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, name, content, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	end := f.Name.End()
	for _, d := range f.Decls {
		end = d.End()
	}
	return fmt.Sprintf("%s\n%s\n%s\n", name, content[:files.Position(end).Offset], regexp.MustCompile(`(?m)^//go:embed .*$`).FindAll(content, -1))
}

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
	tree, index := t.TempDir(), sha256.New()
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
		fmt.Fprint(index, indexed(t, name, content))
	}
	release.Version = fmt.Sprintf("v0.2.1-h%.6x", index.Sum(nil)) // later than what go.mod requires
	proxy = filepath.Join(home, "proxy")
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

// home is where the package's tests keep what they share, and lock is held while it is
// in use.
var (
	home string
	lock *os.File
)

func TestMain(m *testing.M) {
	m.Run()
	if home != "" {
		_ = os.RemoveAll(home)
	}
}

// settle makes home. `go tool` takes no -trimpath, and so compiles all that the release
// needs for each place that it is in: home is the same one in each run, which waits for
// another run to end.
func settle(t *testing.T) {
	t.Helper()
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("archipelago-hello-%d", os.Getuid()))
	var err error
	if lock, err = os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil { // of a run that was killed
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	home = dir
}

// first is the repository that others are copies of, once go.mod was completed.
var first *repository

// clone copies examples/hello to a place of its own.
func clone(t *testing.T) *repository {
	t.Helper()
	if first == nil {
		first = prepare(t)
	}
	r := &repository{T: t, dir: t.TempDir(), environment: first.environment}
	if err := os.CopyFS(r.dir, os.DirFS(first.dir)); err != nil {
		t.Fatal(err)
	}
	// `archipelago setup` would fetch what this checkout has.
	modules, err := filepath.Abs("../../node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(modules, filepath.Join(r.dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return r
}

// prepare publishes the release and completes the example's go.mod.
func prepare(t *testing.T) *repository {
	t.Helper()
	settle(t)
	proxy := publish(t)
	r := &repository{T: t, dir: filepath.Join(home, "hello")}
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
		// With -trimpath what was compiled for another folder is not compiled again.
		"GOFLAGS=-modcacherw -trimpath", "GOWORK=off", "GONOSUMDB="+release.Path,
		"GOMODCACHE="+borrow(t, strings.TrimSpace(string(cache))),
		"GOPROXY=file://"+proxy+","+strings.TrimSpace(string(upstream)),
	)
	r.run("go", "mod", "edit", "-require="+release.String())
	r.run("go", "mod", "tidy")
	return r
}

// borrow makes a module cache that has what another one has, but for this module: a
// cache keeps a version for ever.
func borrow(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(home, "modules")
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

// in is the same repository for a part of the test.
func (r *repository) in(t *testing.T) *repository {
	part := *r
	part.T = t
	return &part
}

// configure writes the example's cdk.json with other keys.
func (r *repository) configure(keys map[string]any) {
	r.Helper()
	b, err := os.ReadFile("../../examples/hello/cdk.json")
	if err != nil {
		r.Fatal(err)
	}
	var file struct {
		App     string                    `json:"app"`
		Context map[string]map[string]any `json:"context"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		r.Fatal(err)
	}
	maps.Copy(file.Context["archipelago"], keys)
	if b, err = json.Marshal(file); err != nil {
		r.Fatal(err)
	}
	write(r.T, filepath.Join(r.dir, "cdk.json"), b)
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

// ec2 is a client of a region.
func (r running) ec2(region string) *ec2.Client {
	return ec2.New(ec2.Options{
		Region: region, BaseEndpoint: &r.control.URL, Credentials: credentials.NewStaticCredentialsProvider("emulator", "emulator", ""),
	})
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

// path is a counter's.
const path = "/counters/visits"

// TestAnyService is what docs/your-service.md walks through.
func TestAnyService(t *testing.T) {
	r := clone(t)
	t.Run("in networks of its own", func(t *testing.T) { testLife(t, r.in(t)) })
	for name, n := range networks {
		if n.gate || *all {
			t.Run(name, func(t *testing.T) { testNetwork(t, r.in(t), n) })
		}
	}
}

func testLife(t *testing.T, r *repository) {
	now := r.up()
	here, there := now.playing.Regions["eu-west-1"], now.playing.Regions["us-east-1"]

	t.Run("what one region counts the other reads", func(t *testing.T) {
		r := r.in(t)
		for i, address := range []string{here, there, here} {
			if c, err := ask(t.Context(), http.MethodPost, address+path); err != nil || c.Count < 1 {
				t.Fatalf("request %d: %+v, %v", i, c, err)
			}
		}
		r.counts(now, 3)
		if _, err := ask(t.Context(), http.MethodPost, here+path+"/snapshot"); err != nil {
			t.Error(err)
		}
	})

	t.Run("an instance that is lost is replaced", func(t *testing.T) {
		r := r.in(t)
		lost := r.instances(now)[0]
		if _, err := now.ec2("eu-west-1").TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{lost}}); err != nil {
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
		r := r.in(t)
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
		// As `up` does without a pace; AWS's minutes are what the rollout's own tests wait for.
		if err := now.control.Set(t.Context(), emulator.Settings{Hurry: true}); err != nil {
			t.Fatal(err)
		}
		r.run("go", "tool", "archipelago", "up")
		for _, address := range []string{here, there} {
			if c, err := ask(t.Context(), http.MethodGet, address+path); err != nil || c.Version != "2" || c.Count != 3 {
				t.Errorf("%s: got %+v, %v", address, c, err)
			}
		}
	})

	t.Run("what it prints is read by region", func(t *testing.T) {
		r := r.in(t)
		if out := r.run("go", "tool", "archipelago", "logs", "-region", "us-east-1"); !strings.Contains(out, "version 2 listens on ") {
			t.Errorf("got %s", out)
		}
	})
}

// where is a network of the service, and who may enter.
type where struct {
	existing []string // regions with a VPC that exists before the deployment
	internal bool     // for users of private networks alone
	gate     bool     // whether it is tried without -all
}

var networks = map[string]where{
	"in a network that exists, for private networks": {existing: []string{"eu-west-1"}, internal: true, gate: true},
	"in networks that exist, for everybody":          {existing: []string{"eu-west-1", "us-east-1"}},
	"in networks of its own, for private networks":   {internal: true},
}

const (
	vpc        = "vpc-0123456789abcdef0"
	subnet     = "subnet-0123456789abcde0" // and its zone's letter
	privateNet = "10.0.0.0/8"
)

// keys are those of the configuration.
func (w where) keys() map[string]any {
	keys := map[string]any{}
	var regions []any
	for i, region := range []string{"eu-west-1", "us-east-1"} {
		if !slices.Contains(w.existing, region) {
			regions = append(regions, region)
			continue
		}
		subnets := map[string]string{"a": subnet + "a", "b": subnet + "b"}
		regions = append(regions, map[string]any{
			"name": region, "cidr": fmt.Sprintf("10.20%d.0.0/20", i),
			"vpc": map[string]any{"id": vpc, "fleetSubnets": subnets, "loadBalancerSubnets": subnets},
		})
	}
	keys["regions"] = regions
	if w.internal {
		keys["entry"], keys["internalFrom"] = "internal", []string{privateNet}
	}
	return keys
}

// testNetwork writes through one region and reads through the other.
func testNetwork(t *testing.T, r *repository, w where) {
	r.configure(w.keys())
	now := r.up()
	if _, err := ask(t.Context(), http.MethodPost, now.playing.Regions["eu-west-1"]+path); err != nil {
		t.Fatal(err)
	}
	r.counts(now, 1)
	deployed, err := now.control.Fleet(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if entered := len(deployed.EndpointGroups) > 0; entered == w.internal {
		t.Errorf("an accelerator leads to the load balancers: %t", entered)
	}
	for region := range now.playing.Regions {
		client := now.ec2(region)
		instances, err := client.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{})
		if err != nil {
			t.Fatal(err)
		}
		exists := slices.Contains(w.existing, region)
		for _, reservation := range instances.Reservations {
			for _, i := range reservation.Instances {
				if *i.VpcId == vpc != exists || strings.HasPrefix(*i.SubnetId, subnet) != exists {
					t.Errorf("%s: %s is in %s of %s", region, *i.InstanceId, *i.SubnetId, *i.VpcId)
				}
			}
		}
		groups, err := client.DescribeSecurityGroups(t.Context(), &ec2.DescribeSecurityGroupsInput{})
		if err != nil {
			t.Fatal(err)
		}
		var from []string
		for _, group := range groups.SecurityGroups {
			for _, rule := range group.IpPermissions {
				for _, r := range rule.IpRanges {
					from = append(from, *r.CidrIp)
				}
			}
		}
		if open := slices.Contains(from, privateNet) && !slices.Contains(from, "0.0.0.0/0"); open != w.internal {
			t.Errorf("%s: users enter from %q", region, from)
		}
	}
}

// counts waits until each region has counted n.
func (r *repository) counts(now running, n int) {
	r.Helper()
	for region, address := range now.playing.Regions {
		r.await(func() error {
			c, err := ask(r.Context(), http.MethodGet, address+path)
			if err == nil && (c.Count != n || c.Region != region) {
				err = fmt.Errorf("got %+v, want %d in %s", c, n, region)
			}
			return err
		})
	}
}

// all is for what takes minutes, and for more of what is tried once without it.
var all = flag.Bool("all", false, "run every service that does not serve, in every kind of network")

// TestServiceThatDoesNotServe: what is wrong is said with the instance's own words,
// and nothing is left running.
func TestServiceThatDoesNotServe(t *testing.T) {
	for name, test := range map[string]struct {
		old, new string
		want     []string
		slow     bool
		setting  string // of -c. Default: none.
		pace     string // Default: 10.
	}{
		"it ends at its start": {
			old: `	log.Printf("version`, new: `	log.Fatal("no counters for today")` + "\n" + `	log.Printf("version`,
			want: []string{"its service ended 6 times; it printed last:", "no counters for today"},
		},
		"it listens elsewhere": {
			old: `cmp.Or(os.Getenv("LISTEN"), "127.0.0.1:8080")`, new: `cmp.Or("127.0.0.1:0", os.Getenv("PORT"))`,
			want: []string{"was not healthy: a service has to listen on $LISTEN", "version 1 listens on 127.0.0.1:0"},
			slow: true,
		},
		"its health path is another one": {
			old: "GET /healthz", new: "GET /health",
			want: []string{"to answer its health path with 200", "version 1 listens on "},
			slow: true,
		},
		"it does not build": {
			old: `const version = "1"`, new: `const version = 1`,
			want: []string{"go build of ./service", "service/main.go:"},
		},
		"it does not say that it is ready": { // and answers its health path meanwhile
			want: []string{"did not tell systemd in time that it is ready, as service.notify has it; it printed last:", "version 1 listens on ", "hello.service: start operation timed out. Terminating."},
			slow: true, setting: "archipelago.service.notify=true",
			pace: "5", // systemd waits 90 s of this machine's, and the deployment 15 minutes of AWS's
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
			arguments := []string{"tool", "archipelago", "up", "-port", "0", "-pace", cmp.Or(test.pace, "10"), "-c", "archipelago.regions=eu-west-1"}
			if test.setting != "" {
				arguments = append(arguments, "-c", test.setting)
			}
			out, err := r.command(t.Context(), "go", arguments...).CombinedOutput()
			if err == nil {
				t.Fatalf("it came up:\n%s", out)
			}
			for _, want := range test.want {
				if !strings.Contains(string(out), want) {
					t.Errorf("the output lacks %q:\n%s", want, out)
				}
			}
			if strings.Contains(string(out), "SDK ") {
				t.Errorf("the service's last lines are the AWS SDK's:\n%s", out)
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
