// Package stacks turns the configuration of a deployment into its
// CloudFormation stacks: storage for each region, one that spans the regions,
// and one for each region.
package stacks

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
)

// ContextKey is the key of the CDK context, in cdk.json, that holds the
// configuration.
const ContextKey = "archipelago"

// Values of Config.Entry.
const (
	// EntryAccelerator is one AWS Global Accelerator in front of internal load balancers.
	EntryAccelerator = "accelerator"
	// EntryNone leaves each region with its own public load balancer.
	EntryNone = "none"
)

// Config is what a deployment is made from.
type Config struct {
	// Name is the prefix of every stack and physical name, at most 28
	// characters. Default: "archipelago".
	Name string
	// Account is the AWS account's id. Default: the account of the CDK CLI's
	// credentials.
	Account string
	// Regions are the islands; the first is the primary. Required.
	Regions []Region
	// Fleet sizes the Auto Scaling group of every region.
	Fleet Fleet
	// Entry is EntryAccelerator or EntryNone. Default: EntryAccelerator.
	Entry string
	// Protect retains data and forbids deletion. Default: true.
	Protect bool
	// AllowCleartext lets the deployed service take writes over HTTP. Default: false.
	AllowCleartext bool
}

// Region is one island.
type Region struct {
	// Name is the AWS region, such as "eu-west-1". Required.
	Name string
	// Zones are how many availability zones to use, or which. Default: three,
	// two in us-west-1.
	Zones Zones
	// CIDR is the VPC's address range, from /16 to /22. Default: 10.N.0.0/16,
	// where N belongs to the region.
	CIDR string
	// AMI is the image that the fleet boots, an Amazon Linux 2023 of the
	// ladder's architecture. Default: AWS's latest at each deployment.
	AMI string
}

// Zones are the availability zones of one region.
type Zones struct {
	// Count is how many.
	Count int
	// Letters name them, such as "a" for eu-west-1a. Default: the first Count
	// zones that AWS lists at deployment.
	Letters []string
}

// Fleet is the size of each region's Auto Scaling group.
type Fleet struct {
	// Min is the fewest instances in service. Default: 2.
	Min int
	// Max is the most instances in service. Default: 6.
	Max int
	// Ladder are the instance types, smallest first, of one architecture.
	// Default: m7g.medium, m7g.large, m7g.xlarge, m7g.2xlarge.
	Ladder []string
	// StartAt is the type of the first deployment, a rung of Ladder. Later ones
	// keep the type that the fleet has. Default: the first rung.
	StartAt string
}

// Names returns the names of the deployment's stacks and resources.
func (c Config) Names() Names { return Names{Name: c.Name, Account: c.Account} }

// RegionNames returns the names of all regions, the primary first.
func (c Config) RegionNames() []string {
	names := make([]string, len(c.Regions))
	for i, r := range c.Regions {
		names[i] = r.Name
	}
	return names
}

// ParseConfig reads the configuration out of the CDK context: the object under
// ContextKey, in which dotted keys such as "archipelago.fleet.max" replace one
// leaf, and defaults for what is absent. defaultAccount is used where no
// account is configured. The error joins every problem there is, each with the
// key's path, what is wanted and what was found; the configuration is of no use
// then.
func ParseConfig(context map[string]any, defaultAccount string) (Config, error) {
	tree, errs := merge(context)
	root := &object{path: ContextKey, values: tree, errs: &errs}
	c := Config{
		Name:           root.string("name", "archipelago"),
		Account:        root.string("account", defaultAccount),
		Regions:        parseRegions(root),
		Entry:          root.string("entry", EntryAccelerator),
		Protect:        root.bool("protect", true),
		AllowCleartext: root.bool("allowCleartext", false),
	}
	fleet := root.object("fleet")
	c.Fleet = Fleet{
		Min:    fleet.int("min", 2),
		Max:    fleet.int("max", 6),
		Ladder: fleet.strings("ladder", []string{"m7g.medium", "m7g.large", "m7g.xlarge", "m7g.2xlarge"}),
	}
	c.Fleet.StartAt = fleet.string("startAt", first(c.Fleet.Ladder))
	fleet.refuseUnknown()
	root.refuseUnknown()
	return c, errors.Join(append(errs, c.Validate())...)
}

