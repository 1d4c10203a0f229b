// Package doctor is the command that looks an account over before a deployment: it
// asks AWS for what the deployment takes for granted and for what is in its way, and
// prints a line for each thing that it looked at. It changes nothing.
package doctor

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/internal/command/arguments"
	"github.com/archipelago-cdk/archipelago/internal/local/cloud"
	"github.com/aws/aws-sdk-go-v2/aws"
)

// ErrArguments is that of arguments that are wrong, as opposed to an account that is.
var ErrArguments = errors.New("the arguments are wrong")

// within is how long the calls into one region may take, all together.
const within = time.Minute

// Run looks at every region of the configuration, or at the one that args name. It
// returns an error where a deployment would fail, and ErrArguments where args are
// wrong.
func Run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	root := flags.String("root", ".", "`directory` of cdk.json")
	dir := flags.String("dir", "", "`directory` of what make up runs (default .archipelago below -root)")
	region := flags.String("region", "", "`region` that is looked at (default all of the configuration)")
	var settings []string
	flags.Func("c", "`setting` of the configuration, such as archipelago.profile=trial; may be repeated", func(s string) error {
		settings = append(settings, s)
		return nil
	})
	if err := arguments.Parse(flags, args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return fmt.Errorf("%w: %w", ErrArguments, err)
	}
	d := doctor{
		only: *region, local: !cloud.OnAWS(), resolver: net.DefaultResolver, within: within,
		settings: func(ctx context.Context, region string) (aws.Config, error) {
			return cloud.Settings(ctx, cloud.Options{Root: *root, Dir: *dir}, region)
		},
	}
	var err error
	if d.identity, err = d.identify(ctx); err != nil {
		return err
	}
	// A configuration may name things of its account, so that is asked for first.
	if d.config, err = config.Read(*root, settings, d.identity.account); err != nil {
		return fmt.Errorf("the configuration is not valid\n%w", err)
	}
	if *region != "" && !slices.ContainsFunc(d.config.Regions, func(r config.Region) bool { return r.Name == *region }) {
		return fmt.Errorf("%w: -region %s is not one of archipelago.regions, %s", ErrArguments, *region, names(d.config.Regions))
	}
	if d.qualifier, err = qualifier(*root, settings); err != nil {
		return err
	}
	lines, err := d.diagnose(ctx)
	if err != nil {
		return err
	}
	return report(stdout, lines)
}

// qualifierKey is CDK's key of the context, and defaultQualifier what it is where
// nothing is said. Source: AWS CDK Developer Guide, "Customize AWS CDK bootstrapping".
const (
	qualifierKey     = "@aws-cdk/core:bootstrapQualifier"
	defaultQualifier = "hnb659fds"
)

// qualifier returns that of the bootstrap's names.
func qualifier(root string, settings []string) (string, error) {
	b, err := os.ReadFile(filepath.Join(root, "cdk.json"))
	if err != nil {
		return "", err
	}
	context, err := config.Context(b)
	if err != nil {
		return "", err
	}
	for _, setting := range settings {
		if value, ok := strings.CutPrefix(setting, qualifierKey+"="); ok {
			return value, nil
		}
	}
	if q, ok := context[qualifierKey].(string); ok && q != "" {
		return q, nil
	}
	return defaultQualifier, nil
}

// resolver asks DNS, as net.Resolver does.
type resolver interface {
	LookupNS(ctx context.Context, name string) ([]*net.NS, error)
}

// doctor is who looks at an account.
type doctor struct {
	identity  identity
	config    config.Config
	qualifier string
	// only is the region that is looked at, "" for all.
	only string
	// local says that it is what runs on this machine, which has no account of AWS and
	// no public name servers.
	local    bool
	resolver resolver
	// within is how long a region may take.
	within time.Duration
	// settings are those of the clients for a region.
	settings func(ctx context.Context, region string) (aws.Config, error)
}

// check is one thing to look at in a region.
type check struct {
	name string
	look func(ctx context.Context, s *site) []Line
}

// The checks, in the order of their lines.
var (
	// ofAccount are looked at once, with the clients of the primary region.
	ofAccount = []check{
		{"zone", hostedZone},
		{"github", github},
	}
	// ofRegion are looked at in every region that is enabled, a retired one too.
	ofRegion = []check{
		{"bootstrap", bootstrap},
		{"stacks", stacks},
		{"stores", leftovers},
		{"tables", tables},
		{"replication", replication},
	}
	// ofIsland are looked at in every region that serves users.
	ofIsland = []check{
		{"switches", switches},
		{"listener", listener},
		{"processes", processes},
		{"zones", zones},
		{"vpc", network},
		{"vcpus", vcpus},
		{"vpcs", vpcs},
		{"addresses", addresses},
		{"concurrency", concurrency},
		{"certificate", certificate},
		{"record", record},
		{"secrets", secrets},
		{"ebs-key", ebsKey},
		{"alarms", subscriptions},
		{"alarms", silenced},
	}
)

// diagnose looks at everything. The error says that there are no settings to ask with.
func (d doctor) diagnose(ctx context.Context) ([]Line, error) {
	credentials := d.credentials()
	if credentials.Level == Fail { // what another account has says nothing
		return []Line{credentials}, nil
	}
	var wait sync.WaitGroup
	enabled, results := d.enabled(ctx), make([][]Line, 1+len(d.config.Regions))
	for i, region := range d.config.Regions {
		s, err := d.site(ctx, region)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			account := s.again()
			wait.Go(func() { results[0] = account.look(ctx, "", ofAccount) })
		}
		if d.only == "" || d.only == region.Name {
			wait.Go(func() { results[1+i] = s.lookAt(ctx, enabled(region.Name)) })
		}
	}
	wait.Wait()
	return append([]Line{credentials}, slices.Concat(results...)...), nil
}

// lookAt looks at the region, given what is known of whether it is enabled.
func (s *site) lookAt(ctx context.Context, enabled Line) []Line {
	if s.region.Lost {
		enabled = warn("it is lost: nothing is deployed into it, and nothing was looked at, until lost is taken out of it")
	}
	enabled.Region, enabled.Check = s.region.Name, "region"
	if s.region.Lost || enabled.Level == Fail {
		return []Line{enabled} // it would refuse every call, or answer none
	}
	checks := ofRegion
	if !s.region.Retired {
		checks = slices.Concat(ofRegion, ofIsland)
	}
	return append([]Line{enabled}, s.look(ctx, s.region.Name, checks)...)
}

// look makes checks, one after the other, and says where and by which.
func (s *site) look(ctx context.Context, region string, checks []check) []Line {
	ctx, cancel := context.WithTimeout(ctx, s.within)
	defer cancel()
	var lines []Line
	for _, c := range checks {
		for _, l := range c.look(ctx, s) {
			l.Region, l.Check = region, c.name
			lines = append(lines, l)
		}
	}
	return lines
}

func names(regions []config.Region) string {
	var all []string
	for _, r := range regions {
		all = append(all, r.Name)
	}
	return strings.Join(all, ", ")
}
