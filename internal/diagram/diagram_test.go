package diagram

import (
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/islands.svg instead of comparing with it")

// snapshot is what a configuration of the matrix is synthesized into.
func snapshot(t *testing.T, configuration string) string {
	t.Helper()
	d, err := Read(filepath.Join("../../stacks/testdata", configuration))
	if err != nil {
		t.Fatal(err)
	}
	return SVG(d)
}

// TestPictureIsCurrent compares docs/islands.svg with the shipped configuration's
// templates. With -update it writes it.
func TestPictureIsCurrent(t *testing.T) {
	const file = "../../docs/islands.svg"
	want := snapshot(t, "shipped")
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("docs/islands.svg is not what cdk.json is synthesized into; run `make diagram`, or `go test ./internal/diagram -update`:\n%s", diff)
	}
}

// TestPictureShowsTheConfiguration: what a picture says, and what it does not.
func TestPictureShowsTheConfiguration(t *testing.T) {
	for configuration, test := range map[string]struct{ has, lacks []string }{
		"shipped": {
			[]string{"AWS Global Accelerator", "eu-west-1", "us-east-1", "VPC 10.24.0.0/16", "no internet access", "internal, HTTP", "web ACL: 4 rules", "2 to 6 instances", "m7g.medium", "up to m7g.2xlarge", "AZ 3", "lighthouse", "scaler", "employees,", "photos", "only here: logs", "global tables, eventually consistent", "buckets copy objects to each other"},
			[]string{"witness", "drained"},
		},
		// In a VPC that exists, for private networks, without a domain.
		"internal": {
			[]string{"users from 10.0.0.0/8, 192.168.0.0/16", "no entry", "a VPC that exists", "vpc-01234…9abcdef0", "m7i.large", "AZ 2"},
			[]string{"Accelerator", "AZ 3", "global tables", "buckets copy", "us-east-1", "VPC 10."},
		},
		// Three regions, of which one is retired.
		"leaving": {
			[]string{"eu-west-1", "50 %", "us-east-1", "drained", "eu-west-2", "retired: data only", "NAT in each zone", "AZ c", "3 to 12 instances"},
			[]string{"witness"},
		},
		"witness":  {[]string{"us-west-2: witness", "staff.example.com: nearest healthy island", "internal, HTTPS", "global tables, strongly consistent", "AZ d"}, nil},
		"private":  {[]string{"Route 53: staff.example.com", "a VPC that exists", "internal, HTTPS"}, []string{"Accelerator"}},
		"trial":    {[]string{"public, HTTP", "no web ACL", "t4g.small"}, []string{"Accelerator", "web ACL: "}},
		"existing": {[]string{"no web ACL", "a VPC that exists", "AWS Global Accelerator"}, []string{"users from"}},
	} {
		t.Run(configuration, func(t *testing.T) {
			svg := snapshot(t, configuration)
			labels := regexp.MustCompile(`(?s)<desc.*?</desc>`).ReplaceAllString(svg, "")
			for _, want := range test.has {
				if !strings.Contains(labels, ">"+want) {
					t.Errorf("it does not show %q", want)
				}
			}
			for _, other := range test.lacks {
				if strings.Contains(labels, ">"+other) {
					t.Errorf("it shows %q", other)
				}
			}
			readable(t, svg)
		})
	}
}

// readable reports what is not XML, text that is smaller than 12 units, of which a
// phone shows 360, and what is outside of the picture.
func readable(t *testing.T, svg string) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(svg))
	var height int
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		number := map[string]int{}
		for _, a := range start.Attr {
			if a.Name.Local == "viewBox" && start.Name.Local == "svg" {
				height, _ = strconv.Atoi(strings.Fields(a.Value)[3])
			}
			number[a.Name.Local], _ = strconv.Atoi(a.Value)
		}
		switch start.Name.Local {
		case "rect", "text":
			if number["x"]+number["width"] > width || number["y"]+number["height"] > height {
				t.Errorf("outside of the picture: %v", start.Attr)
			}
		}
	}
	for _, size := range regexp.MustCompile(`font-size: (\d+)px`).FindAllStringSubmatch(svg, -1) {
		if n, _ := strconv.Atoi(size[1]); n < 12 {
			t.Errorf("text of %d px", n)
		}
	}
	for _, want := range []string{"prefers-color-scheme: dark", `<title id="t">`, `<desc id="d">`, `role="img"`} {
		if !strings.Contains(svg, want) {
			t.Errorf("it lacks %q", want)
		}
	}
}

// TestThreeIslandsShare: islands of the second row have their traffic and
// replication, and each name fits.
func TestThreeIslandsShare(t *testing.T) {
	island := func(region string) Island {
		return Island{Region: region, VPC: "vpc-0123456789abcdef0", Existing: true, LoadBalancer: "internal", Zones: []string{"1", "2"}, Min: 2, Max: 4,
			Types: []string{"m7g.medium"}, Share: 100, Lighthouse: true, Scaler: true, Tables: []string{"a"}, Buckets: []string{"a-bucket-with-quite-a-long-name", "<b>"}}
	}
	d := Deployment{Name: "three", From: []string{"10.0.0.0/8"}, Islands: []Island{island("eu-west-1"), island("ap-southeast-2"), island("us-east-1")}}
	svg := SVG(d)
	readable(t, svg)
	for what, want := range map[string]int{
		`class="table" d="M176 `:  4, // the rail, and one for each island
		`class="bucket" d="M184 `: 4,
		"a VPC that exists":       3,
		"&lt;b&gt;":               6, // of them three in the description
	} {
		if got := strings.Count(svg, what); got != want {
			t.Errorf("%s occurs %d times, want %d", what, got, want)
		}
	}
}

func TestFolderWithoutTemplatesIsRefused(t *testing.T) {
	if _, err := Read(t.TempDir()); err == nil || !strings.Contains(err.Error(), "run `make synth` first") {
		t.Errorf("got %v, want what to do", err)
	}
}
