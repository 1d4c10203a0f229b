package doctor

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// no is a line that says no, by its format in the code.
type no struct {
	level  Level
	format string
}

// nos are all of them: the calls of fail and warn, and of say, which is one of them or the
// other and counts as both.
func nos() ([]no, error) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		return nil, err
	}
	levels := map[string][]Level{"fail": {Fail}, "warn": {Warning}, "say": {Fail, Warning}}
	found := map[no]bool{}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return nil, err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			name := ""
			switch f := call.Fun.(type) {
			case *ast.Ident:
				name = f.Name
			case *ast.SelectorExpr:
				name = f.Sel.Name
			}
			if text, ok := call.Args[0].(*ast.BasicLit); ok && text.Kind == token.STRING {
				format, _ := strconv.Unquote(text.Value)
				for _, level := range levels[name] {
					found[no{level, format}] = true
				}
			}
			return true
		})
	}
	all := slices.Collect(maps.Keys(found))
	slices.SortFunc(all, func(a, b no) int { return strings.Compare(string(a.level)+a.format, string(b.level)+b.format) })
	return all, nil
}

var verb = regexp.MustCompile(`%(\[\d+\])?[a-z]`)

// says reports whether a line is one of a format.
func (n no) says(l Line) bool {
	var parts []string
	for _, part := range verb.Split(n.format, -1) {
		parts = append(parts, regexp.QuoteMeta(part))
	}
	return n.level == l.Level && regexp.MustCompile(`(?s)^`+strings.Join(parts, ".*")+`$`).MatchString(l.Text)
}

// seen are the lines that tests have compared with what they want.
var seen struct {
	sync.Mutex
	lines []Line
}

func saw(l Line) {
	seen.Lock()
	defer seen.Unlock()
	seen.lines = append(seen.lines, l)
}

// TestMain fails where a line has no fixture: none of the tests has had it said. Only all
// tests together tell that.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 && flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.skip").Value.String() == "" {
		code = withoutFixture()
	}
	os.Exit(code)
}

func withoutFixture() int {
	all, err := nos()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := 0
	for _, n := range all {
		if !slices.ContainsFunc(seen.lines, n.says) {
			fmt.Fprintf(os.Stderr, "no account has the line %s: %s\n", n.level, n.format)
			code = 1
		}
	}
	return code
}

// inCloud is where instances are not launched, or do not boot.
const inCloud = "test/cloud TestWhatTheDoctorForbids"

