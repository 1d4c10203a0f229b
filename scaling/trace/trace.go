// Package trace reads a load over time, against which scaling can be tried.
//
// A trace is CSV with a header. The columns are the time (RFC 3339), the
// requests a second that all users together make from then on, and, if there is
// something to tell, an event:
//
//	time,requests/s,event
//	2026-01-05T00:00:00Z,120,
//	2026-01-05T00:05:00Z,131.5,leak 40
//
// Lines are the same whole number of minutes apart. Between two lines the load
// changes evenly. Events are "zone lost" and "zone back", for one of the fleet's
// zones; "leak N": from then on each instance's memory grows by N MiB an hour; "no
// capacity TYPE": from then on no instance of a type can be launched; and "capacity
// back".
package trace

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"
)

// Trace is a load over time.
type Trace struct {
	// Start is the first minute.
	Start time.Time
	// Requests are the requests a second in each minute.
	Requests []float64
	// Every is how many minutes its lines are apart. Between them the load is only
	// thought to change evenly.
	Every int
	// Events are what happens meanwhile, in order.
	Events []Event
}

// Event is something that happens to the fleet.
type Event struct {
	// Minute is when, since Start.
	Minute int
	// Kind is what happens.
	Kind EventKind
	// MiBPerHour is how fast memory leaks on each instance, for Leak.
	MiBPerHour float64
	// Type is the instance type, for NoCapacity.
	Type string
}

// EventKind is a kind of event.
type EventKind string

const (
	// ZoneLost: one of the fleet's zones fails.
	ZoneLost EventKind = "zone lost"
	// ZoneBack: it works again.
	ZoneBack EventKind = "zone back"
	// Leak: instances begin to leak memory, or with 0 cease to.
	Leak EventKind = "leak"
	// NoCapacity: no instance of a type can be launched.
	NoCapacity EventKind = "no capacity"
	// CapacityBack: all can again.
	CapacityBack EventKind = "capacity back"
)

// Coarse is how many minutes apart lines are at most that tell of bursts: longer means
// hide the minutes in which requests are late.
const Coarse = 5

// Coarse reports whether the trace's lines are too far apart to tell of bursts.
func (t Trace) Coarse() bool { return t.Every > Coarse }

const (
	header       = "time,requests/s"
	headerEvents = header + ",event"
	// maxRequests a second are more than any fleet here serves; it keeps sums finite.
	maxRequests = 1e9
	// maxLength bounds what has to be kept in memory.
	maxLength = 10 * 366 * 24 * time.Hour
	// maxProblems are told one by one.
	maxProblems = 20
)

// ReadFile reads the trace in a file.
func ReadFile(path string) (Trace, error) {
	file, err := os.Open(path)
	if err != nil {
		return Trace{}, err
	}
	defer file.Close()
	t, err := Read(file)
	if err != nil {
		return Trace{}, fmt.Errorf("%s is not a trace:\n%w", path, err)
	}
	return t, nil
}

// Read reads a trace. The error joins what is wrong with each line: values that
// are not numbers, negative, or beyond 1e9, times that are invalid, go back, or leave
// a gap, events that are unknown; and a trace of fewer than two lines.
func Read(r io.Reader) (Trace, error) {
	lines := csv.NewReader(r)
	lines.FieldsPerRecord = -1 // told with the line's other problems
	first, err := lines.Read()
	if errors.Is(err, io.EOF) {
		return Trace{}, fmt.Errorf("line 1: want the header %q, got nothing", header)
	}
	if err != nil {
		return Trace{}, err
	}
	if got := strings.Join(first, ","); got != header && got != headerEvents {
		return Trace{}, fmt.Errorf("line 1: want the header %q or %q, got %q", header, headerEvents, got)
	}
	p := parser{columns: len(first)}
	for {
		record, err := lines.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			p.problems = append(p.problems, err)
			break // quotes are broken from here on
		}
		line, _ := lines.FieldPos(0)
		p.parse(line, record)
	}
	if p.lines < 2 && len(p.problems) == 0 {
		p.problems = append(p.problems, fmt.Errorf("want two lines of load at least after the header, got %d", p.lines))
	}
	return p.trace, p.err()
}

// parser reads lines of load and collects what is wrong with them.
type parser struct {
	columns  int
	trace    Trace
	lines    int
	first    time.Time
	last     time.Time
	step     time.Duration
	problems []error
}

