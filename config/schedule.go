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
	Name string `json:"name" jsonschema:"required"`
	// Cron is when: minute, hour, day of the month, month and day of the week as
	// crontab(5) has them, such as "0 7 * * 1-5" or "0 7 * * MON-FRI". Required.
	Cron string `json:"cron" jsonschema:"required"`
	// Timezone is where that is the time, such as "Europe/Madrid". Default: UTC.
	Timezone string `json:"timezone"`
	// Min is the fleet's new Min. Default: it stays as it is.
	Min int `json:"min" jsonschema:"minimum=2"`
	// Max is the fleet's new Max. Default: it stays as it is.
	Max int `json:"max" jsonschema:"minimum=2"`
}

func parseSchedule(parent *object) []Schedule {
	var schedule []Schedule
	for _, item := range parent.list("schedule") {
		o := item.object(`an object such as {"name": "Morning", "cron": "0 7 * * 1-5", "min": 4}`)
		schedule = append(schedule, Schedule{
			Name:     o.string("name", ""),
			Cron:     o.string("cron", ""),
			Timezone: o.string("timezone", "UTC"),
			Min:      o.int("min", 0),
			Max:      o.int("max", 0),
		})
		o.refuseUnknown()
	}
	return schedule
}

// validScheduleName is part of a construct's id.
var validScheduleName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{0,31}$`)

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
			return fmt.Errorf("%q is no value, range, list or step of crontab(5)", field)
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

func (f Fleet) validateSchedule(p *problems) {
	for i, s := range f.Schedule {
		path := fmt.Sprintf("schedule[%d]", i)
		if !validScheduleName.MatchString(s.Name) {
			p.add(path+".name", `1 to 32 letters and digits, a letter first, such as "Morning"`, s.Name)
		} else if slices.IndexFunc(f.Schedule, func(o Schedule) bool { return o.Name == s.Name }) < i {
			p.add(path+".name", "each name once", s.Name)
		}
		if err := parseCron(s.Cron); err != nil {
			p.add(path+".cron", fmt.Sprintf(`five fields: minute, hour, day of the month, month, day of the week, such as "0 7 * * 1-5" (%v)`, err), s.Cron)
		}
		if _, err := time.LoadLocation(s.Timezone); err != nil || s.Timezone == "" || s.Timezone == "Local" {
			p.add(path+".timezone", `a time zone such as "Europe/Madrid"`, s.Timezone)
		}
		if s.Min == 0 && s.Max == 0 {
			p.add(path, "a min or a max", s)
			continue
		}
		if s.Min != 0 && s.Min < 2 {
			p.add(path+".min", "at least 2, one in each of two zones, so that one is left when a zone fails", s.Min)
		}
		// What is not given stays, as far as can be known, the fleet's own.
		if least := max(s.Min, 2); s.Max != 0 && s.Min != 0 && s.Max < least {
			p.add(path+".max", fmt.Sprintf("at least the min of that time, %d", least), s.Max)
		} else if s.Max != 0 && s.Min == 0 && s.Max < f.Min {
			p.add(path+".max", fmt.Sprintf("at least fleet.min, %d, or a min with it", f.Min), s.Max)
		} else if s.Max == 0 && s.Min > f.Max {
			p.add(path+".min", fmt.Sprintf("at most fleet.max, %d, or a max with it", f.Max), s.Min)
		}
	}
}
