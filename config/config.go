// Package config is what a user says of a deployment: its keys, their defaults
// and bounds, and the names that follow from them. It reads no CDK.
package config

import (
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/archipelago-cdk/archipelago/internal/addresses"
	"github.com/archipelago-cdk/archipelago/internal/al2023"
	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/archipelago-cdk/archipelago/service/setting"
)

// ContextKey is the key of the CDK context, in cdk.json, that holds the
// configuration.
const ContextKey = "archipelago"

// Values of Config.Entry.
const (
	// EntryAccelerator is one AWS Global Accelerator in front of internal load balancers.
	EntryAccelerator = "accelerator"
	// EntryDNS is one name with a record for each region's public load balancer:
	// users get the nearest healthy one.
	EntryDNS = "dns"
	// EntryNone leaves each region with its own public load balancer.
	EntryNone = "none"
)

// Values of Config.Egress.
const (
	// EgressNone gives instances no route to the internet.
	EgressNone = "none"
	// EgressNAT gives them one, through a NAT gateway in each zone.
	EgressNAT = "nat"
)

// Values of Fleet.Vertical.
const (
	// VerticalOff keeps the instance type.
	VerticalOff = string(scaling.Off)
	// VerticalAdvise has the scaler say which one it would choose.
	VerticalAdvise = string(scaling.Advise)
	// VerticalAuto lets it change the type.
	VerticalAuto = string(scaling.Auto)
)

// Config is what a deployment is made from.
type Config struct {
	// Name is the prefix of every stack and physical name, at most 28
	// characters. Default: "archipelago".
	Name string `json:"name"`
	// Account is the AWS account's id. Default: that of the CDK CLI's
	// credentials.
	Account string `json:"account"`
	// Regions are the islands, at most 15, the primary first: names, or objects
	// with the keys below. Required.
	Regions []Region `json:"regions" jsonschema:"required,minItems=1,maxItems=15"`
	// Domain is the name that users know the deployment by, as {zone, zoneId,
	// host}: it gets a certificate in each region, HTTPS only, and the entry's
	// records. Default: none; it is reached by AWS's names and without TLS.
	Domain Domain `json:"domain"`
	// Entry is "accelerator"; "dns", a record for each region's public load
	// balancer, which needs a domain; or "none", public load balancers alone.
	// Default: "accelerator".
	Entry string `json:"entry" jsonschema:"enum=accelerator,enum=dns,enum=none"`
	// Consistency is that of the employees' table: "eventual", or "strong", which
	// loses no write with a region. A strong table has three regions of one set,
	// or two and a witness. It is chosen once, for the table's life. Default:
	// "eventual".
	Consistency string `json:"consistency" jsonschema:"enum=eventual,enum=strong"`
	// Witness is the third region of a strong table, which keeps its log and no
	// replica. Default: none.
	Witness string `json:"witness"`
	// Fleet sizes the Auto Scaling group of every region.
	Fleet Fleet `json:"fleet"`
	// Egress is "none" or "nat": whether instances have a way to the internet, a
	// NAT gateway in each zone. Default: "none".
	Egress string `json:"egress" jsonschema:"enum=none,enum=nat"`
	// WAF is the web ACL of every region's load balancer.
	WAF WAF `json:"waf"`
	// Alarms are the e-mail addresses that alarms are sent to. Default: none.
	Alarms []string `json:"alarms"`
	// Logs sends the service's log, and its instances' use of memory and disk, to
	// CloudWatch, with alarms. Without a NAT gateway that takes two endpoints, paid
	// per zone and hour: for the shipped regions $92 a month, and $2 to $198 for
	// what is sent. Default: false.
	Logs bool `json:"logs"`
	// SSM lets operators open sessions on instances; without a NAT gateway that
	// takes two endpoints, paid per zone and hour. Default: false.
	SSM bool `json:"ssm"`
	// Protect retains data and forbids deletion; false is for throw-away
	// deployments. Default: true.
	Protect bool `json:"protect"`
	// AllowCleartext lets the deployed service take writes over HTTP; without it
	// the service is read-only until it has TLS. Default: false.
	AllowCleartext bool `json:"allowCleartext"`
	// Reads is who may read: "open", everybody, or "signed-in", who has an account.
	// Default: "open".
	Reads string `json:"reads" jsonschema:"enum=open,enum=signed-in"`
	// LoadGenerator lets people who are signed in burn CPU on an instance for a
	// while, to see it scale. Default: false.
	LoadGenerator bool `json:"loadGenerator"`
}

