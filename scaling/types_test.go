package scaling

import (
	"bytes"
	"strings"
	"testing"
)

// TestTableOfTypes: each type once, as FormatTypes writes it, with a size and an
// architecture that CDK and AWS have.
func TestTableOfTypes(t *testing.T) {
	if !bytes.Equal(typesFile, FormatTypes(types())) {
		t.Errorf("%s is not as make types writes it", TypesFile)
	}
	seen := map[string]bool{}
	for _, r := range types() {
		if seen[r.Type] || r.Architecture != "arm64" && r.Architecture != "x86_64" || r.VCPU < 1 || r.MemoryGiB < 0.5 {
			t.Errorf("%+v is there twice, or lacks something", r)
		}
		seen[r.Type] = true
		// Only families of burstable types begin so.
		if r.Burstable() != strings.HasPrefix(r.Type, "t") || r.Baseline <= 0 || r.Baseline > 100 {
			t.Errorf("%s has a baseline of %g %%", r.Type, r.Baseline)
		}
	}
	for _, wanted := range []string{"m8g.medium", "c8g.large", "r8g.large", "m7i.large", "m7a.medium", "t4g.small", "t3.micro", "t3a.micro"} {
		if !seen[wanted] {
			t.Errorf("%s is not there", wanted)
		}
	}
}

func TestTypesDoNotDependOnTheirOrder(t *testing.T) {
	some := []Rung{
		{Type: "m7g.large", Architecture: "arm64", VCPU: 2, MemoryGiB: 8, Baseline: 100},
		{Type: "t4g.nano", Architecture: "arm64", VCPU: 2, MemoryGiB: 0.5, Baseline: 5},
		{Type: "m7g.medium", Architecture: "arm64", VCPU: 1, MemoryGiB: 4, Baseline: 100},
	}
	const want = typesHead + "m7g.medium,arm64,1,4096,\nm7g.large,arm64,2,8192,\nt4g.nano,arm64,2,512,5\n"
	if got := string(FormatTypes(some)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
