package web_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/web"
)

// crowd adds n employees called Name 00 and so on.
func (s *site) crowd(n int) {
	s.t.Helper()
	for i := range n {
		e := directory.Employee{ID: directory.NewID(), FullName: fmt.Sprintf("Name %02d", i), Location: "Here", JobTitle: "Someone"}
		if _, err := s.employees.Create(s.t.Context(), e); err != nil {
			s.t.Fatal(err)
		}
	}
}

var (
	summaryOf = regexp.MustCompile(`id="count" role="status">([^<]*)<`)
	personOf  = regexp.MustCompile(`<a href="/employees/[a-z0-9]+" dir="auto">([^<]*)</a>`)
	turnTo    = map[string]*regexp.Regexp{
		"next": regexp.MustCompile(`href="([^"]*)" rel="next"`), "prev": regexp.MustCompile(`href="([^"]*)" rel="prev"`),
	}
)

// leaf is a page of the list as a person sees it.
type leaf struct {
	summary    string
	names      []string
	prev, next string
}

func (s *site) leaf(path string) leaf {
	s.t.Helper()
	res, body := s.get(path)
	wantStatus(s.t, res, http.StatusOK)
	first := func(matches [][]string) string {
		if len(matches) == 0 {
			return ""
		}
		return strings.ReplaceAll(matches[0][1], "&amp;", "&")
	}
	l := leaf{
		summary: first(summaryOf.FindAllStringSubmatch(body, 1)),
		prev:    first(turnTo["prev"].FindAllStringSubmatch(body, 1)), next: first(turnTo["next"].FindAllStringSubmatch(body, 1)),
	}
	for _, match := range personOf.FindAllStringSubmatch(body, -1) {
		l.names = append(l.names, match[1])
	}
	return l
}

// counted is a page with its list's total. Where the count takes longer than a page
// waits for it, as on a busy machine, that comes with a page to come.
func (s *site) counted(path string) leaf {
	s.t.Helper()
	l := s.leaf(path)
	for asked := 0; asked < 1000 && strings.HasSuffix(l.summary, ", by name"); asked++ {
		time.Sleep(10 * time.Millisecond)
		l = s.leaf(path)
	}
	return l
}

// TestTheWayBackIsTheWayForth leafs through a list to its end and back: the pages
// are the same, and say where they are.
func TestTheWayBackIsTheWayForth(t *testing.T) {
	s := newSite(t, nil)
	s.crowd(60)
	for _, start := range []string{"/", "/?location=here&name=name"} {
		pages := []leaf{s.counted(start)}
		for l := pages[0]; l.next != ""; {
			l = s.counted(l.next)
			pages = append(pages, l)
		}
		var summaries []string
		for _, l := range pages {
			summaries = append(summaries, l.summary)
		}
		if want := []string{"1–24 of 60 employees", "25–48 of 60 employees", "49–60 of 60 employees"}; !slices.Equal(summaries, want) {
			t.Fatalf("the pages say %q, want %q", summaries, want)
		}
		for i := len(pages) - 1; i > 0; i-- {
			back := s.counted(pages[i].prev)
			if want := pages[i-1]; back.summary != want.summary || !slices.Equal(back.names, want.names) || (back.prev == "") != (i == 1) {
				t.Errorf("before page %d is %+v, want %+v", i+1, back, want)
			}
			pages[i-1].prev = back.prev
		}
	}
}

