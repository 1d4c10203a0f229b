package simulate

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/archipelago-cdk/archipelago/scaling/simulator"
	"github.com/archipelago-cdk/archipelago/scaling/trace"
)

// printPlan prints what a fleet would plan at the end of a trace, by its last two weeks.
func printPlan(w io.Writer, t trace.Trace, f simulator.Fleet, m simulator.Model) error {
	if f.Goal == 0 {
		return errors.New("-plan: want a goal in archipelago.fleet.goal, such as 99.9, got none")
	}
	if t.Coarse() {
		return fmt.Errorf("-plan: want a trace with lines %d minutes apart at most, got %d: longer means hide the bursts that a goal is missed by", trace.Coarse, t.Every)
	}
	from := max(0, len(t.Requests)-simulator.PlanDays*24*60)
	p := simulator.NewPlan(simulator.History{
		Start: t.Start.Add(time.Duration(from) * time.Minute), Requests: t.Requests[from:],
	}, f, m, false)
	return p.Print(w)
}
