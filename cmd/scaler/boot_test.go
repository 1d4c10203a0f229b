package main

import (
	"testing"
	"time"
)

// TestBootIsMeasured from launches until as many more are healthy, where nothing else
// happens meanwhile.
func TestBootIsMeasured(t *testing.T) {
	at := func(minute int, seconds int) time.Time {
		return midnight.Add(time.Duration(minute)*time.Minute + time.Duration(seconds)*time.Second)
	}
	// Two more at each hour, healthy after two minutes, or three at 2:00; they end half
	// an hour later.
	p := &past{end: at(300, 0), healthy: every(300, func(m int) float64 {
		took := 2
		if m >= 120 && m < 180 {
			took = 3
		}
		if m >= 60 && m%60 >= took && m%60 < 30 {
			return 4
		}
		return 2
	})}
	p.changes = []change{{at(5, 0), true}}
	for hour := 1; hour < 5; hour++ {
		p.changes = append(p.changes, change{at(60*hour, 10), true}, change{at(60*hour, 12), true}, change{at(60*hour+30, 0), false})
	}
	if got := p.boot(); got != 3*time.Minute {
		t.Errorf("%s, want 3m0s: it is the longest", got)
	}
	two := *p
	two.changes = p.changes[:7] // the hours of one and two
	if got := two.boot(); got != 0 {
		t.Errorf("of two launches it is %s, want none", got)
	}
	busy := *p
	busy.changes = nil
	for _, c := range p.changes {
		busy.changes = append(busy.changes, change{c.at.Add(-5 * time.Minute), false}, c)
	}
	if got := busy.boot(); got != 0 {
		t.Errorf("while others end it is %s, want none", got)
	}
	sick := *p
	sick.healthy = every(300, func(int) float64 { return 2 })
	if got := sick.boot(); got != 0 {
		t.Errorf("of instances that are never healthy it is %s, want none", got)
	}
}
