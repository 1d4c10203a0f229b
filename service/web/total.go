package web

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

const (
	// totalFor is how long a list's total is shown again. DynamoDB reads all that it
	// counts: for a list of 15,000 employees of some 300 bytes, half a read unit for
	// each 4 kB of 4.5 MB, about 560 units. Once in five minutes that is less than
	// two units a second of each instance and list, and two cents a day at $0.125 for
	// a million units.
	totalFor = 5 * time.Minute
	// keptTotals is how many lists' totals are kept at most.
	keptTotals = 256
	// totalWithin is how long a page waits for one. A count that takes longer goes on,
	// for pages to come.
	totalWithin = 250 * time.Millisecond
)

// totals are how many employees lists have, by their queries without a page; nil
// where that could not be counted.
type totals = kept[directory.Query, *atomic.Int64]

// total returns how many employees q selects on all its pages, or 0 where that is not
// known: a page does not fail for want of it.
func (s *Server) total(ctx context.Context, q directory.Query) int {
	q = directory.Query{Prefix: directory.Fold(q.Prefix), Location: directory.Fold(q.Location), Badge: q.Badge}
	waiting, cancel := context.WithTimeout(ctx, totalWithin)
	defer cancel()
	total, err := s.totals.get(waiting, q, func(ctx context.Context) (*atomic.Int64, error) {
		n, err := s.Employees.Total(ctx, q)
		if err != nil {
			s.Log.LogAttrs(ctx, slog.LevelWarn, "list not counted", slog.String("error", err.Error()))
			return nil, nil // not again for each page
		}
		total := &atomic.Int64{}
		total.Store(int64(n))
		return total, nil
	})
	if err != nil || total == nil {
		return 0
	}
	return int(total.Load())
}

// recount adds a change to the totals that are kept. A count that was under way may
// miss it, or have it twice, until the next one.
func (s *Server) recount(before, after directory.Employee) {
	for _, q := range s.totals.values.Keys() {
		change := int64(0)
		if before.ID != "" && q.Match(before) {
			change--
		}
		if after.ID != "" && q.Match(after) {
			change++
		}
		if total, ok := s.totals.values.Peek(q); ok && total != nil && change != 0 {
			total.Add(change)
		}
	}
}

// position is where a page is in its list, as the page says it.
func position(from, n, total int, last bool) string {
	switch to := from + n - 1; {
	case total >= n && last:
		return fmt.Sprintf("%s of %s employees", span(total-n+1, total), grouped(total))
	case total >= n && from > 0 && to < total:
		return fmt.Sprintf("%s of %s employees", span(from, to), grouped(total))
	case total >= n:
		return fmt.Sprintf("%d of %s employees", n, grouped(total))
	case from == 1:
		return fmt.Sprintf("The first %d, by name", n)
	case from > 1:
		return span(from, to) + ", by name"
	default:
		return fmt.Sprintf("%d employees, by name", n)
	}
}

func span(from, to int) string {
	if from == to {
		return grouped(from)
	}
	return grouped(from) + "–" + grouped(to)
}

// grouped is a number with its thousands apart, such as 15,000.
func grouped(n int) string { return message.NewPrinter(language.English).Sprint(n) }
