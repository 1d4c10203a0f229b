package storetest

import (
	"cmp"
	"slices"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// pageOf is the page of all that a store should answer q with: by looking
// through everybody, as no store may. q's cursor is valid.
func pageOf(all []directory.Employee, q directory.Query) directory.Page {
	after, err := directory.SortKeyOf(q.After)
	if err != nil {
		panic(err)
	}
	var page directory.Page
	for _, e := range slices.SortedFunc(slices.Values(all), func(a, b directory.Employee) int { return cmp.Compare(a.SortKey(), b.SortKey()) }) {
		if !q.Match(e) || e.SortKey() <= after {
			continue
		}
		if len(page.Employees) == q.Limit {
			page.Next = directory.Cursor(page.Employees[q.Limit-1].SortKey())
			break
		}
		page.Employees = append(page.Employees, e)
	}
	return page
}

// locationsOf are the locations of all, folded.
func locationsOf(all []directory.Employee) []string {
	var folded []string
	for _, e := range all {
		folded = append(folded, directory.Fold(e.Location))
	}
	slices.Sort(folded)
	return slices.Compact(folded)
}
