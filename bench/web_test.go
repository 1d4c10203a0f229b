package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/setting"
	"github.com/archipelago-cdk/archipelago/service/sqlite"
)

// bareVariable makes this program a bare server: the file that it names holds
// an answer's header and body, as they came from the service.
const bareVariable = "BENCH_BARE_ANSWER"

func TestMain(m *testing.M) {
	if answer := os.Getenv(bareVariable); answer != "" {
		if err := serveBare(answer, os.Getenv("LISTEN")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serveBare answers every request with the same header and body: the least that
// net/http can do.
func serveBare(file, address string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	head, body, _ := bytes.Cut(content, []byte("\n\n"))
	var fields [][2]string
	for line := range strings.Lines(string(head)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		fields = append(fields, [2]string{name, value})
	}
	return http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, f := range fields {
			w.Header().Set(f[0], f[1])
		}
		_, _ = w.Write(body)
	}))
}

// server is a program that listens.
type server struct {
	url     string
	process *os.Process
}

// serve starts a program with LISTEN and an environment, and waits for an answer.
func serve(b *testing.B, program string, environment ...string) *server {
	b.Helper()
	address := freeAddress(b)
	cmd := exec.Command(program)
	cmd.Env = append([]string{"LISTEN=" + address, "PATH=" + os.Getenv("PATH")}, environment...)
	// The access log goes where a unit's goes: to a pipe that somebody reads.
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	drained := make(chan struct{})
	go func() { _, _ = io.Copy(io.Discard, out); close(drained) }()
	b.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGKILL)
		<-drained
		_ = cmd.Wait()
	})
	s := &server{url: "http://" + address, process: cmd.Process}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if res, err := http.Get(s.url + "/"); err == nil {
			res.Body.Close()
			return s
		}
		if time.Now().After(deadline) {
			b.Fatalf("%s does not answer", program)
		}
	}
}

// directoryBinary is the service as it is deployed.
func directoryBinary(b *testing.B) string {
	b.Helper()
	path, err := filepath.Abs(filepath.Join(root, "dist", "linux-"+runtime.GOARCH, "directory"))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		b.Fatalf("%v: run `make dist ARCH=%s`", err, runtime.GOARCH)
	}
	return path
}

// fill makes an embedded store of count employees with photos in dir and returns
// their ids by name.
func fill(b *testing.B, dir string, count int) []string {
	b.Helper()
	ctx := context.Background()
	employees, err := sqlite.Open(ctx, dir)
	if err != nil {
		b.Fatal(err)
	}
	defer employees.Close()
	photos, err := sqlite.OpenPhotos(dir)
	if err != nil {
		b.Fatal(err)
	}
	defer photos.Close()
	var ids []string
	for i := range count {
		e := directory.Employee{
			ID: directory.NewID(), FullName: fmt.Sprintf("Employee %06d", i),
			Location: []string{"Lisbon", "London", "Oslo", "Rome"}[i%4], JobTitle: "Engineer",
			Badges: []string{directory.Badges[i%12].ID, directory.Badges[(i+5)%12].ID},
		}
		content := []byte(e.ID)
		e.Photo = directory.Photo{Key: directory.PhotoKey(e.ID, content, "jpg"), Width: 800, Height: 600}
		if err := photos.Put(ctx, e.Photo.Key, content); err != nil {
			b.Fatal(err)
		}
		if _, err := employees.Create(ctx, e); err != nil {
			b.Fatal(err)
		}
		ids = append(ids, e.ID)
	}
	return ids
}

// load is what wrk measured.
type load struct {
	perSecond float64
	p99       time.Duration
}

var (
	rateLine    = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	p99Line     = regexp.MustCompile(`\s99%\s+([\d.]+)(us|ms|s)`)
	refusedLine = regexp.MustCompile(`Non-2xx or 3xx responses: \d+|Socket errors: .*`)
)

