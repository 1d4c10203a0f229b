package config

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // names of time zones are checked on every machine alike
)

// Schedule changes a fleet's bounds at certain times.
type Schedule struct {
	// Name identifies it: letters and digits. Required.
	Name string `json:"name" jsonschema:"required"`
	// Cron is when: minute, hour, day of the month, month and day of the week,
	// such as "0 7 * * 1-5". Required.
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

var (
	// validScheduleName is part of a construct's id.
	validScheduleName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{0,31}$`)
	// validCron is the shape of five fields; EC2 Auto Scaling reads the rest.
	validCron = regexp.MustCompile(`^[0-9*/,-]+ [0-9*/,-]+ [0-9*/,L-]+ [A-Z0-9*/,-]+ [A-Z0-9*/,L#-]+$`)
)

// cronBounds are the least and the greatest number of each field.
var cronBounds = [5][2]int{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 7}}

// cronNumber is a number of a field, with the slash of a step.
var cronNumber = regexp.MustCompile(`/?[0-9]+`)

// withinCron reports whether every number of a valid cron is one of its field's.
func withinCron(cron string) bool {
	for i, field := range strings.Fields(cron) {
		for _, number := range cronNumber.FindAllString(field, -1) {
			least, most := cronBounds[i][0], cronBounds[i][1]
			digits, step := strings.CutPrefix(number, "/")
			if step {
				least = 1
			}
			if n, err := strconv.Atoi(digits); err != nil || n < least || n > most {
				return false
			}
		}
	}
	return true
}

func (f Fleet) validateSchedule(p *problems) {
	for i, s := range f.Schedule {
		path := fmt.Sprintf("schedule[%d]", i)
		if !validScheduleName.MatchString(s.Name) {
			p.add(path+".name", `1 to 32 letters and digits, a letter first, such as "Morning"`, s.Name)
		} else if slices.IndexFunc(f.Schedule, func(o Schedule) bool { return o.Name == s.Name }) < i {
			p.add(path+".name", "each name once", s.Name)
		}
		if !validCron.MatchString(s.Cron) || !withinCron(s.Cron) {
			p.add(path+".cron", `five fields: minute, hour, day of the month, month, day of the week, such as "0 7 * * 1-5"`, s.Cron)
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
