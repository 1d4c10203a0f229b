package bench

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/sqlite"
)

// listed is how many employees the lists are measured with.
const listed = 1_000_000

// before makes a database of the first version, which the store then brings up
// to date: by far the fastest way to a million employees. They are in 199
// locations of very different sizes, and wear every badge in different company.
const before = `
CREATE TABLE employees (
	id           TEXT PRIMARY KEY,
	sort_key     TEXT NOT NULL UNIQUE,
	full_name    TEXT NOT NULL,
	location     TEXT NOT NULL,
	job_title    TEXT NOT NULL,
	badges       TEXT NOT NULL,
	photo_key    TEXT NOT NULL,
	photo_region TEXT NOT NULL,
	version      INTEGER NOT NULL,
	updated      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
WITH RECURSIVE
	first(i, name) AS (SELECT key, value FROM json_each('["Ada","Björn","Chloé","Dmitri","Elif","Fatima","Grace","Hiro","Inês","José","Kofi","Lena","Mei","Nour","Olu","Priya"]')),
	last(i, name) AS (SELECT key, value FROM json_each('["Lovelace","Müller","Dubois","Ivanov","Yılmaz","Haddad","Hopper","Tanaka","Carvalho","García","Mensah","Novák","Chen","Aziz","Adeyemi","Sharma"]')),
	worn(i, badges) AS (SELECT key, value FROM json_each('[["linux"],["apple","coffee"],[],["windows"],["bug","linux","plane"],["trophy"],["camera","umbrella"],["gamepad","paperclip","video-camera"]]')),
	number(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n < ? - 1)
INSERT INTO employees
SELECT id, lower(full_name) || char(1) || id, full_name, location, 'Engineer', badges, 'employees/' || id || '/' || hex(zeroblob(32)) || '.jpg', 'eu-west-1', 1, 1750000000000
FROM (
	SELECT printf('%026d', n) AS id,
		first.name || ' ' || char(65 + n / 256 % 26) || '. ' || last.name AS full_name,
		'Location ' || (abs(random()) % 200 * (abs(random()) % 200) / 200) AS location,
		badges
	FROM number
	CROSS JOIN first ON first.i = n % 16
	CROSS JOIN last ON last.i = n / 16 % 16
	CROSS JOIN worn ON worn.i = n * 7919 / 256 % 8
)`

// million opens a store with a million employees.
func million(b *testing.B) *sqlite.Store {
	dir := b.TempDir()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "directory.db")+"?_pragma=synchronous(off)&_pragma=cache_size(-500000)")
	if err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	if _, err := db.Exec(before, listed); err != nil {
		b.Fatal(err)
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	made := time.Since(start)
	start = time.Now()
	s, err := sqlite.Open(b.Context(), dir)
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("made %d employees in %s, listed them in %s", listed, made.Round(time.Second), time.Since(start).Round(time.Second))
	b.Cleanup(func() { s.Close() })
	return s
}

// BenchmarkLists is the time of one page of 50 employees out of a million, for
// each kind of query.
func BenchmarkLists(b *testing.B) {
	s := million(b)
	random := rand.New(rand.NewPCG(1, 2))
	first := []string{"ada", "bjorn", "chloe", "dmitri", "elif", "fatima", "grace", "hiro", "ines", "jose", "kofi", "lena", "mei", "nour", "olu", "priya"}
	letter := func() string { return " " + string(rune('a'+random.IntN(26))) }
	// Cursors are all over the lists.
	cursor := func() string { return directory.Cursor(first[random.IntN(len(first))] + letter()) }
	location := func() string { return fmt.Sprint("location ", random.IntN(190)) }
	badge := func() string { return directory.Badges[random.IntN(len(directory.Badges))].ID }
	kinds := []struct {
		name string
		next func() directory.Query
	}{
		{"first", func() directory.Query { return directory.Query{} }},
		{"middle", func() directory.Query { return directory.Query{After: cursor()} }},
		{"prefix", func() directory.Query { return directory.Query{Prefix: "jose" + letter()} }},
		{"prefix-middle", func() directory.Query {
			return directory.Query{Prefix: "jose", After: directory.Cursor("jose" + letter())}
		}},
		{"location", func() directory.Query { return directory.Query{Location: location()} }},
		{"location-middle", func() directory.Query { return directory.Query{Location: location(), After: cursor()} }},
		{"badge", func() directory.Query { return directory.Query{Badge: badge()} }},
		{"badge-middle", func() directory.Query { return directory.Query{Badge: badge(), After: cursor()} }},
		{"location-badge", func() directory.Query { return directory.Query{Location: location(), Badge: badge()} }},
		{"location-badge-middle", func() directory.Query { return directory.Query{Location: location(), Badge: badge(), After: cursor()} }},
		{"all-filters", func() directory.Query { return directory.Query{Location: location(), Badge: badge(), Prefix: "hiro"} }},
		{"all-filters-middle", func() directory.Query {
			return directory.Query{Location: location(), Badge: badge(), Prefix: "hiro", After: directory.Cursor("hiro" + letter())}
		}},
		{"no-such-prefix", func() directory.Query { return directory.Query{Prefix: "zzz"} }},
		{"no-such-location", func() directory.Query { return directory.Query{Location: "nowhere", After: cursor()} }},
		{"no-such-badge", func() directory.Query { return directory.Query{Badge: "pilot"} }},
		{"none-of-all-filters", func() directory.Query {
			return directory.Query{Location: location(), Badge: badge(), Prefix: "zzz", After: cursor()}
		}},
	}
	for _, kind := range kinds {
		b.Run(kind.name, func(b *testing.B) {
			var samples []time.Duration
			rows := 0
			for b.Loop() {
				for range 400 {
					q := kind.next()
					q.Limit = 50
					start := time.Now()
					page, err := s.Page(b.Context(), q)
					if err != nil {
						b.Fatal(err)
					}
					samples = append(samples, time.Since(start))
					rows += len(page.Employees)
				}
			}
			report(b, samples, rows)
		})
	}
	b.Run("locations", func(b *testing.B) {
		var samples []time.Duration
		rows := 0
		for b.Loop() {
			for range 400 {
				start := time.Now()
				locations, err := s.Locations(b.Context(), directory.LocationQuery{Limit: 200})
				if err != nil {
					b.Fatal(err)
				}
				samples = append(samples, time.Since(start))
				rows += len(locations.Locations)
			}
		}
		report(b, samples, rows)
	})
}

// report adds the percentiles of samples, in milliseconds, and the rows that one
// query returned.
func report(b *testing.B, samples []time.Duration, rows int) {
	slices.Sort(samples)
	at := func(share float64) float64 {
		return float64(samples[int(share*float64(len(samples)-1))].Microseconds()) / 1000
	}
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(float64(rows)/float64(len(samples)), "rows")
	b.ReportMetric(0, "ns/op") // the percentiles say more
}
