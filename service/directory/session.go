package directory

import (
	"context"
	"time"
)

// Sessions keeps what is true for a while: sessions, counts of attempts,
// erasures and the islands' heartbeats. It has a table of its own on AWS, which every region
// has a replica of, so that a session outlives an instance and a region. Every
// method returns ErrUnavailable, wrapped, when the store does not answer.
type Sessions interface {
	// PutSession keeps data under key, a hash of the session's id, until expiry.
	// It replaces what was there.
	PutSession(ctx context.Context, key string, data []byte, expiry time.Time) error
	// Session returns what was put under key in this region, or ErrNotFound,
	// also where it has expired.
	Session(ctx context.Context, key string) (data []byte, err error)
	// DeleteSession removes what is under key. What is not there is no error.
	DeleteSession(ctx context.Context, key string) error

	// Count adds one to the count of key and returns it. Counts begin at zero
	// with each window, a span of time since the Unix epoch: with a window of a
	// minute, each minute.
	Count(ctx context.Context, key string, window time.Duration) (int64, error)
	// Counted returns the count of key in the present window, 0 where nothing was
	// counted in it.
	Counted(ctx context.Context, key string, window time.Duration) (int64, error)

	// PutErasure asks every region to erase a photo. It is listed for a day.
	PutErasure(ctx context.Context, e Erasure) error
	// Erasures lists what was asked for after since, and within the last day, by
	// time. It may miss those of the last moments, and of other regions for as
	// long as replication takes.
	Erasures(ctx context.Context, since time.Time) ([]Erasure, error)

	// PutHeartbeat keeps h as its region's last one.
	PutHeartbeat(ctx context.Context, h Heartbeat) error
	// Heartbeats lists the last one of each region that had one within the last
	// day, by region. It may miss changes of the last moments.
	Heartbeats(ctx context.Context) ([]Heartbeat, error)
}

// Erasure asks for a photo to be erased: its employee was deleted, or has another
// one. What is put under its key later stays.
type Erasure struct {
	// Key is the photo's.
	Key string
	// At is when it was asked for, in UTC, in whole milliseconds.
	At time.Time
}

// ErasuresWithin is how long an erasure is listed.
const ErasuresWithin = 24 * time.Hour

// HeartbeatsWithin is how long a heartbeat is listed.
const HeartbeatsWithin = 24 * time.Hour

// Heartbeat says that an island lives.
type Heartbeat struct {
	// Region is the AWS region. Required.
	Region string
	// Zone, Instance and Version are of the instance that says it.
	Zone     string
	Instance string
	Version  string
	// At is when, in UTC.
	At time.Time
}
