package balancer

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
)

// Target is what a balancer sends requests to: an instance's service or a
// function.
type Target struct {
	// Addr is the service's host and port.
	Addr string
	// Function is asked instead, if there is one.
	Function Function
}

// group is a target group. Its balancer's lock guards it.
type group struct {
	config  emulator.TargetGroup
	targets map[string]*target
	// answers are of all requests but health checks.
	answers Answers
}

// target is one of a group's.
type target struct {
	Target
	group    string // ARN
	health   Health
	checking bool
	inFlight int
}

// update takes the targets that there are now. find returns one, or false while
// it cannot be asked.
func (g *group) update(config emulator.TargetGroup, find func(id string) (Target, bool)) {
	g.config = config
	for id := range g.targets {
		if !slices.Contains(config.Targets, id) {
			delete(g.targets, id)
		}
	}
	for _, id := range config.Targets {
		if found, ok := find(id); ok && g.targets[id] == nil {
			g.targets[id] = &target{Target: found, group: config.ARN}
		}
	}
}

// healthy reports whether a target is.
func (g *group) healthy() bool {
	for _, t := range g.targets {
		if t.health.State == Healthy {
			return true
		}
	}
	return false
}

// pick returns the target with the fewest requests in flight among the healthy
// ones, or among all when none is: a load balancer fails open (rule 16b).
func (g *group) pick() *target {
	var best *target
	for _, t := range g.targets {
		switch {
		case best == nil,
			t.health.State == Healthy && best.health.State != Healthy,
			(t.health.State == Healthy) == (best.health.State == Healthy) && t.inFlight < best.inFlight:
			best = t
		}
	}
	return best
}

// passes asks a target once.
func (b *Balancer) passes(ctx context.Context, t Target, config emulator.TargetGroup) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(config.Timeout)*time.Second)
	defer cancel()
	status, err := b.status(ctx, t, config)
	return err == nil && fmt.Sprint(status) == config.Status
}

func (b *Balancer) status(ctx context.Context, t Target, config emulator.TargetGroup) (int, error) {
	if t.Function != nil {
		return checkFunction(ctx, t.Function, config)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.Addr+config.Path, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("User-Agent", healthChecker)
	res, err := b.client.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}
