package cloud_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/cloud"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/archipelago-cdk/archipelago/internal/matrix"
	"github.com/archipelago-cdk/archipelago/scaling/trace"
)

const (
	// replayed is the pace of the recorded hours, and night what is before them: nobody
	// asks then, and the clock jumps.
	replayed    = 120
	night       = 16 * time.Hour
	recordedFor = 8*time.Hour + 30*time.Minute
	// busiestMinute is how many requests the recorded load's busiest minute is made.
	busiestMinute = 20
)

// TestRecordedDay replays recorded hours against the local cloud, until the scaler plans
// by what the emulator has measured of them. A burst right after it fails no request. It
// runs alone: at its pace a busy machine would be late.
func TestRecordedDay(t *testing.T) {
	if !matrix.All() {
		t.Skip("it takes six minutes: make shard SHARD=7")
	}
	recorded, err := trace.ReadFile("../../scaling/traces/nab-elb.csv")
	if err != nil {
		t.Fatal(err)
	}
	d := beginBuilds(t)
	// The past begins with a request. It is reported when its minute is over, at the clock's
	// time then: after a jump, it would begin in the morning.
	fetch(t, d.running.URL)
	time.Sleep(2 * time.Minute / calm)
	emulatortest.Advance(t, d.control, night)
	load := recorded.Requests[24*60+int(night.Minutes()):]
	sent, failed := d.replay(t, load[:int(recordedFor.Minutes())])
	if failed > 0 {
		t.Errorf("%d of %d requests failed", failed, sent)
	}
	var plan string
	d.pace(t, replayed)
	awaitFor(t, 3*time.Minute, func() error { // an hour at most, at this pace
		var out bytes.Buffer
		err := cloud.Planned(t.Context(), cloud.Options{Root: "../..", Dir: d.dir, Out: &out}, "archipelago", "eu-west-1")
		plan = out.String()
		if err != nil || !strings.Contains(plan, "the floor is m7g.medium: in the last 1 days") {
			return fmt.Errorf("the scaler has planned %s: %v", plan, err)
		}
		return nil
	})
	t.Logf("%d requests; %s", sent, plan)

	d.pace(t, building)
	burst := startPlainLoad(t, d.running)
	awaitFor(t, 4*time.Minute, func() error {
		if g := theGroup(t, d.running); *g.DesiredCapacity < 3 || len(g.Instances) < 3 {
			return fmt.Errorf("%d instances, %d are wanted: want three", len(g.Instances), *g.DesiredCapacity)
		}
		return allHealthy(t, d.running, 3)
	})
	burst.stop()
	if n := burst.failed.Load(); n > 0 || burst.sent.Load() == 0 {
		t.Errorf("%d of %d requests of the burst failed", n, burst.sent.Load())
	}
	t.Logf("a burst of %d requests at pace %d", burst.sent.Load(), building)
}

// replay sends a load's requests, a minute of it in each of the emulator's, and returns
// how many there were, and how many failed.
func (d *day) replay(t *testing.T, load []float64) (sent, failed int64) {
	t.Helper()
	if err := d.control.RegisterLoad(t.Context(), loadClient); err != nil {
		t.Fatal(err)
	}
	d.pace(t, replayed)
	most := 0.0
	for _, requests := range load {
		most = max(most, requests)
	}
	var failures atomic.Int64
	var asking sync.WaitGroup
	client := &http.Client{Timeout: 10 * time.Second}
	const minute = time.Minute / replayed
	began := time.Now()
	for m, requests := range load {
		n := max(1, int(busiestMinute*requests/most))
		for i := range n {
			time.Sleep(time.Until(began.Add(time.Duration(m)*minute + time.Duration(i)*minute/time.Duration(n))))
			sent++
			asking.Go(func() {
				if err := ask(t.Context(), client, d.running.URL); err != nil {
					failures.Add(1)
					t.Log(err)
				}
			})
		}
	}
	asking.Wait()
	if err := d.control.UnregisterLoad(t.Context(), loadClient); err != nil {
		t.Error(err)
	}
	return sent, failures.Load()
}

// ask gets a page, all of it.
func ask(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err = io.Copy(io.Discard, res.Body); err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, res.Status)
	}
	return err
}
