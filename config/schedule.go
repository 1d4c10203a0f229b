package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // names of time zones are checked on every machine alike

	"github.com/robfig/cron/v3"
)

// Schedule changes a fleet's bounds at certain times.
type Schedule struct {
	// Name identifies it: letters and digits. Required.
	Name string `json:"name" jsonschema:"required,pattern=^[A-Za-z][A-Za-z0-9]*$,maxLength=32" want:"1 to 32 letters and digits, a letter first, such as \"Morning\""`
	// Cron is when: minute, hour, day of the month, month and day of the week as
	// crontab(5) has them, such as "0 7 * * 1-5" or "0 7 * * MON-FRI". Required.
	Cron string `json:"cron" jsonschema:"required"`
	// Timezone is where that is the time, such as "Europe/Madrid". Default: UTC.
	Timezone string `json:"timezone" default:"UTC"`
	// Min is the fleet's new Min. Default: it stays as it is.
	Min int `json:"min" jsonschema:"minimum=2" want:"at least 2, one in each of two zones, so that one is left when a zone fails"`
	// Max is the fleet's new Max. Default: it stays as it is.
	Max int `json:"max" jsonschema:"minimum=2"`
}

func (Schedule) want() string {
	return `an object such as {"name": "Morning", "cron": "0 7 * * 1-5", "min": 4}`
}

// cronField is the form of a field by crontab(5): numbers and names, ranges of
// them, lists of those, and steps of a range or of all.
var cronField = regexp.MustCompile(strings.ReplaceAll(`^(I)(,(I))*$`, "I", `\*(/\d+)?|(\d+|[A-Za-z]{3})(-(\d+|[A-Za-z]{3})(/\d+)?)?`))

// parseCron returns what is wrong with the time of a schedule. EC2 Auto Scaling
// takes the five fields of crontab(5). The library takes more, such as "@daily",
// "TZ=", "?", empty items and "5/15", which cronField refuses, and not day 7 of
// the week, which is Sunday. "L", "W" and "#" belong to EventBridge and
// Application Auto Scaling. Sources: Amazon EC2 Auto Scaling API Reference,
// "PutScheduledUpdateGroupAction", and its User Guide, "Scheduled scaling", which
// both name http://crontab.org.
func parseCron(expression string) error {
	fields := strings.Split(expression, " ")
	for _, field := range fields {
		if !cronField.MatchString(field) {
			return fmt.Errorf("%q is not a value, range, list or step of crontab(5)", field)
		}
	}
	if len(fields) == 5 {
		days := strings.Split(fields[4], ",")
		for i, day := range days {
			if day == "7" {
				days[i] = "0"
			} else {
				days[i] = strings.Replace(day, "-7", "-6", 1) // as a range, 5-7 is right where 5-6 is
			}
		}
		fields[4] = strings.Join(days, ",")
	}
	schedule, err := cron.ParseStandard(strings.Join(fields, " "))
	if err != nil {
		return err
	}
	// The library looks five years ahead, and the first of these has a 29th of February.
	if schedule.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return errors.New("no month has that day")
	}
	return nil
}

func (f Fleet) validateSchedule(p problems) {
	for i, s := range f.Schedule {
		at := p.under(fmt.Sprintf("schedule[%d]", i))
		if slices.IndexFunc(f.Schedule, func(o Schedule) bool { return o.Name == s.Name }) < i {
			at.add("name", "each name once", s.Name)
		}
		if err := parseCron(s.Cron); err != nil {
			at.add("cron", fmt.Sprintf(`five fields: minute, hour, day of the month, month, day of the week, such as "0 7 * * 1-5" (%v)`, err), s.Cron)
		}
		if _, err := time.LoadLocation(s.Timezone); err != nil || s.Timezone == "" || s.Timezone == "Local" {
			at.add("timezone", `a time zone such as "Europe/Madrid"`, s.Timezone)
		}
		if s.Min == 0 && s.Max == 0 {
			at.add("", "a min or a max", s)
			continue
		}
		// What is not given stays, as far as can be known, the fleet's own.
		if least := max(s.Min, 2); s.Max != 0 && s.Min != 0 && s.Max < least {
			at.add("max", fmt.Sprintf("at least the min of that time, %d", least), s.Max)
		} else if s.Max != 0 && s.Min == 0 && s.Max < f.Min {
			at.add("max", fmt.Sprintf("at least fleet.min, %d, or a min with it", f.Min), s.Max)
		} else if s.Max == 0 && s.Min > f.Max {
			at.add("min", fmt.Sprintf("at most fleet.max, %d, or a max with it", f.Max), s.Min)
		}
	}
}
