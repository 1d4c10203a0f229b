package web

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

const (
	// beatEvery is how long an instance waits between two looks at its
	// region's heartbeat, a fifth more or less.
	beatEvery = 10 * time.Second
	// beatFresh is how old that heartbeat may be to do for all instances.
	beatFresh = 8 * time.Second
	// beatWithin bounds what the store may take for one.
	beatWithin = 3 * time.Second
	// silentAfter is how long an island may say nothing and still be fine.
	silentAfter = 30 * time.Second
	// sightedFor is how long the heartbeats are shown again without asking.
	sightedFor = 2 * time.Second
	// sightWithin bounds what the store may take for a page.
	sightWithin = time.Second
)

// Beat keeps this island's heartbeat in the global table until ctx ends. A
// heartbeat that fails is logged; the next one comes in ten seconds.
func (s *Server) Beat(ctx context.Context) {
	for {
		if err := s.beat(ctx, s.Now()); err != nil && ctx.Err() == nil {
			s.Log.LogAttrs(ctx, slog.LevelWarn, "no heartbeat", slog.String("error", err.Error()))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(beatEvery*4/5 + rand.N(beatEvery*2/5)):
		}
	}
}

// beat puts this island's heartbeat, unless an instance of it just did. Beyond
// AWS there is one island, which needs none.
func (s *Server) beat(ctx context.Context, now time.Time) error {
	island := s.Island()
	if island.Region == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, beatWithin)
	defer cancel()
	heartbeats, err := s.Sessions.Heartbeats(ctx)
	if err != nil {
		return err
	}
	for _, h := range heartbeats {
		if h.Region == island.Region && now.Sub(h.At) < beatFresh {
			return nil
		}
	}
	return s.Sessions.PutHeartbeat(ctx, directory.Heartbeat{
		Region: island.Region, Zone: island.Zone, Instance: island.Instance, Version: island.Version, At: now.UTC(),
	})
}

// sightings keeps the islands' heartbeats for a moment, and beyond it while the
// store does not answer.
type sightings struct {
	mu         sync.Mutex
	heartbeats []directory.Heartbeat
	asked      time.Time
	err        error
}

// get returns the heartbeats that were read last, and an error where they are
// of before now.
func (k *sightings) get(ctx context.Context, s directory.Sessions, now time.Time) ([]directory.Heartbeat, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now.Sub(k.asked) < sightedFor {
		return k.heartbeats, k.err
	}
	ctx, cancel := forEverybody(ctx)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, sightWithin)
	defer cancel()
	heartbeats, err := s.Heartbeats(ctx)
	if err == nil {
		k.heartbeats = heartbeats
	}
	k.asked, k.err = now, err
	return k.heartbeats, err
}

// islands is the page of all islands.
type islands struct {
	Islands []sighting
	// Unheard reports whether a check of what this island's fleet reaches is absent.
	Unheard bool
	// Problem says that the islands are shown as they were, or "".
	Problem string
}

// sighting is what is known of an island.
type sighting struct {
	directory.Heartbeat
	// Here reports whether the island answers this request.
	Here bool
	// Silent reports whether it has said nothing for too long.
	Silent bool
	// Since is for how long it has said nothing, such as "4 s".
	Since string
}

// islands shows the islands, this one first, and lets a browser find out who
// answers.
func (s *Server) islands(w http.ResponseWriter, r *http.Request) error {
	now := s.Now()
	here := s.Island()
	data := islands{Unheard: s.Unheard, Islands: []sighting{{Here: true, Heartbeat: directory.Heartbeat{
		Region: here.Region, Zone: here.Zone, Instance: here.Instance, Version: here.Version,
	}}}}
	heartbeats, err := s.sightings.get(r.Context(), s.Sessions, now)
	if err != nil {
		s.Log.LogAttrs(r.Context(), slog.LevelWarn, "no heartbeats", slog.String("error", err.Error()))
		data.Problem = "What the islands say of themselves cannot be read at the moment. This is what was last known."
	}
	for _, h := range heartbeats {
		if h.Region != here.Region {
			silent := now.Sub(h.At)
			data.Islands = append(data.Islands, sighting{Heartbeat: h, Silent: silent > silentAfter, Since: since(silent)})
		}
	}
	return s.render(w, r, http.StatusOK, "islands", "Islands", islandsPage(data))
}

// Seen says when the island was.
func (s sighting) Seen() string {
	switch {
	case s.Here:
		return "Answered you just now"
	case s.Silent:
		return "Silent for " + s.Since
	default:
		return "Seen " + s.Since + " ago"
	}
}

// since is a span of time for people. Clocks of two instances may differ: what
// seems to lie ahead is now.
func since(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	default:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
}