// fails are the tests in which a deployment fails in the account of which a line of the
// level fail tells, by a part of its format. One without a package is here.
var fails = map[string][]string{
	"does not: cdk deploy --all --import-existing-resources": {"TestLeftovers", "TestTablesThatAreLeftOver", "test/lives TestStacksAreMadeAgain"},
	"does not: delete it, or set archipelago.protect":        {"TestLeftovers", "TestTablesThatAreLeftOver", "test/lives TestStacksAreMadeAgain"},
	"free addresses, and a load balancer wants":              {"TestSubnetsOfALoadBalancer"},
	"Route 53 makes no second one":                           {"TestRecord"},
	"a load balancer takes ISSUED ones":                      {"TestCertificateThatIsNotIssued"},
	"without which CloudFormation refuses the region":        {"TestListenerThatIsNotPublished"},
	"so no instance is replaced":                             {inCloud},
	"continue-update-rollback":                               {"TestStatesThatTakeAnOperator"},
	"where cdk deploy --no-rollback leaves one":              {"TestStacksThatArePaused"},
	"cdk destroy --exclusively":                              {"TestStatesThatTakeAnOperator"},
	"wait until it is not":                                   {"TestStatesThatTakeAnOperator"},
	"and there is no such key":                               {inCloud},
	"no instance may decrypt it":                             {inCloud},
	"enable it, or encrypt with another one":                 {inCloud},
	"where a load balancer takes one subnet":                 {"TestSubnetsOfALoadBalancer"},
	"%s is not in %s: correct":                               {"TestNetworkThatExists"},
	"keeps no versions":                                      {"TestLeftovers"},
	"are taken by fleet.min":                                 {inCloud},
	"DNS does not delegate":                                  {"TestHostedZone"},
	"it is not bootstrapped":                                 {"TestWhatTheCLIRefuses"},
	"it is not enabled for this account":                     {"TestRegionThatIsNotEnabled"},
	"CloudFormation would now take others":                   {"TestZonesThatAWSChooses"},
	"archipelago.regions says %s: subnets do not move":       {"TestZonesThatAWSChooses"},
	"Global Accelerator reaches nothing in it":               {"TestNetworkThatExists"},
	"no load balancer in it faces the internet":              {"TestNetworkThatExists"},
	"none of its zones offers":                               {inCloud},
	"has an identity provider for GitHub already":            {"TestIdentityProvider"},
	"the bootstrap has version":                              {"TestWhatTheCLIRefuses"},
	"to which programs are published":                        {"TestWhatTheCLIRefuses"},
	"has private: %t":                                        {"TestHostedZone"},
	"is that of %s, and archipelago.domain.zone is":          {"TestHostedZone"},
	"with which volumes are encrypted, is":                   {inCloud},
	"of which %d are not reserved":                           {"TestConcurrency"},
	"of which %d are taken, and the region adds":             {"TestVPCs", "TestAddresses"},
	"and a load balancer writes its logs into none":          {"TestBucketsThatEncryptByKMS"},
	"is to be deleted":                                       {inCloud},
	"exists here and is not a replica":                       {"TestChangesOfATable"},
	"CloudFormation adds one in an update":                   {"TestChangesOfATable"},
	"has strong consistency":                                 {"TestChangesOfATable"},
	"has the key %s, and the configuration says":             {"TestChangesOfATable"},
	"archipelago.regions[].zones says":                       {"TestZonesThatAWSChooses"},
	"correct archipelago.domain.certificateArns":             {"TestCertificate"},
	"there is no VPC":                                        {"TestNetworkThatExists"},
	"there is no hosted zone":                                {"TestHostedZone"},
	"there is no key":                                        {inCloud},
	"there is no parameter %s, without which":                {inCloud},
	"there is no secret":                                     {inCloud},
	"there is no way from":                                   {inCloud},
	"in which AWS makes no load balancer":                    {"TestZonesWithoutLoadBalancers"},
	"there is no zone":                                       {"TestZones"},
	"they are those of account":                              {"TestWhatTheCLIRefuses"},
	"which Auto Scaling may not use":                         {inCloud},
}

// TestLinesThatFailDeployments: each has a test in which one does, and docs/figures.md
// says how many lines there are.
func TestLinesThatFailDeployments(t *testing.T) {
	all, err := nos()
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	used := map[string]string{}
	for _, n := range all {
		if n.level != Fail {
			continue
		}
		count++
		var parts []string
		for part := range fails {
			if strings.Contains(n.format, part) {
				parts = append(parts, part)
			}
		}
		if len(parts) != 1 {
			t.Errorf("%d entries, %q, are of the line: %s", len(parts), parts, n.format)
			continue
		}
		if other := used[parts[0]]; other != "" {
			t.Errorf("%q is of two lines: %s, %s", parts[0], other, n.format)
		}
		used[parts[0]] = n.format
	}
	for part, tests := range fails {
		if used[part] == "" {
			t.Errorf("%q is of no line", part)
		}
		for _, test := range tests {
			dir, name, found := strings.Cut(test, " ")
			if !found {
				dir, name = "internal/command/doctor", test
			}
			if !hasTest(t, filepath.Join("../../..", dir), name) {
				t.Errorf("%q: there is no %s in %s", part, name, dir)
			}
		}
	}
	figures, err := os.ReadFile("../../../docs/figures.md")
	if err != nil {
		t.Fatal(err)
	}
	says := fmt.Sprintf("Doctor: %d lines that say no, %[1]d fixtures; of each of %d that are `fail` a test has the deployment that fails.", len(all), count)
	if !strings.Contains(string(figures), says) {
		t.Errorf("docs/figures.md does not say: %s", says)
	}
}

// hasTest reports whether a directory has a test of a name.
func hasTest(t *testing.T, dir, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "\nfunc "+name+"(t *testing.T)") {
			return true
		}
	}
	return false
}
