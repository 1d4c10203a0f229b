package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// PutSession implements directory.Sessions. It removes sessions that have
// expired.
func (s *Store) PutSession(ctx context.Context, key string, data []byte, expiry time.Time) error {
	if data == nil {
		data = []byte{}
	}
	return s.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE expiry <= ?", s.Now().UnixMilli()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO sessions (key, data, expiry) VALUES (?, ?, ?)",
			key, data, expiry.UnixMilli())
		return err
	})
}

// Session implements directory.Sessions.
func (s *Store) Session(ctx context.Context, key string) ([]byte, error) {
	var data []byte
	err := s.reads.QueryRowContext(ctx, "SELECT data FROM sessions WHERE key = ? AND expiry > ?", key, s.Now().UnixMilli()).Scan(&data)
	return found(data, err)
}

// DeleteSession implements directory.Sessions.
func (s *Store) DeleteSession(ctx context.Context, key string) error {
	_, err := s.writes.ExecContext(ctx, "DELETE FROM sessions WHERE key = ?", key)
	return unavailable(err)
}

// Count implements directory.Sessions. It removes counts of windows that are
// over.
func (s *Store) Count(ctx context.Context, key string, window time.Duration) (count int64, err error) {
	now := s.Now()
	key, expiry := countKey(key, window, now)
	err = s.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM counts WHERE expiry <= ?", now.UnixMilli()); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `INSERT INTO counts (key, count, expiry) VALUES (?, 1, ?)
			ON CONFLICT (key) DO UPDATE SET count = count + 1 RETURNING count`, key, expiry.UnixMilli()).Scan(&count)
	})
	return count, err
}

// Counted implements directory.Sessions.
func (s *Store) Counted(ctx context.Context, key string, window time.Duration) (count int64, err error) {
	key, _ = countKey(key, window, s.Now())
	err = s.reads.QueryRowContext(ctx, "SELECT count FROM counts WHERE key = ?", key).Scan(&count)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return count, unavailable(err)
}

// countKey is the key of the row that counts key now: a window has a row of its
// own, which is over when the window is.
func countKey(key string, window time.Duration, now time.Time) (row string, end time.Time) {
	n := now.UnixNano() / int64(window)
	return fmt.Sprintf("%s#%s#%d", key, window, n), time.Unix(0, (n+1)*int64(window))
}

// PutErasure implements directory.Sessions. It removes erasures that are listed
// no more.
func (s *Store) PutErasure(ctx context.Context, e directory.Erasure) error {
	return s.write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM erasures WHERE at <= ?", s.Now().Add(-directory.ErasuresWithin).UnixMilli()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, "INSERT OR REPLACE INTO erasures (at, key) VALUES (?, ?)", e.At.UnixMilli(), e.Key)
		return err
	})
}

// Erasures implements directory.Sessions.
func (s *Store) Erasures(ctx context.Context, since time.Time) ([]directory.Erasure, error) {
	if day := s.Now().Add(-directory.ErasuresWithin); since.Before(day) {
		since = day
	}
	rows, err := s.reads.QueryContext(ctx, "SELECT at, key FROM erasures WHERE at > ? ORDER BY at, key", since.UnixMilli())
	return collect(rows, err, func(row scanner) (e directory.Erasure, err error) {
		var at int64
		err = row.Scan(&at, &e.Key)
		e.At = time.UnixMilli(at).UTC()
		return e, err
	})
}

// PutHeartbeat implements directory.Sessions.
func (s *Store) PutHeartbeat(ctx context.Context, h directory.Heartbeat) error {
	_, err := s.writes.ExecContext(ctx, "INSERT OR REPLACE INTO heartbeats (region, zone, instance, version, at) VALUES (?, ?, ?, ?, ?)",
		h.Region, h.Zone, h.Instance, h.Version, h.At.UnixMilli())
	return unavailable(err)
}

// Heartbeats implements directory.Sessions.
func (s *Store) Heartbeats(ctx context.Context) ([]directory.Heartbeat, error) {
	rows, err := s.reads.QueryContext(ctx, "SELECT region, zone, instance, version, at FROM heartbeats WHERE at > ? ORDER BY region",
		s.Now().Add(-directory.HeartbeatsWithin).UnixMilli())
	return collect(rows, err, func(row scanner) (h directory.Heartbeat, err error) {
		var at int64
		err = row.Scan(&h.Region, &h.Zone, &h.Instance, &h.Version, &at)
		h.At = time.UnixMilli(at).UTC()
		return h, err
	})
}
