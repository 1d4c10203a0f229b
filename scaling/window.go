package scaling

import (
	"fmt"
	"strings"
	"time"
)

// Window is a part of each day. The zero Window is all of it.
type Window struct {
	// From and To are its first minute and the one after its last, since
	// midnight; a window may span midnight.
	From, To time.Duration
	// Location is where that is the time.
	Location *time.Location
}

// ParseWindow reads a window such as "01:00-05:00" or "22:00-04:30
// Europe/Madrid"; the time zone is UTC where none is named. "" is always.
func ParseWindow(s string) (Window, error) {
	if s == "" {
		return Window{}, nil
	}
	wrong := fmt.Errorf(`want a part of the day such as "01:00-05:00" or "22:00-04:30 Europe/Madrid", got %q`, s)
	hours, zone, _ := strings.Cut(s, " ")
	from, to, ok := strings.Cut(hours, "-")
	if !ok {
		return Window{}, wrong
	}
	var w Window
	for _, part := range []struct {
		text string
		set  *time.Duration
	}{{from, &w.From}, {to, &w.To}} {
		t, err := time.Parse("15:04", part.text)
		if err != nil {
			return Window{}, wrong
		}
		*part.set = time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute
	}
	if w.From == w.To {
		return Window{}, wrong
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		return Window{}, fmt.Errorf("%w: %w", wrong, err)
	}
	w.Location = location
	return w, nil
}

// Contains reports whether t is in the window.
func (w Window) Contains(t time.Time) bool {
	if w.From == w.To {
		return true
	}
	if w.Location != nil {
		t = t.In(w.Location)
	}
	hour, minute, second := t.Clock()
	day := time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second
	if w.From < w.To {
		return w.From <= day && day < w.To
	}
	return w.From <= day || day < w.To
}

// String is the window as ParseWindow reads it.
func (w Window) String() string {
	if w.From == w.To {
		return ""
	}
	clock := func(d time.Duration) string { return fmt.Sprintf("%02d:%02d", int(d.Hours()), int(d.Minutes())%60) }
	s := clock(w.From) + "-" + clock(w.To)
	if w.Location != nil && w.Location != time.UTC {
		s += " " + w.Location.String()
	}
	return s
}