func (p *parser) parse(line int, record []string) {
	before := len(p.problems)
	wrong := func(want, got string) {
		p.problems = append(p.problems, fmt.Errorf("line %d: want %s, got %q", line, want, got))
	}
	if len(record) != p.columns {
		wrong(fmt.Sprintf("%d columns as in the header", p.columns), strings.Join(record, ","))
		return
	}
	at, err := time.Parse(time.RFC3339, record[0])
	if err != nil {
		wrong(`a time such as "2026-01-05T00:00:00Z"`, record[0])
	}
	load, err := strconv.ParseFloat(record[1], 64)
	if err != nil || math.IsNaN(load) || load < 0 || load > maxRequests {
		wrong("requests a second, from 0 to 1e9", record[1])
	}
	event := Event{}
	if p.columns == 3 && record[2] != "" {
		if event, err = parseEvent(record[2]); err != nil {
			wrong(err.Error(), record[2])
		}
	}
	if len(p.problems) == before {
		p.check(line, at)
	}
	if p.first.IsZero() {
		p.first = at
	}
	if !at.IsZero() {
		p.last = at
	}
	if len(p.problems) > 0 {
		return
	}
	p.add(at, load, event)
}

// check compares a line's time with that of the one before.
func (p *parser) check(line int, at time.Time) {
	if p.last.IsZero() {
		return
	}
	step := at.Sub(p.last)
	switch {
	case step <= 0:
		p.problems = append(p.problems, fmt.Errorf("line %d: want a time after %s, got %s", line, p.last.Format(time.RFC3339), at.Format(time.RFC3339)))
	case at.Sub(p.first) > maxLength:
		p.problems = append(p.problems, fmt.Errorf("line %d: want ten years at most, got %s after %s", line, at.Format(time.RFC3339), p.first.Format(time.RFC3339)))
	case p.step == 0 && step%time.Minute != 0:
		p.problems = append(p.problems, fmt.Errorf("line %d: want lines a whole number of minutes apart, got %s", line, step))
	case p.step == 0:
		p.step = step
		p.trace.Every = int(step.Minutes())
	case step != p.step:
		p.problems = append(p.problems, fmt.Errorf("line %d: want lines %s apart as those before, got %s after %s: the trace has a gap",
			line, p.step, step, p.last.Format(time.RFC3339)))
	}
}

// add appends a line, and what lies between the one before and it.
func (p *parser) add(at time.Time, load float64, event Event) {
	t := &p.trace
	if p.lines == 0 {
		t.Start = at
	} else {
		from, minutes := t.Requests[len(t.Requests)-1], int(p.step.Minutes())
		for i := 1; i < minutes; i++ {
			t.Requests = append(t.Requests, from+(load-from)*float64(i)/float64(minutes))
		}
	}
	if event.Kind != "" {
		event.Minute = len(t.Requests)
		t.Events = append(t.Events, event)
	}
	t.Requests = append(t.Requests, load)
	p.lines++
}

func (p *parser) err() error {
	if more := len(p.problems) - maxProblems; more > 0 {
		p.problems = append(p.problems[:maxProblems], fmt.Errorf("and %d more", more))
	}
	return errors.Join(p.problems...)
}

func parseEvent(s string) (Event, error) {
	kind, value, _ := strings.Cut(s, " ")
	switch {
	case s == string(ZoneLost), s == string(ZoneBack), s == string(CapacityBack):
		return Event{Kind: EventKind(s)}, nil
	case kind == string(Leak):
		if rate, err := strconv.ParseFloat(value, 64); err == nil && rate >= 0 && rate <= 1e6 {
			return Event{Kind: Leak, MiBPerHour: rate}, nil
		}
	case strings.HasPrefix(s, string(NoCapacity)+" "):
		return Event{Kind: NoCapacity, Type: strings.TrimPrefix(s, string(NoCapacity)+" ")}, nil
	}
	return Event{}, errors.New(`"zone lost", "zone back", "leak" with MiB an hour, such as "leak 40", "no capacity" with a type, such as "no capacity m7g.large", or "capacity back"`)
}

// Write writes a trace as Read reads it, one line for each minute.
func (t Trace) Write(w io.Writer, every int) error {
	lines := csv.NewWriter(w)
	columns := strings.Split(header, ",")
	if len(t.Events) > 0 {
		columns = strings.Split(headerEvents, ",")
	}
	records := [][]string{columns}
	events := t.Events
	for minute := 0; minute < len(t.Requests); minute += every {
		record := []string{t.Start.Add(time.Duration(minute) * time.Minute).Format(time.RFC3339),
			strconv.FormatFloat(t.Requests[minute], 'f', -1, 64)}
		if len(t.Events) > 0 {
			text := ""
			if len(events) > 0 && events[0].Minute == minute {
				text, events = events[0].String(), events[1:]
			}
			record = append(record, text)
		}
		records = append(records, record)
	}
	return lines.WriteAll(records)
}

// String is the event as a trace spells it.
func (e Event) String() string {
	if e.Kind == Leak {
		return fmt.Sprintf("leak %g", e.MiBPerHour)
	}
	if e.Kind == NoCapacity {
		return string(NoCapacity) + " " + e.Type
	}
	return string(e.Kind)
}