// TestTheFirstPageIsWhole: who is new before a page does not make one of a few on
// the way back to it.
func TestTheFirstPageIsWhole(t *testing.T) {
	s := newSite(t, nil)
	s.crowd(30)
	second := s.leaf(s.leaf("/").next)
	e := directory.Employee{ID: directory.NewID(), FullName: "Aaron", Location: "Here", JobTitle: "Someone"}
	if _, err := s.employees.Create(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	back := s.leaf(second.prev) // ends before the second
	if len(back.names) != 24 || back.names[0] != "Name 00" || back.prev == "" {
		t.Errorf("got %+v, want the 24 before", back)
	}
	first := s.counted(back.prev)
	if len(first.names) != 24 || first.names[0] != "Aaron" || first.prev != "" || first.summary != "1–24 of 30 employees" {
		t.Errorf("got %+v, want the first page", first)
	}
}

// TestOwnWritesAreListedOnTheWayBack: also where the index does not show them yet.
func TestOwnWritesAreListedOnTheWayBack(t *testing.T) {
	s, index := newLagging(t)
	s.crowd(50)
	ctx := context.WithoutCancel(t.Context())
	third, err := index.Employees.Page(ctx, directory.Query{Limit: 48})
	if err != nil {
		t.Fatal(err)
	}
	q := directory.Query{Before: third.Next, Limit: 24} // 23 to 46
	if index.stopped, err = index.Employees.Page(ctx, q); err != nil {
		t.Fatal(err)
	}
	s.submit("/employees", adaWith("Name 30 B"), nil)
	got := s.leaf("/?before=" + q.Before)
	if len(got.names) != 24 || got.names[0] != "Name 24" || !slices.Contains(got.names, "Name 30 B") {
		t.Errorf("got %q, want 24 with the new one, which end where they ended", got.names)
	}
	if index.stopped, err = index.Employees.Page(ctx, directory.Query{Before: strings.TrimPrefix(strings.Split(got.prev, "before=")[1], ""), Limit: 24}); err != nil {
		t.Fatal(err)
	}
	if back := s.leaf(got.prev); back.names[len(back.names)-1] != "Name 23" {
		t.Errorf("before them is %q at last, want the one who was pushed off", back.names[len(back.names)-1])
	}
}

// tallies counts how often a list is counted, and fails where it is down.
type tallies struct {
	directory.Employees
	asked atomic.Int64
	down  atomic.Bool
}

func (c *tallies) Total(ctx context.Context, q directory.Query) (int, error) {
	c.asked.Add(1)
	if c.down.Load() {
		return 0, errDown
	}
	return c.Employees.Total(ctx, q)
}

func withTallies(t *testing.T) (*site, *tallies) {
	var store *tallies
	s := newSite(t, func(o *web.Options) {
		store = &tallies{Employees: o.Employees}
		o.Employees = store
	})
	return s, store
}

// TestListsAreCountedOnce: pages of one list share its total, and own changes are
// added to it.
func TestListsAreCountedOnce(t *testing.T) {
	s, store := withTallies(t)
	s.crowd(12)
	if got := s.leaf("/").summary; got != "12 employees" || store.asked.Load() != 0 {
		t.Errorf("a page that is the whole list says %q, and was counted %d times", got, store.asked.Load())
	}
	for range 40 {
		s.submit("/employees", adaWith("Somebody"), nil)
	}
	want := func(path, want string) {
		t.Helper()
		if got := s.counted(path).summary; got != want {
			t.Errorf("%s says %q, want %q", path, got, want)
		}
	}
	want("/", "1–24 of 52 employees")
	want(s.leaf("/").next, "25–48 of 52 employees")
	want("/?location=LONDON", "1–24 of 40 employees")
	want("/?location=london&name=", "1–24 of 40 employees")
	asked := store.asked.Load()
	if asked != 2 {
		t.Errorf("two lists were counted %d times", asked)
	}
	res, _ := s.submit("/employees", adaWith("Yet another"), nil)
	want("/", "1–24 of 53 employees")
	want("/?location=London", "1–24 of 41 employees")
	path := res.Header.Get("Location")
	moved := adaWith("Yet another")
	moved.Set("version", "1")
	moved.Set("location", "Rome")
	s.submit(path, moved, nil)
	want("/", "1–24 of 53 employees")
	want("/?location=London", "1–24 of 40 employees")
	s.form(path+"/delete", map[string][]string{"version": {"2"}})
	want("/", "1–24 of 52 employees")
	want("/?badge=bug&after="+directory.Cursor("zz"), "No more employees") // says no total
	if store.asked.Load() != asked {
		t.Errorf("lists were counted %d times again", store.asked.Load()-asked)
	}
}

// TestListThatCannotBeCountedIsShown, without a total and without asking for it
// each time.
func TestListThatCannotBeCountedIsShown(t *testing.T) {
	s, store := withTallies(t)
	s.crowd(50)
	store.down.Store(true)
	first := s.leaf("/")
	if first.summary != "The first 24, by name" {
		t.Errorf("the page says %q", first.summary)
	}
	if got := s.leaf(first.next).summary; got != "25–48, by name" {
		t.Errorf("the second says %q", got)
	}
	if n := store.asked.Load(); n != 1 {
		t.Errorf("it was counted %d times", n)
	}
}

// TestSlowCountHoldsNoPageUp: the count comes with a page to come.
func TestSlowCountHoldsNoPageUp(t *testing.T) {
	var store *slowTally
	s := newSite(t, func(o *web.Options) {
		store = &slowTally{Employees: o.Employees, counted: make(chan struct{})}
		o.Employees = store
	})
	s.crowd(50)
	if got := s.leaf("/").summary; got != "The first 24, by name" {
		t.Errorf("the page says %q", got)
	}
	close(store.counted)
	for s.leaf("/").summary != "1–24 of 50 employees" { // once the page of before is kept no longer
		time.Sleep(10 * time.Millisecond)
	}
}

// slowTally counts when it is told to.
type slowTally struct {
	directory.Employees
	counted chan struct{}
}

func (c *slowTally) Total(ctx context.Context, q directory.Query) (int, error) {
	<-c.counted // whatever its time
	return c.Employees.Total(context.WithoutCancel(ctx), q)
}
