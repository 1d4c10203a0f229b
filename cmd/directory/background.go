package main

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/archipelago-cdk/archipelago/service/sweep"
)

const (
	// repairEvery is how long it is on average between two repairs of the lists.
	repairEvery = 15 * time.Second
	// repairWithin bounds one.
	repairWithin = time.Minute
)

// background runs tasks that end with their context, and returns what ends them
// and waits.
func background(ctx context.Context, tasks ...func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	for _, task := range tasks {
		all.Go(func() { task(ctx) })
	}
	return func() {
		cancel()
		all.Wait()
	}
}

// chores are what the service does that nobody asks it for.
func chores(s *stores, log *slog.Logger) []func(context.Context) {
	sweeper := &sweep.Sweeper{Photos: s.photos, Employees: s.employees, Now: time.Now, Log: log}
	eraser := &sweep.Eraser{Sessions: s.sessions, Photos: s.photos, Employees: s.employees, Now: time.Now, Log: log}
	tasks := []func(context.Context){sweeper.Run, eraser.Run}
	if s.repair != nil {
		tasks = append(tasks, func(ctx context.Context) { repair(ctx, s.repair, log) })
	}
	return tasks
}

// repair finishes, until ctx ends, what processes that died and regions that
// were cut off left behind.
func repair(ctx context.Context, once func(context.Context, time.Time) error, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(repairEvery/2 + rand.N(repairEvery)): // processes apart
		}
		within, cancel := context.WithTimeout(ctx, repairWithin)
		err := once(within, time.Now())
		cancel()
		if err != nil && ctx.Err() == nil {
			log.Warn("the lists were not repaired", "error", err.Error())
		}
	}
}
