package web

import (
	"fmt"
	"math"
	"net/netip"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// tooManyError means that something was done too often.
type tooManyError struct {
	what  string
	after time.Duration
}

func (e *tooManyError) Error() string {
	if e.after > 90*time.Second {
		return fmt.Sprintf("%s Try again in %.0f minutes.", e.what, math.Ceil(e.after.Minutes()))
	}
	return fmt.Sprintf("%s Try again in %d s.", e.what, wholeSeconds(e.after))
}

// wholeSeconds are d's, not fewer than it has and at least one.
func wholeSeconds(d time.Duration) int { return max(1, int(math.Ceil(d.Seconds()))) }

// network is what one client has to itself: an IPv4 address, or 64 bits of IPv6.
func network(client netip.Addr) string {
	if client.Is6() {
		if prefix, err := client.WithZone("").Prefix(64); err == nil {
			return prefix.String()
		}
	}
	return client.String()
}

const (
	// defaultWriteRate is Options.WriteRate's default.
	defaultWriteRate = 10
	// writeBurst is for how many seconds' writes an account may have saved up.
	writeBurst = 10
	// mostWriters is of how many accounts an instance remembers the writes.
	mostWriters = 4096
)

// writeLimits bound how often accounts write on this instance.
type writeLimits struct {
	rate     rate.Limit
	limiters *lru.Cache[string, *rate.Limiter]
}

func newWriteLimits(perSecond float64) *writeLimits {
	limiters, err := lru.New[string, *rate.Limiter](mostWriters)
	if err != nil {
		panic(err) // the size is right
	}
	return &writeLimits{rate.Limit(perSecond), limiters}
}

// take refuses a write of an account that is one too many.
func (l *writeLimits) take(account string, now time.Time) error {
	limiter, ok := l.limiters.Get(account)
	if !ok {
		limiter = rate.NewLimiter(l.rate, int(math.Ceil(writeBurst*float64(l.rate))))
		if other, ok, _ := l.limiters.PeekOrAdd(account, limiter); ok {
			limiter = other
		}
	}
	reserved := limiter.ReserveN(now, 1)
	if wait := reserved.DelayFrom(now); wait > 0 {
		reserved.CancelAt(now)
		return &tooManyError{"You change the directory faster than it takes, and nothing was saved.", wait}
	}
	return nil
}
