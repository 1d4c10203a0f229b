package config

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rightCrons are times of a schedule that EC2 Auto Scaling takes.
var rightCrons = []string{
	"0 7 * * 1-5", "30 0 1 1,6,12 *", "*/15 0-23/6 1,31 12 0", "59 23 31 JAN,dec MON-FRI", "0 0 29 2 *",
	"0 0 * * 7", "0 0 * * 5-7", "0 0 * * 1-7/2", "0 0 * * 1,7", "0 0 31 2 SUN",
}

// wrongCrons are others, with what is said of them.
var wrongCrons = map[string]string{
	"":                    `"" is not a value`,
	"7 o'clock":           `"o'clock" is not a value`,
	", - / , *":           `"," is not a value`,
	", * * * *":           `"," is not a value`,
	"1,,2 * * * *":        `"1,,2" is not a value`,
	"5-1 0 * * *":         "beginning of range (5) beyond end of range (1)",
	"*/ * * * *":          `"*/" is not a value`,
	"*/0 * * * *":         "positive number",
	"*-5 * * * *":         `"*-5" is not a value`,
	"5/15 * * * *":        `"5/15" is not a value`,
	"0-30/5/2 * * * *":    `"0-30/5/2" is not a value`,
	"+5 * * * *":          `"+5" is not a value`,
	"0 7 * * FOO":         "FOO",
	"MON 7 * * *":         "MON",
	"0 7 * MON *":         "MON",
	"0 7 * * FRI-SUN":     "beyond end of range",
	"60 0 * * *":          "above maximum (59)",
	"0 24 * * *":          "above maximum (23)",
	"0 0 0 * *":           "below minimum (1)",
	"0 0 32 * *":          "above maximum (31)",
	"0 0 * 0 *":           "below minimum (1)",
	"0 0 * 13 *":          "above maximum (12)",
	"0 0 * * 8":           "above maximum (6)",
	"0 0 * * 7-7":         "beyond end of range",
	"0 0 * *":             "5 fields",
	"0 0 * * * *":         "5 fields",
	"0  0 * * *":          `"" is not a value`,
	"0 0 * * *\n":         `"*\n" is not a value`,
	"0 0 ? * 1":           `"?" is not a value`,
	"@daily":              `"@daily" is not a value`,
	"@every 1h":           `"@every" is not a value`,
	"TZ=UTC":              `"TZ=UTC" is not a value`,
	"TZ=UTC 0 7 * * *":    `"TZ=UTC" is not a value`,
	"CRON_TZ=U 0 7 * * *": `"CRON_TZ=U" is not a value`,
	"0 0 L * *":           `"L" is not a value`,
	"0 0 15W * *":         `"15W" is not a value`,
	"0 0 * * 5L":          `"5L" is not a value`,
	"0 0 * * 5#3":         `"5#3" is not a value`,
	"cron(0 7 * * *)":     `"cron(0" is not a value`,
	"0 0 31 2,4 *":        "no month has that day",
}

func TestTimesOfASchedule(t *testing.T) {
	for _, expression := range rightCrons {
		if err := parseCron(expression); err != nil {
			t.Errorf("%q: %v", expression, err)
		}
	}
	for expression, want := range wrongCrons {
		if err := parseCron(expression); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", expression, err, want)
		}
	}
}

// FuzzTimesOfASchedule: what is accepted is five fields of numbers that the field
// has and names of its own, whatever else the library reads.
func FuzzTimesOfASchedule(f *testing.F) {
	for _, expression := range rightCrons {
		f.Add(expression)
	}
	for expression := range wrongCrons {
		f.Add(expression)
	}
	word := regexp.MustCompile(`\w+`)
	bounds := [5][2]int{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 7}}
	names := [5]string{3: "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC", 4: "SUN MON TUE WED THU FRI SAT"}
	f.Fuzz(func(t *testing.T, expression string) {
		if parseCron(expression) != nil {
			return
		}
		fields := strings.Split(expression, " ")
		if len(fields) != 5 {
			t.Fatalf("%q has %d fields", expression, len(fields))
		}
		for i, field := range fields {
			for item := range strings.SplitSeq(field, ",") {
				value, step, stepped := strings.Cut(item, "/")
				if n, err := strconv.Atoi(step); stepped && (err != nil || n < 1) || item == "" {
					t.Errorf("%q has an item %q", expression, item)
				}
				for _, v := range word.FindAllString(value, -1) {
					n, err := strconv.Atoi(v)
					if (err != nil || n < bounds[i][0] || n > bounds[i][1]) && !slices.Contains(strings.Fields(names[i]), strings.ToUpper(v)) {
						t.Errorf("%q has a value %q", expression, v)
					}
				}
			}
		}
	})
}