// Region is one island.
type Region struct {
	// Name is the AWS region, such as "eu-west-1". Required.
	Name string `json:"name" jsonschema:"required"`
	// Zones are how many availability zones to use, or which: ["a", "b", "d"].
	// Default: 3; 2 in us-west-1.
	Zones Zones `json:"zones"`
	// CIDR is the VPC's address range, from /16 to /24, apart from all others and
	// large enough for fleet.max instances with one zone lost. Default:
	// 10.N.0.0/16, where N belongs to the region.
	CIDR string `json:"cidr"`
	// AMI is the image that the fleet boots, an Amazon Linux 2023 of the
	// ladder's architecture. A pinned one replaces no instances by itself; `make
	// ami` pins and bumps all. Default: AWS's latest at each deployment.
	AMI string `json:"ami"`
	// Weight is how many percent of the region's own users it serves; the others
	// go to the next nearest. 0 drains it; between 0 and 100 it needs the
	// accelerator. Default: 100.
	Weight int `json:"weight" jsonschema:"minimum=0,maximum=100"`
	// Retired takes the region out of all but its storage stack, the step
	// between a region's life and its removal. Default: false.
	Retired bool `json:"retired"`
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
	// Min is the fewest instances in service, one in each of two zones at
	// least. Default: 2.
	Min int `json:"min" jsonschema:"minimum=2"`
	// Max is the most instances in service, in each region. Default: 6.
	Max int `json:"max" jsonschema:"minimum=2"`
	// Ladder are the instance types, smallest first, of one architecture.
	// Default: m7g.medium, m7g.large, m7g.xlarge, m7g.2xlarge.
	Ladder []string `json:"ladder"`
	// StartAt is the type of the first deployment, a rung of the ladder. Later ones
	// keep the type that the fleet has. Default: the first rung.
	StartAt string `json:"startAt"`
	// CPUTarget is the average CPU use, in percent, that the number of
	// instances is held to. Default: 55.
	CPUTarget int `json:"cpuTarget" jsonschema:"minimum=10,maximum=90"`
	// Vertical is "off", the instance type stays; "advise", the scaler says which
	// rung the load asks for; or "auto", the fleet changes to it by itself. Default:
	// "off"; the shipped cdk.json says "auto".
	Vertical string `json:"vertical" jsonschema:"enum=off,enum=advise,enum=auto"`
	// Window is when such a change may begin, such as "01:00-05:00" or "22:00-04:30
	// Europe/Madrid"; in UTC where no zone is named. Default: always.
	Window string `json:"window"`
	// RequestsPerTarget is how many requests a minute an instance of startAt takes
	// on before there are more; other rungs take on theirs in proportion. Default:
	// 0, CPU alone decides.
	RequestsPerTarget int `json:"requestsPerTarget" jsonschema:"minimum=0"`
	// Schedule are the times at which the fleet's bounds change, each {name, cron,
	// timezone, min, max}. Default: none.
	Schedule []Schedule `json:"schedule"`
	// Guard fails a deployment while more than 5 % of a region's requests fail,
	// and its stack rolls back; false repairs a fleet that fails already. Default:
	// true.
	Guard bool `json:"guard"`
}

// Names returns the names of the deployment's stacks and resources.
func (c Config) Names() Names { return Names{Name: c.Name, Account: c.Account} }

// Islands returns the regions that are not retired, the primary first.
func (c Config) Islands() []Region {
	return slices.DeleteFunc(slices.Clone(c.Regions), func(r Region) bool { return r.Retired })
}

