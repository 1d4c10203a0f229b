package browsertest

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/archipelago-cdk/archipelago/service/directory"
	"github.com/archipelago-cdk/archipelago/service/web"
)

// looks are how every page is looked at. 320 pixels is a desktop's window at four
// times its size, in which WCAG 2.2 asks for no scrolling sideways (1.4.10).
var looks = []look{
	{width: 320},
	{width: 390}, {width: 390, dark: true}, {width: 390, scriptless: true},
	{width: 1280}, {width: 1280, dark: true}, {width: 1280, scriptless: true},
}

// all looks at every page in every way, for which a machine takes minutes.
var all = flag.Bool("all", false, "look at every page in every way")

// ways are those in which a page is looked at, by its place in the list: two, other
// ones than the page before.
func ways(page int) []look {
	if *all {
		return looks
	}
	return []look{looks[page%len(looks)], looks[(page+3)%len(looks)]}
}

func TestEveryPageFitsAndIsAccessible(t *testing.T) {
	now := time.Now()
	full := serve(t, func(o *web.Options) {
		o.Now = func() time.Time { return now } // for how long the islands are silent
		o.LoadGenerator = true
	}, nil)
	empty, crowded := serve(t, nil, nil), serve(t, nil, nil)
	ada, long := full.people(t)
	for i := range 60 {
		crowded.add(t, fmt.Sprintf("Islander %02d", i), "Fisher", "Atoll", nil)
	}
	for i := range directory.MaxLocations {
		crowded.add(t, "Wanderer", "Sailor", fmt.Sprintf("Harbour %03d", i), nil)
	}
	first, err := crowded.store.Page(t.Context(), directory.Query{Limit: 24})
	if err != nil {
		t.Fatal(err)
	}
	lost := crowded.add(t, "Lost Photo", "Drifter", "Atoll", nil)
	lost.Photo.Key = directory.PhotoKey(lost.ID, []byte("lost"), "jpg")
	if lost, err = crowded.store.Update(t.Context(), lost); err != nil {
		t.Fatal(err)
	}
	for _, h := range []directory.Heartbeat{
		{Region: "us-east-1", Zone: "us-east-1b", Instance: "i-4ff8e0a6565ff23b5", Version: "1.0.0", At: now.Add(-4 * time.Second)},
		{Region: "ap-southeast-2", Zone: "ap-southeast-2c", Instance: "i-0c7f21d5a9be4210d", Version: "1.0.0", At: now.Add(-3 * time.Minute)},
	} {
		if err := full.store.PutHeartbeat(t.Context(), h); err != nil {
			t.Fatal(err)
		}
	}
	page := "/employees/" + ada.ID
	for i, test := range []struct {
		name, path string
		site       *site
		guest      bool
	}{
		{"list", "/", full, false},
		{"list-guest", "/", full, true},
		{"island-guest", "/island", full, true},
		{"sign-in", "/sign-in?next=/employees/new", full, true},
		{"list-empty", "/", empty, false},
		{"list-no-match", "/?name=Zuse&location=Berlin&badge=trophy", full, false},
		{"list-more", "/?from=25&after=" + first.Next, crowded, false},
		{"locations", "/locations", crowded, false},
		{"account", "/account", full, false},
		{"detail", page, full, false},
		{"detail-long", "/employees/" + long.ID, full, false},
		{"detail-lost-photo", "/employees/" + lost.ID, crowded, false},
		{"add", "/employees/new", full, false},
		{"edit", page + "/edit", full, false},
		{"delete", page + "/delete", full, false},
		{"island", "/island", full, false},
		{"islands", "/islands", full, false},
		{"not-found", "/employees/nobody", full, false},
	} {
		for _, l := range ways(i) {
			l.guest = test.guest
			t.Run(test.name+"/"+l.String(), func(t *testing.T) {
				t.Parallel()
				b := open(t, test.site, l)
				b.visit(test.path)
				b.wantNoOverflow()
				b.shoot(test.name + "-" + l.String())
				b.wantAccessible()
			})
		}
	}
}