// wrk loads an address over 32 connections.
func wrk(b *testing.B, address, cookie string, arguments ...string) load {
	b.Helper()
	arguments = append([]string{"-t", "2", "-c", "32", "-d", "4s", "--latency"}, arguments...)
	if cookie != "" {
		arguments = append(arguments, "-H", "Cookie: "+cookie)
	}
	out, err := exec.Command("wrk", append(arguments, address)...).CombinedOutput()
	if err != nil {
		b.Fatalf("wrk: %v (Debian's package wrk has it)\n%s", err, out)
	}
	rate, p99 := rateLine.FindSubmatch(out), p99Line.FindSubmatch(out)
	if rate == nil || p99 == nil || refusedLine.Match(out) {
		b.Fatalf("wrk did not get its answers:\n%s", out)
	}
	perSecond, err := strconv.ParseFloat(string(rate[1]), 64)
	if err != nil {
		b.Fatal(err)
	}
	took, err := time.ParseDuration(string(p99[1]) + string(p99[2]))
	if err != nil {
		b.Fatal(err)
	}
	return load{perSecond, took}
}

// BenchmarkCachedPages compares the pages that most people read with a bare
// net/http handler that writes the same bytes with the same header, in turn.
func BenchmarkCachedPages(b *testing.B) {
	dir := b.TempDir()
	ids := fill(b, dir, 100)
	service := serve(b, directoryBinary(b), "DATA_DIR="+dir)
	session := signIn(b, service, dir)
	pages := map[string]struct{ path, cookie, encoding string }{}
	for _, encoding := range []string{"identity", "gzip"} {
		pages["list/"+encoding] = struct{ path, cookie, encoding string }{"/", "", encoding}
		pages["list-signed-in/"+encoding] = struct{ path, cookie, encoding string }{"/", session, encoding}
		pages["detail/"+encoding] = struct{ path, cookie, encoding string }{"/employees/" + ids[0], "", encoding}
		pages["detail-signed-in/"+encoding] = struct{ path, cookie, encoding string }{"/employees/" + ids[0], session, encoding}
	}
	for name, page := range pages {
		b.Run(name, func(b *testing.B) {
			bare := serve(b, os.Args[0], bareVariable+"="+record(b, service.url+page.path, page.cookie, page.encoding))
			accept := []string{"-H", "Accept-Encoding: " + page.encoding}
			var rates, tails []float64
			var last load
			for b.Loop() {
				plain := wrk(b, bare.url+page.path, page.cookie, accept...)
				last = wrk(b, service.url+page.path, page.cookie, accept...)
				rates = append(rates, last.perSecond/plain.perSecond)
				tails = append(tails, float64(last.p99)/float64(plain.p99))
			}
			slices.Sort(rates)
			slices.Sort(tails)
			b.ReportMetric(rates[len(rates)/2], "rate-of-bare")
			b.ReportMetric(tails[len(tails)/2], "p99-of-bare")
			b.ReportMetric(last.perSecond, "req/s")
			b.ReportMetric(float64(last.p99.Microseconds())/1000, "p99-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// record keeps an answer of the service in a file for serveBare.
func record(b *testing.B, address, cookie, encoding string) string {
	b.Helper()
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", encoding) // so that the client leaves the body as it is
	if cookie != "" {
		req.Header.Set("Cookie", cookie)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	var file bytes.Buffer
	for name, values := range res.Header {
		if name != "Date" && name != "Content-Length" { // net/http's own
			fmt.Fprintf(&file, "%s: %s\n", name, values[0])
		}
	}
	file.WriteString("\n")
	if _, err := io.Copy(&file, res.Body); err != nil {
		b.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		b.Fatalf("%s: %s", address, res.Status)
	}
	path := filepath.Join(b.TempDir(), "answer")
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

// BenchmarkUncachedPages reads full pages of the list that begin anywhere among
// 10,000 employees, so that next to none is a kept one.
func BenchmarkUncachedPages(b *testing.B) {
	dir := b.TempDir()
	ids := fill(b, dir, 10_000)
	service := serve(b, directoryBinary(b), "DATA_DIR="+dir)
	var script strings.Builder
	script.WriteString("local pages = {\n")
	for i, id := range ids[:9_900] {
		after := directory.Employee{ID: id, FullName: fmt.Sprintf("Employee %06d", i)}.SortKey()
		fmt.Fprintf(&script, "%q,\n", "/?after="+directory.Cursor(after))
	}
	script.WriteString("}\nfunction init() math.randomseed(os.time()) end\n" +
		"function request() return wrk.format(nil, pages[math.random(#pages)]) end\n")
	path := filepath.Join(b.TempDir(), "pages.lua")
	if err := os.WriteFile(path, []byte(script.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	for _, encoding := range []string{"identity", "gzip"} {
		b.Run(encoding, func(b *testing.B) {
			var loads []load
			for b.Loop() {
				loads = append(loads, wrk(b, service.url, "", "-s", path, "-H", "Accept-Encoding: "+encoding))
			}
			slices.SortFunc(loads, func(a, b load) int { return int(a.perSecond - b.perSecond) })
			middle := loads[len(loads)/2]
			b.ReportMetric(middle.perSecond, "pages/s")
			b.ReportMetric(float64(middle.p99.Microseconds())/1000, "p99-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkHealthUnderOverload keeps the one CPU of a service busy with full pages, and
// asks meanwhile whether it is alive, on a connection of its own each time, as a load
// balancer does.
func BenchmarkHealthUnderOverload(b *testing.B) {
	dir := b.TempDir()
	fill(b, dir, 100)
	service := serve(b, directoryBinary(b), "DATA_DIR="+dir, "GOMAXPROCS=1")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for _, connections := range []int{500, 2000, 8000} {
		b.Run(fmt.Sprintf("%d-connections", connections), func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				done := make(chan struct{})
				go func() {
					defer close(done)
					out, err := exec.Command("wrk", "-t", "1", "-c", strconv.Itoa(connections), "-d", "30s", "--timeout", "30s", service.url+"/").CombinedOutput()
					if err != nil {
						b.Errorf("wrk: %v\n%s", err, out)
					}
				}()
				time.Sleep(3 * time.Second) // until all have come
				for loaded := true; loaded; {
					start := time.Now()
					res, err := client.Get(service.url + setting.LivePath)
					if err != nil {
						b.Fatal(err)
					}
					res.Body.Close()
					if res.StatusCode != http.StatusOK {
						b.Fatalf("%s: %s", setting.LivePath, res.Status)
					}
					select {
					case <-done: // it may have been answered since then
						loaded = false
					default:
						took = append(took, time.Since(start))
						time.Sleep(500 * time.Millisecond)
					}
				}
			}
			missed := 0 // twice in a row by the load balancer: it would replace the instance
			for i := 1; i < len(took); i++ {
				if min(took[i-1], took[i]) > 4*time.Second {
					missed++
				}
			}
			b.ReportMetric(float64(missed), "pairs-over-4s")
			b.ReportMetric(float64(len(took)), "answers")
			b.ReportMetric(float64(slices.Max(took).Milliseconds()), "slowest-ms")
			median(b, "ms", took)
		})
	}
}

// signIn adds an account to the store in dir and returns its session's cookie.
func signIn(b *testing.B, s *server, dir string) string {
	b.Helper()
	const name, password = "bench", "a password for the bench"
	add := exec.Command(directoryBinary(b), "user", "add", "--password-stdin", name)
	add.Env = []string{"DATA_DIR=" + dir}
	add.Stdin = strings.NewReader(password + "\n")
	if out, err := add.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	res, err := http.Post(s.url+"/api/session", "application/json",
		strings.NewReader(fmt.Sprintf(`{"name": %q, "password": %q}`, name, password)))
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	for _, cookie := range res.Cookies() {
		if cookie.Name == "session" {
			return cookie.Name + "=" + cookie.Value
		}
	}
	b.Fatalf("no session: %s", res.Status)
	return ""
}
