package web

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// Attempts to sign in, right or wrong, within attemptWindow. The stores count
// them, so that they hold whichever instance answers.
const (
	attemptWindow = 5 * time.Minute
	// attemptsFrom is how many a client may make.
	attemptsFrom = 30
	// attemptsOfAt is how many a client may make at one account.
	attemptsOfAt = 10
	// attemptsAt is how many all clients together may make at one account. It is
	// far above one client's, so that a stranger does not lock anybody out.
	attemptsAt = 100
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

// attemptLimit is how many attempts are counted under a key.
type attemptLimit struct {
	key  string
	most int64
}

// attemptLimits are those of a client's attempts at an account, the client's own
// first: what it cannot do any more is nobody else's attempt.
func attemptLimits(client netip.Addr, name string) []attemptLimit {
	from := network(client)
	limits := []attemptLimit{{"sign-in from " + from, attemptsFrom}}
	if directory.ValidAccountName(name) {
		limits = append(limits,
			attemptLimit{"sign-in from " + from + " at " + name, attemptsOfAt},
			attemptLimit{"sign-in at " + name, attemptsAt})
	}
	return limits
}

// countAttempt counts an attempt to sign in, and refuses one too many.
func (s *Server) countAttempt(ctx context.Context, client netip.Addr, name string) error {
	for _, limit := range attemptLimits(client, name) {
		count, err := s.Sessions.Count(ctx, limit.key, attemptWindow)
		if err != nil {
			return fmt.Errorf("attempts to sign in: %w", err)
		}
		if count > limit.most {
			left := attemptWindow - time.Duration(s.Now().UnixNano()%int64(attemptWindow))
			return &tooManyError{"There were too many attempts to sign in.", left}
		}
	}
	return nil
}

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
