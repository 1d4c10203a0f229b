package web

import (
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestLoadBurnsItsShareForItsTime counts what is burnt, on a clock of its own.
func TestLoadBurnsItsShareForItsTime(t *testing.T) {
	for _, share := range []int{minLoadShare, 55, maxLoadShare} {
		synctest.Test(t, func(t *testing.T) {
			var burnt atomic.Int64
			l := newLoad(func(d time.Duration) {
				burnt.Add(int64(d))
				time.Sleep(d)
			})
			const length = maxLoadSeconds * time.Second
			if err := l.start(burning{Share: share}, length); err != nil {
				t.Fatal(err)
			}
			time.Sleep(length - time.Second)
			if l.state() == nil {
				t.Error("it ended early")
			}
			time.Sleep(time.Second + 2*loadPeriod)
			if l.state() != nil {
				t.Error("it goes on")
			}
			want := length * time.Duration(share) / 100
			got := time.Duration(burnt.Load()) / time.Duration(runtime.GOMAXPROCS(0))
			if got < want-loadPeriod || got > want+loadPeriod {
				t.Errorf("%d %%: each core burnt for %s, want %s", share, got, want)
			}
		})
	}
}

func TestLoadStopsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLoad(time.Sleep)
		if err := l.start(burning{Share: maxLoadShare}, time.Minute); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if !l.end() || l.state() != nil {
			t.Error("it goes on")
		}
		if took := time.Since(start); took > loadPeriod {
			t.Errorf("it took %s to end", took)
		}
		if l.end() {
			t.Error("it ended twice")
		}
		if err := l.start(burning{Share: maxLoadShare}, time.Minute); err != nil {
			t.Errorf("another one after it: %v", err)
		}
		l.close()
		if err := l.start(burning{Share: maxLoadShare}, time.Minute); statusOf(err).status != 503 {
			t.Errorf("another one after the last: %v", err)
		}
	})
}

// TestSpinKeepsACoreBusy for as long as it says.
func TestSpinKeepsACoreBusy(t *testing.T) {
	start := time.Now()
	spin(20 * time.Millisecond)
	if took := time.Since(start); took < 20*time.Millisecond {
		t.Errorf("it took %s", took)
	}
}
