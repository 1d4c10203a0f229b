package bench

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// scene is a picture with broad shapes, and noise of an amplitude as a camera's.
func scene(width, height int, noise float64) *image.RGBA {
	random := rand.New(rand.NewPCG(1, 2))
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			fx, fy := float64(x)/float64(width), float64(y)/float64(height)
			grain := random.NormFloat64() * noise
			m.SetRGBA(x, y, color.RGBA{
				level(140 + 80*math.Sin(9*fx+4*fy) + grain),
				level(120 + 70*math.Sin(5*fx*fy*9) + grain),
				level(110 + 60*math.Cos(7*fy-3*fx) + grain), 255,
			})
		}
	}
	return m
}

func level(v float64) uint8 { return uint8(max(0, min(255, v))) }

// baseline is a JPEG of m as image/jpeg and cameras make them: 4:2:0.
func baseline(b *testing.B, m image.Image, quality int) []byte {
	b.Helper()
	var out bytes.Buffer
	if err := jpeg.Encode(&out, m, &jpeg.Options{Quality: quality}); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}

// ofSize is a JPEG of about size bytes.
func ofSize(b *testing.B, width, height, size int) []byte {
	b.Helper()
	low, high := 0.0, 64.0
	for {
		noise := (low + high) / 2
		content := baseline(b, scene(width, height, noise), 90)
		switch off := len(content) - size; {
		case off > size/100:
			high = noise
		case off < -size/100:
			low = noise
		default:
			return content
		}
	}
}

// cjpeg is a JPEG of m that image/jpeg does not make.
func cjpeg(b *testing.B, m *image.RGBA, arguments ...string) []byte {
	b.Helper()
	var in bytes.Buffer
	fmt.Fprintf(&in, "P6 %d %d 255\n", m.Rect.Dx(), m.Rect.Dy())
	for i := 0; i < len(m.Pix); i += 4 {
		in.Write(m.Pix[i : i+3])
	}
	var out, problem bytes.Buffer
	cmd := exec.Command("cjpeg", arguments...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &in, &out, &problem
	if err := cmd.Run(); err != nil {
		b.Fatalf("cjpeg: %v (Debian's package libjpeg-turbo-progs has it)\n%s", err, problem.String())
	}
	return out.Bytes()
}

// uploads sends photos to a service of its own.
type uploads struct {
	*server
	b      *testing.B
	ids    []string
	client *http.Client
	// cookie is the session's, "" where none is asked for.
	cookie string
}

func newUploads(b *testing.B) *uploads {
	b.Helper()
	dir := b.TempDir()
	ids := fill(b, dir, 100)
	service := serve(b, directoryBinary(b), "DATA_DIR="+dir, "WRITE_RATE=1000")
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	b.Cleanup(transport.CloseIdleConnections)
	return &uploads{server: service, b: b, ids: ids, client: &http.Client{Transport: transport}, cookie: signIn(b, service, dir)}
}

// put sets the photo of employee i and returns the answer's status.
func (u *uploads) put(i int, content []byte) (int, error) {
	req, err := http.NewRequest(http.MethodPut, u.url+"/api/employees/"+u.ids[i]+"/photo", bytes.NewReader(content))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "image/jpeg")
	req.Header.Set("Cookie", u.cookie)
	return u.do(req)
}

func (u *uploads) do(req *http.Request) (int, error) {
	res, err := u.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	if res.StatusCode == http.StatusServiceUnavailable && res.Header.Get("Retry-After") == "" {
		err = fmt.Errorf("status 503 without Retry-After")
	}
	return res.StatusCode, err
}

