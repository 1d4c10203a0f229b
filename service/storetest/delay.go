package storetest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// DelayIndex returns employees with lists that are late: Page, Total and
// Locations answer as of delay ago, everything else as of now. Who was there before counts
// as there for long. What fails, fails as it does without a delay.
func DelayIndex(employees directory.Employees, delay time.Duration) directory.Employees {
	d := &delayed{Employees: employees, delay: delay, listed: map[string]directory.Employee{}}
	for q := (directory.Query{Limit: directory.MaxLimit}); ; {
		page, err := employees.Page(context.Background(), q)
		if err != nil {
			panic(err)
		}
		for _, e := range page.Employees {
			d.listed[e.ID] = e
		}
		if q.After = page.Next; q.After == "" {
			return d
		}
	}
}

type delayed struct {
	directory.Employees
	delay time.Duration

	mu sync.Mutex
	// listed are who the lists show; changes are those that they do not show yet.
	listed  map[string]directory.Employee
	changes []change
}

type change struct {
	at       time.Time
	employee directory.Employee
	deleted  bool
}

func (d *delayed) changed(e directory.Employee, deleted bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.changes = append(d.changes, change{at: time.Now(), employee: e, deleted: deleted})
}

// all are the employees as of delay ago.
func (d *delayed) all() []directory.Employee {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.changes) > 0 && time.Since(d.changes[0].at) >= d.delay {
		if c := d.changes[0]; c.deleted {
			delete(d.listed, c.employee.ID)
		} else {
			d.listed[c.employee.ID] = c.employee
		}
		d.changes = d.changes[1:]
	}
	return slices.Collect(maps.Values(d.listed))
}

func (d *delayed) Create(ctx context.Context, e directory.Employee) (directory.Employee, error) {
	e, err := d.Employees.Create(ctx, e)
	if err == nil {
		d.changed(e, false)
	}
	return e, err
}

func (d *delayed) Update(ctx context.Context, e directory.Employee) (directory.Employee, error) {
	e, err := d.Employees.Update(ctx, e)
	if err == nil {
		d.changed(e, false)
	}
	return e, err
}

func (d *delayed) Delete(ctx context.Context, id string, version int64) error {
	err := d.Employees.Delete(ctx, id, version)
	if err == nil {
		d.changed(directory.Employee{ID: id}, true)
	}
	return err
}

func (d *delayed) Page(ctx context.Context, q directory.Query) (directory.Page, error) {
	if _, err := d.Employees.Page(ctx, q); err != nil {
		return directory.Page{}, err
	}
	return pageOf(d.all(), q), nil
}

func (d *delayed) Total(ctx context.Context, q directory.Query) (int, error) {
	if _, err := d.Employees.Total(ctx, q); err != nil {
		return 0, err
	}
	return totalOf(d.all(), q), nil
}

func (d *delayed) Locations(ctx context.Context, q directory.LocationQuery) (directory.LocationPage, error) {
	if _, err := d.Employees.Locations(ctx, q); err != nil {
		return directory.LocationPage{}, err
	}
	part, err := q.Range()
	if err != nil {
		return directory.LocationPage{}, err
	}
	names := map[string]string{}
	for _, e := range d.all() {
		names[directory.Fold(e.Location)] = e.Location
	}
	var page directory.LocationPage
	for _, folded := range slices.Sorted(maps.Keys(names)) {
		switch {
		case folded < part.From, part.After != "" && folded <= part.After, part.Before != "" && folded >= part.Before:
		case len(page.Locations) == q.Limit:
			page.Next = directory.Cursor(directory.Fold(page.Locations[q.Limit-1]))
			return page, nil
		default:
			page.Locations = append(page.Locations, names[folded])
		}
	}
	return page, nil
}
