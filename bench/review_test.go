package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkReview is the time of a review of two commits that differ in a setting of the
// service, for some numbers of regions, and the length of its comment. Both worktrees are
// there, and what is in them has been compiled: the first review does that, and is not
// measured.
func BenchmarkReview(b *testing.B) {
	tool := filepath.Join(b.TempDir(), "archipelago")
	run := func(b *testing.B, dir, name string, arguments ...string) {
		cmd := exec.Command(name, arguments...)
		cmd.Dir = dir
		timed(b, cmd)
	}
	run(b, root, "go", "build", "-o", tool, "./cmd/archipelago")
	modules, err := filepath.Abs(filepath.Join(root, "node_modules"))
	if err != nil {
		b.Fatal(err)
	}
	for _, count := range []int{2, 10} {
		b.Run(fmt.Sprintf("%d-regions", count), func(b *testing.B) {
			clone := filepath.Join(b.TempDir(), "clone")
			run(b, root, "git", "clone", "--quiet", "--shared", ".", clone)
			if err := os.Symlink(modules, filepath.Join(clone, "node_modules")); err != nil {
				b.Fatal(err)
			}
			settings := filepath.Join(clone, "cdk.json")
			for _, reads := range []string{"open", "signed-in"} {
				content, err := os.ReadFile(settings)
				if err != nil {
					b.Fatal(err)
				}
				var file map[string]any
				if err := json.Unmarshal(content, &file); err != nil {
					b.Fatal(err)
				}
				deployment := file["context"].(map[string]any)["archipelago"].(map[string]any)
				deployment["regions"] = regions[:count]
				deployment["service"].(map[string]any)["environment"].(map[string]any)["READS"] = reads
				if content, err = json.MarshalIndent(file, "", "  "); err != nil {
					b.Fatal(err)
				}
				if err := os.WriteFile(settings, content, 0o644); err != nil {
					b.Fatal(err)
				}
				run(b, clone, "git", "-c", "user.name=bench", "-c", "user.email=bench@example.com", "commit", "--quiet", "--message", reads, "cdk.json")
			}
			run(b, clone, tool, "review", "-base", "HEAD~")
			var samples []time.Duration
			var work time.Duration // of all processes, which a busy machine changes little
			for b.Loop() {
				cmd := exec.Command(tool, "review", "-base", "HEAD~")
				cmd.Dir = clone
				samples = append(samples, timed(b, cmd))
				work += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			}
			median(b, "ms", samples)
			b.ReportMetric(float64(work.Milliseconds())/float64(len(samples)), "cpu-ms")
			comment, err := os.Stat(filepath.Join(clone, ".archipelago", "review", "review.md"))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(comment.Size()), "B/comment")
		})
	}
}