// RegionNames returns the names of the regions that are not retired, the
// primary first.
func (c Config) RegionNames() []string {
	var names []string
	for _, r := range c.Islands() {
		names = append(names, r.Name)
	}
	return names
}

// Parse reads the configuration out of the CDK context: the object under
// ContextKey, in which dotted keys such as "archipelago.fleet.max" replace one
// leaf, and defaults for what is absent. defaultAccount is used where no
// account is configured. The error joins every problem there is, each with the
// key's path, what is wanted and what was found; the configuration is of no use
// then.
func Parse(context map[string]any, defaultAccount string) (Config, error) {
	tree, errs := merge(context)
	root := &object{path: ContextKey, values: tree, errs: &errs}
	c := Config{
		Name:           root.string("name", "archipelago"),
		Account:        root.string("account", defaultAccount),
		Regions:        parseRegions(root),
		Domain:         parseDomain(root),
		Entry:          root.string("entry", EntryAccelerator),
		Consistency:    root.string("consistency", ConsistencyEventual),
		Witness:        root.string("witness", ""),
		Fleet:          parseFleet(root),
		Egress:         root.string("egress", EgressNone),
		WAF:            parseWAF(root),
		Alarms:         root.strings("alarms", nil),
		Logs:           root.bool("logs", false),
		SSM:            root.bool("ssm", false),
		Protect:        root.bool("protect", true),
		AllowCleartext: root.bool("allowCleartext", false),
		Reads:          root.string("reads", setting.ReadsOpen),
		LoadGenerator:  root.bool("loadGenerator", false),
	}
	root.refuseUnknown()
	return c, errors.Join(append(errs, c.Validate())...)
}