// peak is the most memory that the service had, in MB.
func (u *uploads) peak() float64 {
	u.b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", u.process.Pid))
	if err != nil {
		u.b.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	kilobytes, err := strconv.ParseFloat(strings.Fields(after)[0], 64)
	if err != nil {
		u.b.Fatal(err)
	}
	return kilobytes / 1000
}

// reading reads the list a hundred times a second until the function that it
// returns is called, which returns the 99th percentile of the times.
func (u *uploads) reading() func() time.Duration {
	u.b.Helper()
	stop, done := make(chan struct{}), make(chan []time.Duration)
	go func() {
		var took []time.Duration
		for tick := time.Tick(10 * time.Millisecond); ; {
			select {
			case <-stop:
				done <- took
				return
			case <-tick:
			}
			req, err := http.NewRequest(http.MethodGet, u.url+"/", nil)
			if err != nil {
				u.b.Error(err)
				continue
			}
			start := time.Now()
			if status, err := u.do(req); err != nil || status != http.StatusOK {
				u.b.Errorf("the list: status %d, %v", status, err)
			}
			took = append(took, time.Since(start))
		}
	}()
	return func() time.Duration {
		close(stop)
		took := <-done
		slices.Sort(took)
		return took[len(took)*99/100]
	}
}

// BenchmarkUploads is how many photos a second the service takes of four
// clients, each from the request to the answer.
func BenchmarkUploads(b *testing.B) {
	for name, content := range map[string][]byte{
		"811kB-1200x1600": ofSize(b, 1200, 1600, 811_000),
		"shrunk-768x576":  baseline(b, scene(768, 576, 6), 85),
	} {
		b.Run(name, func(b *testing.B) {
			u := newUploads(b)
			var rates []float64
			for b.Loop() {
				rates = append(rates, u.rate(content, 4, 4*time.Second))
			}
			slices.Sort(rates)
			b.ReportMetric(rates[len(rates)/2], "photos/s")
			b.ReportMetric(float64(len(content))/1000, "kB")
			b.ReportMetric(u.peak(), "MB-peak")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// rate is how many photos a second some clients get kept.
func (u *uploads) rate(content []byte, clients int, during time.Duration) float64 {
	u.b.Helper()
	var kept atomic.Int64
	var group sync.WaitGroup
	start := time.Now()
	for i := range clients {
		group.Go(func() {
			for time.Since(start) < during {
				if status, err := u.put(i, content); err != nil || status != http.StatusOK {
					u.b.Errorf("status %d, %v", status, err)
					return
				}
				kept.Add(1)
			}
		})
	}
	group.Wait()
	return float64(kept.Load()) / time.Since(start).Seconds()
}

// BenchmarkManyLargeUploads sends 32 photos of 12 megapixels at once, while
// somebody reads the list.
func BenchmarkManyLargeUploads(b *testing.B) {
	large := scene(4000, 3000, 5)
	for name, content := range map[string][]byte{
		"baseline-420":    baseline(b, large, 88),
		"baseline-444":    cjpeg(b, large, "-quality", "88", "-sample", "1x1"),
		"progressive-444": cjpeg(b, large, "-quality", "88", "-sample", "1x1", "-progressive"),
	} {
		b.Run(name, func(b *testing.B) {
			u := newUploads(b)
			stop := u.reading()
			time.Sleep(3 * time.Second)
			idle := stop()
			var slowest, tails []time.Duration
			var refused int64
			for b.Loop() {
				stop := u.reading()
				took, busy := u.atOnce(content, 32)
				slowest, tails, refused = append(slowest, took), append(tails, stop()), refused+busy
			}
			slices.Sort(slowest)
			slices.Sort(tails)
			tail := tails[len(tails)/2]
			b.ReportMetric(slowest[len(slowest)/2].Seconds(), "s-slowest")
			b.ReportMetric(float64(refused), "busy")
			b.ReportMetric(u.peak(), "MB-peak")
			b.ReportMetric(float64(tail.Microseconds())/1000, "list-p99-ms")
			b.ReportMetric(float64(idle.Microseconds())/1000, "list-p99-ms-idle")
			b.ReportMetric(float64(len(content))/1e6, "MB")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// atOnce returns how long the slowest answer takes of as many uploads at once,
// and how many are refused since the service is busy.
func (u *uploads) atOnce(content []byte, count int) (slowest time.Duration, refused int64) {
	u.b.Helper()
	var busy atomic.Int64
	var group sync.WaitGroup
	start := time.Now()
	for i := range count {
		group.Go(func() {
			switch status, err := u.put(i, content); {
			case err == nil && status == http.StatusServiceUnavailable:
				busy.Add(1)
			case err != nil || status != http.StatusOK:
				u.b.Errorf("status %d, %v", status, err)
			}
		})
	}
	group.Wait()
	return time.Since(start), busy.Load()
}
