package web_test

import (
	"encoding/json"
	"flag"
	"image"
	"image/jpeg"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/archipelago-cdk/archipelago/service/directory"
)

var update = flag.Bool("update", false, "write cost/answers.json as measured")

// TestAnswersAreAsLargeAsTheCostSays measures the bytes of bodies on the wire, as
// browsers ask for them, and compares them with those that the cost is made from,
// within a tenth. -update writes them.
func TestAnswersAreAsLargeAsTheCostSays(t *testing.T) {
	const file = "../../cost/answers.json"
	s := newSite(t, nil)
	first := []string{"Ada", "Björn", "Chloé", "Dmitri", "Elif", "Fatima", "Grace", "Hiro", "Inês", "José", "Kofi", "Lena"}
	last := []string{"Lovelace", "Müller", "Dubois", "Ivanov", "Yılmaz", "Haddad", "Hopper", "Tanaka", "Carvalho", "García", "Mensah"}
	places := []string{"Lisbon", "London", "Oslo", "Rome", "São Paulo", "Zürich", "東京"}
	jobs := []string{"Engineer", "Analyst", "Site reliability engineer", "Head of research", "Accountant"}
	var path string
	for i := range 25 { // one more than a page
		fields := adaWith(first[i%len(first)] + " " + last[i%len(last)])
		fields.Set("location", places[i%len(places)])
		fields.Set("jobTitle", jobs[i%len(jobs)])
		fields.Del("badges")
		for n := range i % 5 {
			fields.Add("badges", directory.Badges[(i*7+n*3)%len(directory.Badges)].ID)
		}
		res, _ := s.submit("/employees", fields, picture(t, 20+i, 20, func(w io.Writer, m image.Image) error { return jpeg.Encode(w, m, nil) }))
		path = res.Header.Get("Location")
	}
	s = s.as(t, "")
	measured := map[string]int{}
	for name, address := range map[string]string{"list": "/", "detail": path, "style": "/static/style.css"} {
		_, wire, _ := s.unzip(address, "gzip, deflate, br")
		measured[name] = len(wire)
	}
	if *update {
		b, err := json.MarshalIndent(measured, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, append(b, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	stated := map[string]int{}
	if err := json.Unmarshal(content, &stated); err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(measured)) {
		if off := math.Abs(float64(measured[name]-stated[name])) / float64(measured[name]); off > 0.1 {
			t.Errorf("%s has %d bytes on the wire, %s says %d; write it by go test ./service/web -run AsLarge -update", name, measured[name], file, stated[name])
		}
	}
	if measured["list"] > 8000 {
		t.Errorf("a list of 24 has %d bytes on the wire, want 8000 at most", measured["list"])
	}
}
