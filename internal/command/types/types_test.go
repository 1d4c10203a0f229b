package types

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/archipelago-cdk/archipelago/internal/local/emulator"
	"github.com/archipelago-cdk/archipelago/internal/local/emulator/emulatortest"
	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"
)

// run runs the command over a file, with the emulator for AWS.
func run(t *testing.T, path string) string {
	t.Helper()
	var out bytes.Buffer
	if err := Run(t.Context(), []string{"-file", path}, &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestTableIsWhatEC2Says: the table that is committed is the one that the command writes
// from nothing, byte for byte, and again from itself.
func TestTableIsWhatEC2Says(t *testing.T) {
	server := emulatortest.Start(t, emulator.Options{})
	for _, variable := range emulator.Environment(server.URL) {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	path := filepath.Join(t.TempDir(), "instances.csv")
	stdout := run(t, path)
	first, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"new: 10 of m8g\n",
		"left out: accelerated: dl1, ",
		"left out: flex, whose CPU is neither whole nor has credits: c7i-flex, ",
		"left out: memory with a quota of its own: u-3tb1, ",
		"left out: storage: d3, d3en, i3en, ",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the output lacks %q:\n%s", want, stdout)
		}
	}
	if strings.Contains(stdout, "does not know") || strings.Contains(stdout, "without a baseline") {
		t.Errorf("a family is not known:\n%s", stdout)
	}
	known, err := scaling.ParseTypes(bytes.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	// Sources: AWS's pages of M8g, R7a and T3a instances, and the User Guide's baselines.
	for _, want := range []scaling.Rung{
		{Type: "m8g.medium", Architecture: "arm64", VCPU: 1, MemoryGiB: 4, Baseline: 100},
		{Type: "r7a.8xlarge", Architecture: "x86_64", VCPU: 32, MemoryGiB: 256, Baseline: 100},
		{Type: "t3a.nano", Architecture: "x86_64", VCPU: 2, MemoryGiB: 0.5, Baseline: 5},
	} {
		if !slices.Contains(known, want) {
			t.Errorf("the table lacks %+v", want)
		}
	}
	for _, other := range []string{"c7g.metal", "m7i-flex.large", "t2.micro", "g5g.xlarge", "x8g.large", "hpc7g.4xlarge", "m5.large"} {
		if slices.ContainsFunc(known, func(r scaling.Rung) bool { return r.Type == other }) {
			t.Errorf("the table has %s", other)
		}
	}
	if again := run(t, path); strings.Contains(again, "new: ") || strings.Contains(again, "kept, ") {
		t.Errorf("the second run changes something:\n%s", again)
	}
	second, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(first), string(second)); diff != "" {
		t.Errorf("the second run's table (-first +second):\n%s", diff)
	}
	committed, err := os.ReadFile("../../../" + scaling.TypesFile)
	if err != nil {
		t.Fatal(err)
	}
	all, err := scaling.ParseTypes(bytes.NewReader(committed))
	if err != nil {
		t.Fatal(err)
	}
	for _, rung := range known {
		if !slices.Contains(all, rung) {
			t.Errorf("the committed table lacks %+v", rung)
		}
	}
	if diff := cmp.Diff(string(scaling.FormatTypes(all)), string(committed)); diff != "" {
		t.Errorf("the committed table is not as it is written (-want +got):\n%s", diff)
	}
}

// answers is EC2 in two pages.
type answers [2][]types.InstanceTypeInfo

func (a answers) DescribeInstanceTypes(_ context.Context, in *ec2.DescribeInstanceTypesInput, _ ...func(*ec2.Options)) (*ec2.DescribeInstanceTypesOutput, error) {
	if in.NextToken == nil {
		return &ec2.DescribeInstanceTypesOutput{InstanceTypes: a[0], NextToken: aws.String("more")}, nil
	}
	return &ec2.DescribeInstanceTypesOutput{InstanceTypes: a[1]}, nil
}

func info(name string, burstable bool) types.InstanceTypeInfo {
	return types.InstanceTypeInfo{
		InstanceType: types.InstanceType(name), BurstablePerformanceSupported: &burstable,
		VCpuInfo: &types.VCpuInfo{DefaultVCpus: aws.Int32(2)}, MemoryInfo: &types.MemoryInfo{SizeInMiB: aws.Int64(8192)},
		ProcessorInfo: &types.ProcessorInfo{SupportedArchitectures: []types.ArchitectureType{types.ArchitectureTypeI386, types.ArchitectureTypeX8664}},
	}
}

// TestUnknownFamiliesAreSaid, on whatever page they are; and what the table has stays.
func TestUnknownFamiliesAreSaid(t *testing.T) {
	found, left, err := describe(t.Context(), answers{
		{info("m9i.large", false), info("q1.large", false), info("q1.xlarge", false)},
		{info("t5.large", true), info("t3.mega", true), info("t3.large", true), info("r9-flex.large", false)},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []scaling.Rung{
		{Type: "m9i.large", Architecture: "x86_64", VCPU: 2, MemoryGiB: 8, Baseline: 100},
		{Type: "t3.large", Architecture: "x86_64", VCPU: 2, MemoryGiB: 8, Baseline: 30},
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("types (-want +got):\n%s", diff)
	}
	old := scaling.Rung{Type: "m5.large", Architecture: "x86_64", VCPU: 2, MemoryGiB: 8, Baseline: 100}
	before := []scaling.Rung{old, found[1]}
	after := merge(before, found)
	if len(after) != 3 || !has(after, old) {
		t.Errorf("got %+v, want what was found and m5.large, once each", after)
	}
	var out bytes.Buffer
	report(&out, before, after, found, left)
	const says = `new: 1 of m9i
kept, though EC2 does not offer them here as current: m5.large
left out: burstable, without a baseline in internal/command/types: add it, from AWS's table: t3.mega, t5.large
left out: flex, whose CPU is neither whole nor has credits: r9-flex
left out: of a kind that internal/command/types does not know: add its letters to kinds: q1
`
	if diff := cmp.Diff(says, out.String()); diff != "" {
		t.Errorf("output (-want +got):\n%s", diff)
	}
}

// TestNothingIsWrittenWhereEC2Fails, nor over a table that cannot be read.
func TestNothingIsWrittenWhereEC2Fails(t *testing.T) {
	for _, variable := range append(emulator.Environment("http://localhost:1"), "AWS_MAX_ATTEMPTS=1") {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	for content, want := range map[string]string{
		string(scaling.FormatTypes(scaling.Types()[:3])): "us-east-1: EC2's instance types could not be read, nothing was written: ",
		"type,architecture\n":                            "instances.csv: record on line 1: wrong number of fields",
		"m7g.large,arm64,two,8192,\n":                    "instances.csv: line 1: want vCPUs, MiB and a baseline in percent or nothing",
	} {
		path := filepath.Join(t.TempDir(), "instances.csv")
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := Run(t.Context(), []string{"-file", path}, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		after, err := os.ReadFile(path)
		if err != nil || string(after) != content {
			t.Errorf("the file was changed to %q (%v)", after, err)
		}
	}
}
