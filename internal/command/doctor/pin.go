package doctor

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/internal/atomicfile"
	"github.com/archipelago-cdk/archipelago/internal/cdkjson"
	"github.com/archipelago-cdk/archipelago/internal/command/arguments"
	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
)

// RunZones is the command that pins the zones of every region: it writes letters into
// cdk.json where the configuration leaves the zones to CloudFormation, of all regions or
// of none. Where a region is deployed they are those of its subnets.
func RunZones(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("zones", flag.ContinueOnError)
	path := flags.String("file", "cdk.json", "`file` with the configuration")
	if err := arguments.Parse(flags, args); err != nil {
		return err
	}
	file, err := os.ReadFile(*path)
	if err != nil {
		return err
	}
	settings, err := config.Context(file)
	if err != nil {
		return fmt.Errorf("%s: %w", *path, err)
	}
	d := doctor{within: within, settings: func(ctx context.Context, region string) (aws.Config, error) {
		return awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRegion(region))
	}}
	if d.identity, err = d.identify(ctx); err != nil {
		return err
	}
	if d.config, err = config.Parse(settings, d.identity.account); err != nil {
		return fmt.Errorf("%s: %w", *path, err)
	}
	if l := d.credentials(); l.Level == Fail {
		return fmt.Errorf("credentials: %s", l.Text)
	}
	for i, region := range d.config.Regions {
		if region.Retired || region.Lost || region.VPC.Set() {
			continue
		}
		if region.Zones.Letters != nil {
			fmt.Fprintf(stdout, "%-16s %s, as before\n", region.Name, strings.Join(region.Zones.Letters, ", "))
			continue
		}
		s, err := d.site(ctx, region)
		if err != nil {
			return err
		}
		zones, err := s.choose(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w; nothing was written", region.Name, err)
		}
		fmt.Fprintf(stdout, "%-16s %d zones → %s\n", region.Name, region.Zones.Count, strings.Join(zones, ", "))
		if file, err = cdkjson.SetRegion(file, i, region.Name, "zones", letters(region.Name, zones)); err != nil {
			return fmt.Errorf("%s: %w", *path, err)
		}
	}
	return atomicfile.Write(*path, file, 0o644)
}

// choose returns the names of the zones to write: those of the subnets, and where
// there are none yet, the first ones that are available, that have load balancers and that
// offer every rung of the ladder.
func (s *site) choose(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.within)
	defer cancel()
	client := ec2.NewFromConfig(s.here)
	status, err := s.regionStack(ctx)
	if err != nil {
		return nil, err
	}
	var zones []string
	if status != "" {
		if zones, err = s.deployedZones(ctx, client); err != nil {
			return nil, err
		}
	}
	if len(zones) == 0 {
		ids, available, err := allZones(ctx, client)
		if err != nil {
			return nil, err
		}
		all := slices.Sorted(maps.Keys(ids))
		offered, err := s.offered(ctx, client, all)
		if err != nil {
			return nil, err
		}
		zones = slices.DeleteFunc(all, func(zone string) bool {
			return !available[zone] || slices.Contains(withoutBalancers, ids[zone]) || slices.ContainsFunc(s.config.Fleet.Ladder, func(rung string) bool { return !slices.Contains(offered[rung], zone) })
		})
		if len(zones) < s.region.Zones.Count {
			return nil, fmt.Errorf("%d of its zones offer every rung of archipelago.fleet.ladder, %s, and archipelago.regions[].zones says %d: write fewer, or another ladder", len(zones), letters(s.region.Name, zones), s.region.Zones.Count)
		}
		zones = zones[:s.region.Zones.Count]
	}
	return zones, nil
}