func parseRegions(root *object) []Region {
	var regions []Region
	for _, item := range root.list("regions") {
		if name, ok := item.value.(string); ok {
			regions = append(regions, Region{Name: name}.withDefaults())
			continue
		}
		o := item.object(`a region's name or an object such as {"name": "eu-west-1"}`)
		r := Region{
			Name:  o.string("name", ""),
			Zones: parseZones(o),
			CIDR:  o.string("cidr", ""),
			AMI:   o.string("ami", ""),
		}
		o.refuseUnknown()
		regions = append(regions, r.withDefaults())
	}
	return regions
}

// parseZones reads a number of zones or a list of their letters.
func parseZones(o *object) Zones {
	if v, ok := o.values["zones"].(string); ok && strings.HasPrefix(v, "[") {
		o.values["zones"] = splitList(v)
	}
	if _, ok := o.values["zones"].([]any); ok {
		letters := o.strings("zones", nil)
		return Zones{Count: len(letters), Letters: letters}
	}
	return Zones{Count: o.int("zones", 0)}
}

// zoneNames are the zones' full names, if the configuration names them.
func (r Region) zoneNames() []string {
	var names []string
	for _, letter := range r.Zones.Letters {
		names = append(names, r.Name+letter)
	}
	return names
}

func (r Region) withDefaults() Region {
	i := slices.IndexFunc(knownRegions, func(k knownRegion) bool { return k.name == r.Name })
	if i < 0 {
		return r
	}
	if r.Zones.Count == 0 && r.Zones.Letters == nil {
		r.Zones.Count = knownRegions[i].zones
	}
	if r.CIDR == "" {
		r.CIDR = fmt.Sprintf("10.%d.0.0/16", i)
	}
	return r
}

var (
	// validName leaves room for "-photos-", an account and the longest
	// region's name in the 63 characters of a bucket's name.
	validName = regexp.MustCompile(`^[a-z](?:[a-z0-9-]{0,26}[a-z0-9])?$`)
	// validAccount is an AWS account's id.
	validAccount = regexp.MustCompile(`^\d{12}$`)
	// validAMI is an image's id, in its old and new length.
	validAMI = regexp.MustCompile(`^ami-(?:[0-9a-f]{8}|[0-9a-f]{17})$`)
	// validInstanceType is the shape of an EC2 instance type's name.
	validInstanceType = regexp.MustCompile(`^[a-z]+[0-9]+[a-z-]*\.[a-z0-9-]+$`)
	// validZone is the letter that follows a region's name in a zone's.
	validZone = regexp.MustCompile(`^[a-z]$`)
)

// Validate returns every problem of c, joined, or nil.
func (c Config) Validate() error {
	p := problems{path: ContextKey}
	if !validName.MatchString(c.Name) {
		p.add("name", "1 to 28 lower-case letters, digits and hyphens, a letter first", c.Name)
	}
	if !validAccount.MatchString(c.Account) {
		p.add("account", "the 12 digits of an AWS account, here or from the credentials of the CDK CLI", c.Account)
	}
	if c.Entry != EntryAccelerator && c.Entry != EntryNone {
		p.add("entry", fmt.Sprintf("%q or %q", EntryAccelerator, EntryNone), c.Entry)
	}
	return errors.Join(append(p.errs, c.validateRegions(), c.Fleet.validate())...)
}

func (c Config) validateRegions() error {
	p := problems{path: ContextKey}
	if len(c.Regions) == 0 {
		p.add("regions", `at least one region, such as ["eu-west-1", "us-east-1"]`, c.Regions)
	}
	for i, r := range c.Regions {
		path := fmt.Sprintf("regions[%d]", i)
		if first := slices.IndexFunc(c.Regions, func(o Region) bool { return o.Name == r.Name }); first < i {
			p.add(path+".name", fmt.Sprintf("a region once, it is regions[%d] already", first), r.Name)
			continue
		}
		if !slices.ContainsFunc(knownRegions, func(k knownRegion) bool { return k.name == r.Name }) {
			p.add(path+".name", `an AWS region such as "eu-west-1"`+didYouMean(r.Name, knownRegionNames()), r.Name)
			continue
		}
		r.validate(&p, path)
		for j, other := range c.Regions[:i] {
			if overlap(r.CIDR, other.CIDR) {
				p.add(path+".cidr", fmt.Sprintf("a range apart from regions[%d].cidr, %s", j, other.CIDR), r.CIDR)
			}
		}
	}
	return errors.Join(p.errs...)
}

