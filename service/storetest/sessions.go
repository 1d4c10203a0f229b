package storetest

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// Clock is a time that a test sets.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// Now returns the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance lets d go by.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// NewClock returns a clock that stands at the start of an hour near the present:
// a store may remove what expired long before its own.
func NewClock() *Clock { return &Clock{now: time.Now().UTC().Truncate(time.Hour)} }

// Sessions runs the suite on a store of sessions. newStore returns an empty one
// for which it is now what its argument says.
func Sessions(t *testing.T, newStore func(t *testing.T, now func() time.Time) directory.Sessions) {
	tests := map[string]func(*testing.T, directory.Sessions, *Clock){
		"put and get":               testSession,
		"put again":                 testPutSessionAgain,
		"delete":                    testDeleteSession,
		"expiry":                    testExpiry,
		"counts":                    testCounts,
		"every count is another":    testConcurrentCounts,
		"counts begin with windows": testWindows,
		"heartbeats":                testHeartbeats,
		"erasures":                  testErasures,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			clock := NewClock()
			test(t, newStore(t, clock.Now), clock)
		})
	}
}

func putSession(t *testing.T, s directory.Sessions, key, data string, expiry time.Time) {
	t.Helper()
	if err := s.PutSession(t.Context(), key, []byte(data), expiry); err != nil {
		t.Fatal(err)
	}
}

func wantSession(t *testing.T, s directory.Sessions, key, want string) {
	t.Helper()
	if got, err := s.Session(t.Context(), key); err != nil || string(got) != want {
		t.Errorf("got %q, %v under %q, want %q", got, err, key, want)
	}
}

func wantNoSession(t *testing.T, s directory.Sessions, key string) {
	t.Helper()
	_, err := s.Session(t.Context(), key)
	wantError(t, err, directory.ErrNotFound)
}

func testSession(t *testing.T, s directory.Sessions, clock *Clock) {
	wantNoSession(t, s, "a")
	putSession(t, s, "a", "\x00\xff of a", clock.Now().Add(time.Hour))
	putSession(t, s, "b", "", clock.Now().Add(time.Hour))
	wantSession(t, s, "a", "\x00\xff of a")
	wantSession(t, s, "b", "")
	wantNoSession(t, s, "c")
	// A session may be as large as a page.
	large := bytes.Repeat([]byte{0, 1, 2, 3}, 2048)
	putSession(t, s, "large", string(large), clock.Now().Add(time.Hour))
	wantSession(t, s, "large", string(large))
}

func testPutSessionAgain(t *testing.T, s directory.Sessions, clock *Clock) {
	putSession(t, s, "a", "first", clock.Now().Add(time.Minute))
	putSession(t, s, "a", "second", clock.Now().Add(time.Hour))
	clock.Advance(2 * time.Minute)
	wantSession(t, s, "a", "second")
}

func testDeleteSession(t *testing.T, s directory.Sessions, clock *Clock) {
	putSession(t, s, "a", "of a", clock.Now().Add(time.Hour))
	putSession(t, s, "b", "of b", clock.Now().Add(time.Hour))
	for range 2 { // the second time it is not there
		if err := s.DeleteSession(t.Context(), "a"); err != nil {
			t.Error(err)
		}
	}
	wantNoSession(t, s, "a")
	wantSession(t, s, "b", "of b")
}

func testExpiry(t *testing.T, s directory.Sessions, clock *Clock) {
	putSession(t, s, "past", "of the past", clock.Now().Add(-time.Second))
	wantNoSession(t, s, "past")
	putSession(t, s, "short", "of a minute", clock.Now().Add(time.Minute))
	putSession(t, s, "long", "of an hour", clock.Now().Add(time.Hour))
	clock.Advance(time.Minute - time.Second)
	wantSession(t, s, "short", "of a minute")
	clock.Advance(time.Second)
	wantNoSession(t, s, "short")
	putSession(t, s, "another", "to clear up", clock.Now().Add(time.Hour))
	wantNoSession(t, s, "short")
	wantSession(t, s, "long", "of an hour")
}

func wantCount(t *testing.T, s directory.Sessions, key string, window time.Duration, want int64) {
	t.Helper()
	if got, err := s.Count(t.Context(), key, window); err != nil || got != want {
		t.Errorf("got %d, %v as the count of %q, want %d", got, err, key, want)
	}
}

