package storetest

import (
	"cmp"
	"slices"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

// pageOf is the page of all that a store should answer q with: by looking
// through everybody, as no store may. q's cursors are valid.
func pageOf(all []directory.Employee, q directory.Query) directory.Page {
	after, afterErr := directory.SortKeyOf(q.After)
	before, beforeErr := directory.SortKeyOf(q.Before)
	if err := cmp.Or(afterErr, beforeErr); err != nil {
		panic(err)
	}
	part := slices.SortedFunc(slices.Values(all), func(a, b directory.Employee) int { return cmp.Compare(a.SortKey(), b.SortKey()) })
	part = slices.DeleteFunc(part, func(e directory.Employee) bool {
		return !q.Match(e) || e.SortKey() <= after || before != "" && e.SortKey() >= before
	})
	more := len(part) > q.Limit
	switch {
	case len(part) == 0:
		return q.Page(nil, "", "", false)
	case more && q.Before != "":
		part = part[len(part)-q.Limit:]
	case more:
		part = part[:q.Limit]
	}
	return q.Page(part, part[0].SortKey(), part[len(part)-1].SortKey(), more)
}

// totalOf is how many of all q selects.
func totalOf(all []directory.Employee, q directory.Query) int {
	return len(slices.DeleteFunc(slices.Clone(all), func(e directory.Employee) bool { return !q.Match(e) }))
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