func (r Region) validate(p *problems, path string) {
	if r.Zones.Count < 2 || r.Zones.Count > 6 {
		p.add(path+".zones", `2 to 6 zones, as a number or as letters such as ["a", "b", "c"]`, r.Zones.Count)
	}
	for i, letter := range r.Zones.Letters {
		switch {
		case !validZone.MatchString(letter):
			p.add(fmt.Sprintf("%s.zones[%d]", path, i), fmt.Sprintf(`a zone's letter, such as "a" for %sa`, r.Name), letter)
		case slices.Index(r.Zones.Letters, letter) < i:
			p.add(fmt.Sprintf("%s.zones[%d]", path, i), "each zone once", letter)
		}
	}
	cidr, err := netip.ParsePrefix(r.CIDR)
	if err != nil || !cidr.Addr().Is4() || cidr != cidr.Masked() || cidr.Bits() < 16 || cidr.Bits() > 22 {
		p.add(path+".cidr", `an IPv4 range from /16 to /22, such as "10.1.0.0/16"`, r.CIDR)
	}
	if r.AMI != "" && !validAMI.MatchString(r.AMI) {
		p.add(path+".ami", `an image's id, such as "ami-0123456789abcdef0"`, r.AMI)
	}
}

func (f Fleet) validate() error {
	p := problems{path: ContextKey + ".fleet"}
	if f.Min < 2 {
		p.add("min", "at least 2, so that one instance may fail", f.Min)
	}
	if f.Max < f.Min {
		p.add("max", fmt.Sprintf("at least fleet.min, %d", f.Min), f.Max)
	}
	if len(f.Ladder) == 0 {
		p.add("ladder", `at least one instance type, such as ["m7g.medium", "m7g.large"]`, f.Ladder)
	}
	wellFormed := true
	for i, t := range f.Ladder {
		switch {
		case !validInstanceType.MatchString(t):
			wellFormed = false
			p.add(fmt.Sprintf("ladder[%d]", i), `an instance type such as "m7g.medium"`, t)
		case slices.Index(f.Ladder, t) < i:
			p.add(fmt.Sprintf("ladder[%d]", i), "each instance type once", t)
		}
	}
	if wellFormed {
		for i, t := range f.Ladder {
			if a, b := architecture(f.Ladder[0]), architecture(t); a != b {
				p.errs = append(p.errs, fmt.Errorf("%s.ladder[%d]: want one architecture, got %s (%s) after %s (%s)",
					p.path, i, t, spelled(b), f.Ladder[0], spelled(a)))
			}
		}
	}
	if len(f.Ladder) > 0 && !slices.Contains(f.Ladder, f.StartAt) {
		p.add("startAt", "a rung of fleet.ladder"+didYouMean(f.StartAt, f.Ladder), f.StartAt)
	}
	return errors.Join(p.errs...)
}

// architecture is that of the whole ladder.
func (f Fleet) architecture() awsec2.InstanceArchitecture { return architecture(f.Ladder[0]) }

func architecture(instanceType string) awsec2.InstanceArchitecture {
	return awsec2.NewInstanceType(&instanceType).Architecture()
}

// spelled is an architecture as EC2 spells it.
func spelled(a awsec2.InstanceArchitecture) string {
	if a == awsec2.InstanceArchitecture_ARM_64 {
		return "arm64"
	}
	return "x86_64"
}

// overlap tells whether two address ranges share an address; those that are no
// ranges share none.
func overlap(a, b string) bool {
	x, errX := netip.ParsePrefix(a)
	y, errY := netip.ParsePrefix(b)
	return errX == nil && errY == nil && x.Overlaps(y)
}

func knownRegionNames() []string {
	names := make([]string, len(knownRegions))
	for i, r := range knownRegions {
		names[i] = r.name
	}
	return names
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// problems collects what is wrong under one path.
type problems struct {
	path string
	errs []error
}

func (p *problems) add(key, want string, got any) {
	p.errs = append(p.errs, wrong(p.path+"."+key, want, got))
}

func wrong(path, want string, got any) error {
	return fmt.Errorf("%s: want %s, got %s", path, want, strings.TrimSpace(show(got)))
}
