package cloud

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
)

// logTail is how many lines of each instance's log are shown.
const logTail = 100

// createLog makes the file below dir that an instance's output goes to, beside
// those of the other instances of its region.
func createLog(dir string, instance emulator.Instance) (*os.File, error) {
	path := filepath.Join(dir, instance.Region, instance.ID+".log")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
}

// Logs writes to o.Out the last lines that the instances of a region printed, each
// after its instance's id: the user data and the service, of those that have ended
// too. On AWS they are those of the last hour in the log bucket of the deployment named
// name, which get there each minute; of the running local cloud they are the machines'
// own. With follow it goes on until ctx ends.
func Logs(ctx context.Context, o Options, name, region string, follow bool) error {
	if OnAWS() {
		return logsOnAWS(ctx, o.Out, name, region, follow)
	}
	if _, err := o.running(ctx, region); err != nil {
		return err
	}
	read := map[string]*logReader{}
	for {
		paths, err := filepath.Glob(filepath.Join(o.Dir, logsDir, region, "*.log"))
		if err != nil {
			return err
		}
		for _, path := range paths {
			if read[path] == nil {
				read[path] = &logReader{path: path, first: true}
			}
			if err := read[path].copy(o.Out); err != nil {
				return err
			}
		}
		if !follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pollEvery):
		}
	}
}

// logReader reads an instance's log as it grows.
type logReader struct {
	path  string
	at    int64
	first bool // nothing was shown yet
}

// copy writes the lines that have ended since the last time, or the last few of
// them the first time.
func (r *logReader) copy(out io.Writer) error {
	f, err := os.Open(r.path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Seek(r.at, io.SeekStart); err != nil {
		return err
	}
	id := strings.TrimSuffix(filepath.Base(r.path), ".log")
	var lines []string
	for reader := bufio.NewReader(f); ; {
		line, err := reader.ReadString('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		r.at += int64(len(line))
		lines = append(lines, id+" "+line)
		if r.first && len(lines) > logTail {
			lines = lines[1:]
		}
	}
	r.first = false
	_, err = io.WriteString(out, strings.Join(lines, ""))
	return err
}

// errNothingRuns is that there is no deployment to be asked.
var errNothingRuns = errors.New("nothing runs here: run `make up` first; for what is on AWS set AWS_PROFILE")

// running returns what runs here, where it has region.
func (o *Options) running(ctx context.Context, region string) (running, error) {
	if err := o.complete(); err != nil {
		return running{}, err
	}
	r, ok := find(ctx, o.Dir)
	if !ok {
		return running{}, errNothingRuns
	}
	playing, err := emulator.Control{URL: r.Emulator}.Status(ctx)
	if err != nil {
		return running{}, err
	}
	if _, known := playing.Regions[region]; !known {
		var regions []string
		for name := range playing.Regions {
			regions = append(regions, name)
		}
		slices.Sort(regions)
		return running{}, fmt.Errorf("REGION=%s is not one of those that run here: %s", region, strings.Join(regions, ", "))
	}
	return r, nil
}