func testCounts(t *testing.T, s directory.Sessions, _ *Clock) {
	for want := range int64(3) {
		wantCount(t, s, "a", time.Minute, want+1)
	}
	wantCount(t, s, "b", time.Minute, 1)
	wantCounted(t, s, "a", time.Minute, 3)
	wantCounted(t, s, "b", time.Minute, 1)
	wantCounted(t, s, "c", time.Minute, 0)
	wantCount(t, s, "a", time.Minute, 4)
}

func wantCounted(t *testing.T, s directory.Sessions, key string, window time.Duration, want int64) {
	t.Helper()
	for range 2 { // to look changes nothing
		if got, err := s.Counted(t.Context(), key, window); err != nil || got != want {
			t.Errorf("%q was counted %d times, %v; want %d", key, got, err, want)
		}
	}
}

func testConcurrentCounts(t *testing.T, s directory.Sessions, _ *Clock) {
	counts := make([]int64, 8)
	var wg sync.WaitGroup
	for i := range counts {
		wg.Go(func() {
			var err error
			if counts[i], err = s.Count(t.Context(), "a", time.Minute); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	seen := map[int64]bool{}
	for _, count := range counts {
		if seen[count] || count < 1 || count > int64(len(counts)) {
			t.Errorf("got the counts %d, want 1 to %d, each once", counts, len(counts))
		}
		seen[count] = true
	}
}

func testWindows(t *testing.T, s directory.Sessions, clock *Clock) {
	wantCount(t, s, "a", time.Minute, 1)
	wantCount(t, s, "a", time.Hour, 1) // another window, another count
	clock.Advance(time.Minute - time.Millisecond)
	wantCount(t, s, "a", time.Minute, 2)
	clock.Advance(time.Millisecond)
	wantCounted(t, s, "a", time.Minute, 0)
	wantCount(t, s, "a", time.Minute, 1)
	wantCount(t, s, "a", time.Hour, 2)
}

func testHeartbeats(t *testing.T, s directory.Sessions, clock *Clock) {
	heartbeat := func(region, instance string) directory.Heartbeat {
		return directory.Heartbeat{
			Region: region, Zone: region + "a", Instance: instance, Version: "1.2.3", At: clock.Now().Add(123 * time.Millisecond),
		}
	}
	put := func(h directory.Heartbeat) directory.Heartbeat {
		t.Helper()
		if err := s.PutHeartbeat(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		return h
	}
	eventuallyHeartbeats(t, s, nil)
	put(heartbeat("us-east-1", "i-1"))
	ireland := put(heartbeat("eu-west-1", "i-2"))
	clock.Advance(time.Hour)
	virginia := put(heartbeat("us-east-1", "i-3"))
	eventuallyHeartbeats(t, s, []directory.Heartbeat{ireland, virginia})
	clock.Advance(23*time.Hour + time.Minute)
	eventuallyHeartbeats(t, s, []directory.Heartbeat{virginia})
	// It says what there was, not who sees a session.
	wantNoSession(t, s, "us-east-1")
}

// eventuallyHeartbeats waits until the list is want.
func eventuallyHeartbeats(t *testing.T, s directory.Sessions, want []directory.Heartbeat) {
	t.Helper()
	eventuallyEqual(t, "heartbeats", want, func() []directory.Heartbeat {
		got, err := s.Heartbeats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return got
	}, cmpopts.EquateEmpty())
}

func testErasures(t *testing.T, s directory.Sessions, clock *Clock) {
	put := func(content string) directory.Erasure {
		t.Helper()
		e := directory.Erasure{Key: directory.PhotoKey("ada", []byte(content), "jpg"), At: clock.Now()}
		for range 2 { // asked for again, it is listed once
			if err := s.PutErasure(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		return e
	}
	eventuallyErasures(t, s, time.Time{})
	first := put("first")
	clock.Advance(time.Millisecond)
	second := put("second")
	clock.Advance(time.Hour)
	third := put("third")
	eventuallyErasures(t, s, time.Time{}, first, second, third)
	eventuallyErasures(t, s, first.At.Add(-time.Millisecond), first, second, third)
	eventuallyErasures(t, s, first.At, second, third)
	eventuallyErasures(t, s, second.At, third)
	eventuallyErasures(t, s, third.At)
	clock.Advance(directory.ErasuresWithin - time.Hour)
	eventuallyErasures(t, s, time.Time{}, third)
}

// eventuallyErasures waits until want is listed.
func eventuallyErasures(t *testing.T, s directory.Sessions, since time.Time, want ...directory.Erasure) {
	t.Helper()
	eventuallyEqual(t, "erasures", want, func() []directory.Erasure {
		got, err := s.Erasures(t.Context(), since)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}, cmpopts.EquateEmpty())
}