func parseRegions(root *object) []Region {
	var regions []Region
	for _, item := range root.list("regions") {
		if name, ok := item.value.(string); ok {
			regions = append(regions, Region{Name: name, Weight: 100}.withDefaults())
			continue
		}
		o := item.object(`a region's name or an object such as {"name": "eu-west-1"}`)
		r := Region{
			Name:    o.string("name", ""),
			Zones:   parseZones(o),
			CIDR:    o.string("cidr", ""),
			AMI:     o.string("ami", ""),
			Weight:  o.int("weight", 100),
			Retired: o.bool("retired", false),
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

func parseFleet(root *object) Fleet {
	o := root.object("fleet")
	f := Fleet{
		Min:               o.int("min", scaling.DefaultMin),
		Max:               o.int("max", scaling.DefaultMax),
		Ladder:            o.strings("ladder", scaling.DefaultLadder()),
		CPUTarget:         o.int("cpuTarget", scaling.DefaultCPUTarget),
		RequestsPerTarget: o.int("requestsPerTarget", 0),
		Schedule:          parseSchedule(o),
		Guard:             o.bool("guard", true),
		Vertical:          o.string("vertical", VerticalOff),
		Window:            o.string("window", ""),
	}
	f.StartAt = o.string("startAt", first(f.Ladder))
	o.refuseUnknown()
	return f
}

// ZoneNames returns the zones' full names, or nil if the configuration names none.
func (r Region) ZoneNames() []string {
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

// maxName leaves room for "-photos-", an account and the longest region's name
// in the 63 characters of a bucket's name. Names of load balancers and roles,
// which have 32 and 64, are left to CloudFormation, which shortens them.
const maxName = 28

var (
	// validName is the prefix of a bucket's name.
	validName = regexp.MustCompile(`^[a-z](?:[a-z0-9-]*[a-z0-9])?$`)
	// reservedName begins names that a service keeps for itself: of parameters, of
	// load balancers and of buckets. Sources: AWS Systems Manager API Reference,
	// "PutParameter"; Elastic Load Balancing API Reference, "CreateLoadBalancer";
	// Amazon S3 User Guide, "General purpose bucket naming rules".
	reservedName = regexp.MustCompile(`^(?:aws|ssm|internal-|xn--|sthree-|amzn-s3-demo-)`)
	// validAccount is an AWS account's id.
	validAccount = regexp.MustCompile(`^\d{12}$`)
	// validAMI is an image's id, in its old and new length.
	validAMI = regexp.MustCompile(`^ami-(?:[0-9a-f]{8}|[0-9a-f]{17})$`)
	// validZone is the letter that follows a region's name in a zone's.
	validZone = regexp.MustCompile(`^[a-z]$`)
)

// Validate returns every problem of c, joined, or nil.
func (c Config) Validate() error {
	p := problems{path: ContextKey}
	switch {
	case len(c.Name) > maxName:
		p.add("name", fmt.Sprintf("at most %d characters, since a bucket's name may have 63 and is made of it, an account and a region", maxName), c.Name)
	case !validName.MatchString(c.Name):
		p.add("name", "1 to 28 lower-case letters, digits and hyphens, a letter first", c.Name)
	case reservedName.MatchString(c.Name):
		p.add("name", fmt.Sprintf("one that does not begin with %q, which AWS keeps for itself", reservedName.FindString(c.Name)), c.Name)
	}
	if !validAccount.MatchString(c.Account) {
		p.add("account", "the 12 digits of an AWS account, here or from the credentials of the CDK CLI", c.Account)
	}
	p.oneOf("entry", c.Entry, EntryAccelerator, EntryDNS, EntryNone)
	if c.Entry == EntryDNS && !c.Domain.Set() {
		p.add("entry", fmt.Sprintf("%q or %q, or set archipelago.domain, whose records make the entry", EntryAccelerator, EntryNone), c.Entry)
	}
	p.oneOf("reads", c.Reads, setting.ReadsOpen, setting.ReadsSignedIn)
	p.oneOf("egress", c.Egress, EgressNone, EgressNAT)
	for i, address := range c.Alarms {
		key := fmt.Sprintf("alarms[%d]", i)
		if parsed, err := mail.ParseAddress(address); err != nil || parsed.Address != address {
			p.add(key, `an e-mail address such as "ops@example.com"`, address)
		} else if slices.Index(c.Alarms, address) < i {
			p.add(key, "each address once", address)
		}
	}
	return errors.Join(append(p.errs, c.validateRegions(), c.validateWeights(), c.validateConsistency(),
		c.Domain.validate(), c.Fleet.validate(), c.WAF.validate())...)
}

// maxRegions keeps the inline policies of the global stack's custom resources below
// the 10,240 characters of a role: with the longest name, 15 regions take 9,411.
// Source: IAM User Guide, "IAM and AWS STS quotas".
const maxRegions = 15

func (c Config) validateRegions() error {
	p := problems{path: ContextKey}
	if len(c.Regions) == 0 {
		p.add("regions", `at least one region, such as ["eu-west-1", "us-east-1"]`, c.Regions)
	}
	if len(c.Regions) > maxRegions {
		p.add("regions", fmt.Sprintf("at most %d regions, since the role that publishes to all of them may have a policy of 10,240 characters", maxRegions), len(c.Regions))
	}
	for i, r := range c.Regions {
		path := fmt.Sprintf("regions[%d]", i)
		if first := slices.IndexFunc(c.Regions, func(o Region) bool { return o.Name == r.Name }); first < i {
			p.add(path+".name", fmt.Sprintf("a region once, it is regions[%d] already", first), r.Name)
			continue
		}
		if !slices.ContainsFunc(knownRegions, func(k knownRegion) bool { return k.name == r.Name }) {
			p.add(path+".name", `an AWS region such as "eu-west-1"`+didYouMean(r.Name, KnownRegions()), r.Name)
			continue
		}
		r.validate(&p, path)
		c.validateSize(&p, path, r)
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
	} else if most := mostZones(r.Name); r.Zones.Count > most {
		p.add(path+".zones", fmt.Sprintf("at most %d, which is all that config/region_table.go knows of", most), r.Zones.Count)
	}
	for i, letter := range r.Zones.Letters {
		switch {
		case !validZone.MatchString(letter):
			p.add(fmt.Sprintf("%s.zones[%d]", path, i), fmt.Sprintf(`a zone's letter, such as "a" for %sa`, r.Name), letter)
		case slices.Index(r.Zones.Letters, letter) < i:
			p.add(fmt.Sprintf("%s.zones[%d]", path, i), "each zone once", letter)
		}
	}
	if cidr, ok := r.prefix(); !ok {
		p.add(path+".cidr", `an IPv4 range from /16 to /24, such as "10.1.0.0/16"`, r.CIDR)
	} else if slices.ContainsFunc(noHosts, cidr.Overlaps) {
		p.add(path+".cidr", `addresses that a network may have, such as "10.1.0.0/16"`, r.CIDR)
	}
	if r.Weight < 0 || r.Weight > 100 {
		p.add(path+".weight", "0 to 100 percent", r.Weight)
	}
	if r.AMI != "" && !validAMI.MatchString(r.AMI) {
		p.add(path+".ami", `an image's id, such as "ami-0123456789abcdef0"`, r.AMI)
	}
}

// noHosts are the ranges of which no network may have addresses: its own, the
// machine's own, the link's own, and from multicast on. Source: RFC 6890.
var noHosts = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("224.0.0.0/3"),
}

// prefix is the range of r.CIDR, if it is one that a VPC may have here.
func (r Region) prefix() (netip.Prefix, bool) {
	cidr, err := netip.ParsePrefix(r.CIDR)
	return cidr, err == nil && cidr.Addr().Is4() && cidr == cidr.Masked() && cidr.Bits() >= 16 && cidr.Bits() <= 24
}

// validateSize refuses a range in which the fleet could not grow to its most
// instances while a zone is lost.
func (c Config) validateSize(p *problems, path string, r Region) {
	cidr, ok := r.prefix()
	if !ok || r.Zones.Count < 2 || r.Zones.Count > 6 {
		return
	}
	holds := func(bits int) bool {
		return addresses.Instances(bits, r.Zones.Count, c.Egress == EgressNAT) >= c.Fleet.Max
	}
	if holds(cidr.Bits()) {
		return
	}
	want := fmt.Sprintf("a range that holds fleet.max, %d instances, in %d zones with one lost: ", c.Fleet.Max, r.Zones.Count)
	bits := cidr.Bits()
	for bits >= 16 && !holds(bits) {
		bits--
	}
	if bits >= 16 {
		want += fmt.Sprintf("/%d at least", bits)
	} else {
		want += "there is none, so lower fleet.max"
	}
	p.add(path+".cidr", want, r.CIDR)
}

// validateWeights refuses what the entry cannot do, and a deployment that
// nobody reaches.
func (c Config) validateWeights() error {
	p := problems{path: ContextKey}
	for i, r := range c.Regions {
		path := fmt.Sprintf("regions[%d]", i)
		if c.Entry != EntryAccelerator && r.Weight > 0 && r.Weight < 100 {
			p.add(path+".weight", fmt.Sprintf("0 or 100, since only the entry %q takes a part of a region's users elsewhere", EntryAccelerator), r.Weight)
		}
		if i == 0 && r.Retired {
			p.add(path+".retired", "false: the first region is the primary, which holds the stack that spans the regions", true)
		}
	}
	if islands := c.Islands(); len(islands) > 0 && !slices.ContainsFunc(islands, func(r Region) bool { return r.Weight != 0 }) {
		p.add("regions", "a region with a weight above 0", islands[0].Weight)
	}
	return errors.Join(p.errs...)
}

func (f Fleet) validate() error {
	p := problems{path: ContextKey + ".fleet"}
	if f.Min < 2 {
		p.add("min", "at least 2, one in each of two zones, so that one is left when a zone fails", f.Min)
	}
	if f.Max < f.Min {
		p.add("max", fmt.Sprintf("at least fleet.min, %d", f.Min), f.Max)
	}
	if f.CPUTarget < 10 || f.CPUTarget > 90 {
		p.add("cpuTarget", "10 to 90 percent", f.CPUTarget)
	}
	if f.RequestsPerTarget < 0 {
		p.add("requestsPerTarget", "requests a minute that an instance takes on, or 0 to leave it to the CPU", f.RequestsPerTarget)
	}
	f.validateSchedule(&p)
	f.validateVertical(&p, f.validateLadder(&p))
	if len(f.Ladder) > 0 && !slices.Contains(f.Ladder, f.StartAt) {
		p.add("startAt", "a rung of fleet.ladder"+didYouMean(f.StartAt, f.Ladder), f.StartAt)
	}
	return errors.Join(p.errs...)
}

// validateLadder returns the ladder, nil where it is not valid.
func (f Fleet) validateLadder(p *problems) scaling.Ladder {
	if len(f.Ladder) == 0 {
		p.add("ladder", `at least one instance type, such as ["m7g.medium", "m7g.large"]`, f.Ladder)
		return nil
	}
	ladder, err := scaling.NewLadder(f.Ladder)
	for _, problem := range separate(err) {
		p.errs = append(p.errs, fmt.Errorf("%s.ladder%w", p.path, problem))
	}
	return ladder
}

// validateVertical refuses what would keep the instance type from changing, or let
// it oscillate. ladder is nil where it is not valid.
func (f Fleet) validateVertical(p *problems, ladder scaling.Ladder) {
	p.oneOf("vertical", f.Vertical, VerticalOff, VerticalAdvise, VerticalAuto)
	if _, err := scaling.ParseWindow(f.Window); err != nil {
		p.errs = append(p.errs, fmt.Errorf("%s.window: %w", p.path, err))
	}
	if ladder == nil || !slices.Contains([]string{VerticalAdvise, VerticalAuto}, f.Vertical) {
		return
	}
	policy := scaling.Policy{Mode: scaling.Mode(f.Vertical), CPUTarget: float64(f.CPUTarget)}
	for _, problem := range separate(policy.Validate(ladder)) {
		p.errs = append(p.errs, fmt.Errorf("%s.%w", p.path, problem))
	}
}

// separate returns the errors that were joined.
func separate(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	if err != nil {
		return []error{err}
	}
	return nil
}

// Architecture returns that of the whole ladder, "arm64" or "x86_64". The fleet
// must be valid.
func (f Fleet) Architecture() string { return f.ladder()[0].Architecture }

// Burstable reports whether a rung of the ladder runs on CPU credits. The fleet
// must be valid.
func (f Fleet) Burstable() bool { return slices.ContainsFunc(f.ladder(), scaling.Rung.Burstable) }

// ImageParameter returns the public SSM parameter of the image that the fleet
// boots where none is pinned. The fleet must be valid.
func (f Fleet) ImageParameter() string { return al2023.Parameter(f.Architecture()) }

func (f Fleet) ladder() scaling.Ladder {
	ladder, err := scaling.NewLadder(f.Ladder)
	if err != nil {
		panic("config: the fleet's ladder was not validated: " + err.Error())
	}
	return ladder
}

// overlap reports whether two address ranges share an address; an invalid
// range shares none.
func overlap(a, b string) bool {
	x, errX := netip.ParsePrefix(a)
	y, errY := netip.ParsePrefix(b)
	return errX == nil && errY == nil && x.Overlaps(y)
}

// KnownRegions returns the names of the regions that a deployment may have.
func KnownRegions() []string {
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

func (p *problems) oneOf(key, got string, choices ...string) {
	if slices.Contains(choices, got) {
		return
	}
	quoted := make([]string, len(choices))
	for i, choice := range choices {
		quoted[i] = strconv.Quote(choice)
	}
	last := len(quoted) - 1
	p.add(key, strings.Join(quoted[:last], ", ")+" or "+quoted[last]+didYouMean(got, choices), got)
}

func wrong(path, want string, got any) error {
	return fmt.Errorf("%s: want %s, got %s", path, want, strings.TrimSpace(show(got)))
}
