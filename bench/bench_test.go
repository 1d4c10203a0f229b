// Package bench measures what docs/figures.md states; `make bench` runs it.
package bench

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const root = ".."

// regions are as many as are measured at most.
var regions = []string{
	"eu-west-1", "us-east-1", "us-east-2", "us-west-2", "eu-central-1",
	"eu-west-2", "ap-northeast-1", "ap-southeast-2", "ca-central-1", "sa-east-1",
}

// median adds the median of several durations, in milliseconds, to the result.
func median(b *testing.B, name string, samples []time.Duration) {
	slices.Sort(samples)
	b.ReportMetric(float64(samples[len(samples)/2].Microseconds())/1000, name)
	b.ReportMetric(0, "ns/op") // the median says more
}

// BenchmarkSynth is the time of the CDK app, from process start to exit, and of
// the CDK CLI that runs it, for some numbers of regions.
func BenchmarkSynth(b *testing.B) {
	app := filepath.Join(b.TempDir(), "archipelago")
	build := exec.Command("go", "build", "-o", app, ".")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	bin, err := filepath.Abs(filepath.Join(root, "node_modules", ".bin"))
	if err != nil {
		b.Fatal(err)
	}
	environment := append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "CDK_DISABLE_CLI_TELEMETRY=true")
	for _, count := range []int{1, 2, 10} {
		overrides := map[string]any{
			"archipelago.regions": strings.Join(regions[:count], ","), "archipelago.account": "123456789012",
		}
		// As cdk.json has it, and as the local cloud does.
		for name, as := range map[string]struct{ flags, variables []string }{
			"app": {}, "local": {[]string{"-local", "-built"}, []string{"CDK_VALIDATION=false"}},
		} {
			b.Run(fmt.Sprintf("%s/%d-regions", name, count), func(b *testing.B) {
				context, err := json.Marshal(withFlags(b, overrides))
				if err != nil {
					b.Fatal(err)
				}
				var runs synths
				for b.Loop() {
					cmd := exec.Command(app, as.flags...)
					cmd.Dir = root
					cmd.Env = append(append(environment, "CDK_OUTDIR="+b.TempDir(), "CDK_CONTEXT_JSON="+string(context)), as.variables...)
					runs.time(b, cmd)
				}
				runs.report(b)
			})
		}
		b.Run(fmt.Sprintf("cli/%d-regions", count), func(b *testing.B) {
			var runs synths
			for b.Loop() {
				arguments := []string{"synth", "--quiet", "--no-notices", "--output", b.TempDir()}
				for key, value := range overrides {
					arguments = append(arguments, "-c", fmt.Sprint(key, "=", value))
				}
				cmd := exec.Command(filepath.Join(bin, "cdk"), arguments...)
				cmd.Dir = root
				cmd.Env = environment
				runs.time(b, cmd)
			}
			runs.report(b)
		})
	}
}

// withFlags is cdk.json's context with overrides, as the CLI passes it.
func withFlags(b *testing.B, overrides map[string]any) map[string]any {
	var file struct{ Context map[string]any }
	content, err := os.ReadFile(filepath.Join(root, "cdk.json"))
	if err != nil {
		b.Fatal(err)
	}
	if err := json.Unmarshal(content, &file); err != nil {
		b.Fatal(err)
	}
	for key, value := range overrides {
		file.Context[key] = value
	}
	return file.Context
}

// synths are how long some took, and their CPU time with that of all that they ran, which
// a busy machine changes little.
type synths struct{ took, cpu []time.Duration }

func (s *synths) time(b *testing.B, cmd *exec.Cmd) {
	s.took = append(s.took, timed(b, cmd))
	s.cpu = append(s.cpu, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
}

func (s *synths) report(b *testing.B) {
	median(b, "ms", s.took)
	median(b, "cpu-ms", s.cpu)
	b.ReportMetric(float64(slices.Min(s.took).Microseconds())/1000, "least-ms")
}

func timed(b *testing.B, cmd *exec.Cmd) time.Duration {
	start := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return time.Since(start)
}

// BenchmarkService starts the binary that is deployed on the embedded store and
// reports its size, the time to its first answer, and its memory when idle.
func BenchmarkService(b *testing.B) {
	binary, err := filepath.Abs(filepath.Join(root, "dist", "linux-"+runtime.GOARCH, "directory"))
	if err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(binary)
	if err != nil {
		b.Fatalf("%v: run `make dist ARCH=%s`", err, runtime.GOARCH)
	}
	var starts []time.Duration
	var resident []float64
	for b.Loop() {
		start, kilobytes := startService(b, binary)
		starts = append(starts, start)
		resident = append(resident, kilobytes)
	}
	slices.Sort(resident)
	median(b, "ms-to-first-answer", starts)
	b.ReportMetric(resident[len(resident)/2]/1000, "MB-idle")
	b.ReportMetric(float64(info.Size())/1e6, "MB-binary")
}

// startService starts the service once and ends it. It returns the time to the
// first answer and the resident memory, in kB, a second later.
func startService(b *testing.B, binary string) (time.Duration, float64) {
	address := freeAddress(b)
	cmd := exec.Command(binary)
	cmd.Env = []string{"LISTEN=" + address, "DATA_DIR=" + b.TempDir()}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGKILL)
		_ = cmd.Wait()
	}()
	for {
		res, err := http.Get("http://" + address + "/")
		if err == nil {
			res.Body.Close()
			break
		}
		if time.Since(start) > 10*time.Second {
			b.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	first := time.Since(start)
	time.Sleep(time.Second)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil {
		b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	kilobytes, err := strconv.ParseFloat(strings.Fields(after)[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return first, kilobytes
}
