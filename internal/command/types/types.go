// Package types is the command that writes the table of instance types, by what EC2
// says of them. It needs credentials that may call ec2:DescribeInstanceTypes.
package types

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/archipelago-cdk/archipelago/internal/atomicfile"
	"github.com/archipelago-cdk/archipelago/internal/command/arguments"
	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// kinds are what families are for, by the letters that their names begin with. Source:
// Amazon EC2, "Instance type naming conventions", read in 2026-11.
var kinds = map[string]string{
	"m": "general", "t": "general", "c": "compute", "r": "memory", "z": "memory",
	"x": "memory with a quota of its own", "u": "memory with a quota of its own",
	"d": "storage", "h": "storage", "i": "storage", "im": "storage", "is": "storage",
	"dl": "accelerated", "f": "accelerated", "g": "accelerated", "gr": "accelerated", "inf": "accelerated",
	"p": "accelerated", "trn": "accelerated", "vt": "accelerated",
	"hpc": "high-performance computing",
}

// taken are the kinds that a fleet may have. Their quota, that of standard instances, is
// the one that the doctor compares a fleet with.
var taken = []string{"general", "compute", "memory"}

// baselines are what each vCPU of a burstable type may use for ever, in percent, by its
// size: the same for T3, T3a and T4g. EC2's API does not say. Source: Amazon EC2 User
// Guide, "Key concepts for burstable performance instances",
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/burstable-credits-baseline-concepts.html.
var baselines = map[string]float64{"nano": 5, "micro": 10, "small": 20, "medium": 20, "large": 30, "xlarge": 40, "2xlarge": 40}

// burstable are the families that have these baselines.
var burstable = []string{"t3", "t3a", "t4g"}

// Run writes the table.
func Run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("types", flag.ContinueOnError)
	path := flags.String("file", scaling.TypesFile, "`file` with the table")
	region := flags.String("region", "us-east-1", "`region` that is asked: EC2 answers what it offers there")
	if err := arguments.Parse(flags, args); err != nil {
		return err
	}
	before, err := read(*path)
	if err != nil {
		return err
	}
	if before == nil && *path == scaling.TypesFile {
		return fmt.Errorf("there is no %s: a repository that has Archipelago as a dependency gets its table of types with the release; want a clone of Archipelago, or -file", *path)
	}
	credentials, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRegion(*region))
	if err != nil {
		return err
	}
	found, left, err := describe(ctx, ec2.NewFromConfig(credentials))
	if err != nil {
		return fmt.Errorf("%s: EC2's instance types could not be read, nothing was written: %w", *region, err)
	}
	after := merge(before, found)
	if err := atomicfile.Write(*path, scaling.FormatTypes(after), 0o644); err != nil {
		return err
	}
	report(stdout, before, after, found, left)
	fmt.Fprintf(stdout, "%d types are in %s\n", len(after), *path)
	return nil
}

// read returns the types of a table that exists, none of one that does not.
func read(path string) ([]scaling.Rung, error) {
	table, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	known, err := scaling.ParseTypes(bytes.NewReader(table))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return known, nil
}

// describe returns the types that a fleet may have, and the families, or types, that it
// leaves out, by the reason.
func describe(ctx context.Context, client ec2.DescribeInstanceTypesAPIClient) (found []scaling.Rung, left map[string][]string, err error) {
	filter := func(name string, values ...string) types.Filter { return types.Filter{Name: &name, Values: values} }
	left = map[string][]string{}
	pages := ec2.NewDescribeInstanceTypesPaginator(client, &ec2.DescribeInstanceTypesInput{Filters: []types.Filter{
		filter("current-generation", "true"), filter("bare-metal", "false"), filter("hypervisor", "nitro"),
		filter("supported-usage-class", "on-demand"), filter("processor-info.supported-architecture", "arm64", "x86_64"),
	}})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, nil, err
		}
		for _, t := range page.InstanceTypes {
			rung, name, why := rungOf(t)
			if why == "" {
				found = append(found, rung)
			} else if !slices.Contains(left[why], name) {
				left[why] = append(left[why], name)
			}
		}
	}
	return found, left, nil
}

// rungOf returns a type as a rung, or what is left out and why.
func rungOf(t types.InstanceTypeInfo) (rung scaling.Rung, name, why string) {
	rung = scaling.Rung{
		Type: string(t.InstanceType), VCPU: int(aws.ToInt32(t.VCpuInfo.DefaultVCpus)), Baseline: 100,
		MemoryGiB: float64(aws.ToInt64(t.MemoryInfo.SizeInMiB)) / 1024,
	}
	family, size, _ := strings.Cut(rung.Type, ".")
	kind, known := kinds[strings.ToLower(family[:max(0, strings.IndexAny(family, "-0123456789"))])]
	switch {
	case !known:
		return rung, family, "of a kind that internal/command/types does not know: add its letters to kinds"
	case !slices.Contains(taken, kind):
		return rung, family, kind
	case strings.HasSuffix(family, "-flex"):
		// AWS promises such a type its whole CPU for 95 % of a day, and bills no credits for
		// more: neither of the scaler's two models of a CPU.
		return rung, family, "flex, whose CPU is neither whole nor has credits"
	}
	if aws.ToBool(t.BurstablePerformanceSupported) {
		if rung.Baseline, known = baselines[size]; !known || !slices.Contains(burstable, family) {
			return rung, rung.Type, "burstable, without a baseline in internal/command/types: add it, from AWS's table"
		}
	}
	for _, architecture := range []types.ArchitectureType{types.ArchitectureTypeArm64, types.ArchitectureTypeX8664} {
		if slices.Contains(t.ProcessorInfo.SupportedArchitectures, architecture) {
			rung.Architecture = string(architecture)
		}
	}
	return rung, "", ""
}

// merge adds what was found to what there was: a ladder may have a type that AWS calls
// previous by now, or that the region does not offer.
func merge(before, found []scaling.Rung) []scaling.Rung {
	all := slices.Clone(found)
	for _, rung := range before {
		if !has(found, rung) {
			all = append(all, rung)
		}
	}
	return all
}

func has(rungs []scaling.Rung, rung scaling.Rung) bool {
	return slices.ContainsFunc(rungs, func(r scaling.Rung) bool { return r.Type == rung.Type })
}

// report says what is new, what is kept and what is left out.
func report(out io.Writer, before, after, found []scaling.Rung, left map[string][]string) {
	added, kept := map[string]int{}, []string{}
	for _, rung := range after {
		switch {
		case !has(before, rung):
			added[rung.Family()]++
		case !has(found, rung):
			kept = append(kept, rung.Type)
		}
	}
	for _, family := range slices.Sorted(maps.Keys(added)) {
		fmt.Fprintf(out, "new: %d of %s\n", added[family], family)
	}
	if len(kept) > 0 {
		slices.Sort(kept)
		fmt.Fprintf(out, "kept, though EC2 does not offer them here as current: %s\n", strings.Join(kept, ", "))
	}
	for _, why := range slices.Sorted(maps.Keys(left)) {
		slices.Sort(left[why])
		fmt.Fprintf(out, "left out: %s: %s\n", why, strings.Join(left[why], ", "))
	}
}
