// Package config is what a user says of a deployment: its keys, their defaults
// and bounds, and the names that follow from them. It reads no CDK.
//
// A key is declared once, by a field with these tags:
//   - json is the key.
//   - default is its value where none is given, as a string that `-c` could pass.
//   - trial is that value with the profile "trial", where it is another one.
//   - jsonschema has its bounds: required, enum, minimum, maximum, minItems,
//     maxItems, maxLength and pattern.
//   - want is what the error says where a value breaks one of them; wantMost is what
//     it says, in place of that, of a value that is too long or of too many.
//
// Its comment is its description, with the default as the last sentence. The parser
// and its checks read the tags; `go generate ./config` makes cdk.schema.json and
// docs/configuration.md's table of them. What depends on other keys is code, below
// Config.problems.
package config

//go:generate go test . -run ^Test(SchemaIsCurrent|PageHasEveryKey)$ -update

import (
	"fmt"
	"net/mail"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/archipelago-cdk/archipelago/internal/addresses"
	"github.com/archipelago-cdk/archipelago/internal/al2023"
	"github.com/archipelago-cdk/archipelago/scaling"
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
	// EntryInternal has internal load balancers alone, for users of private networks.
	EntryInternal = "internal"
)

// Values of Config.Egress.
const (
	// EgressNone gives instances no route to the internet.
	EgressNone = "none"
	// EgressNAT gives them one, through a NAT gateway in each zone.
	EgressNAT = "nat"
)

// Values of Config.Logs.
const (
	// LogsBucket puts each instance's log into the region's log bucket.
	LogsBucket = "bucket"
	// LogsCloudWatch sends it, with metrics, to CloudWatch.
	LogsCloudWatch = "cloudwatch"
	// LogsOff leaves it on the instance.
	LogsOff = "off"
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
	Name string `json:"name" default:"archipelago" jsonschema:"pattern=^[a-z]([a-z0-9-]*[a-z0-9])?$,maxLength=28" want:"1 to 28 lower-case letters, digits and hyphens, a letter first" wantMost:"at most 28 characters, since a bucket's name may have 63 and is made of it, an account and a region"`
	// Account is the AWS account's id. Default: that of the CDK CLI's
	// credentials.
	Account string `json:"account"`
	// Profile is "full", or "trial", with other defaults for a trial that costs little:
	// public load balancers alone, small instances, no web ACL, no flow logs, and
	// nothing protected. Keys that are written win. Default: "full".
	Profile string `json:"profile" default:"full" jsonschema:"enum=full,enum=trial"`
	// Regions are the islands, at most 15, the primary first: names, or objects
	// with the keys below. Required.
	Regions []Region `json:"regions" jsonschema:"required,minItems=1,maxItems=15" want:"at least one region, such as [\"eu-west-1\", \"us-east-1\"]" wantMost:"at most 15 regions, since nothing was measured with more"`
	// Service is the program that the instances run, an object with the keys below.
	// Required.
	Service Service `json:"service" jsonschema:"required"`
	// Tables are the service's DynamoDB global tables, at most 8, objects with the
	// keys below. Default: none.
	Tables []Table `json:"tables" jsonschema:"maxItems=8" wantMost:"at most 8 tables"`
	// Buckets are the service's S3 buckets, at most 4, each of them one in every
	// region, objects with the keys below. Default: none.
	Buckets []Bucket `json:"buckets" jsonschema:"maxItems=4" wantMost:"at most 4 buckets"`
	// Domain is the name that users know the deployment by, an object with the keys
	// below: it gets a certificate in each region, HTTPS only, and the entry's
	// records. Default: none; it is reached by AWS's names and without TLS.
	Domain Domain `json:"domain"`
	// Entry is "accelerator"; "dns", a record for each region's public load
	// balancer, which needs a domain; "none", public load balancers alone; or
	// "internal", load balancers without public addresses, with records where there
	// is a domain. Default: "accelerator".
	Entry string `json:"entry" default:"accelerator" trial:"none" jsonschema:"enum=accelerator,enum=dns,enum=none,enum=internal"`
	// InternalFrom are the address ranges that users come from, such as
	// ["10.0.0.0/8"], which the entry "internal" requires: the load balancers admit no
	// others. Default: none.
	InternalFrom []string `json:"internalFrom" jsonschema:"maxItems=30" wantMost:"at most 30 ranges, since a security group has 60 rules and each range takes one for HTTP and one for HTTPS"`
	// Consistency is that of the tables that are not ephemeral: "eventual", or
	// "strong", which loses no write with a region. A strong table has three regions
	// of one set, or two and a witness. It is chosen once, for the table's life.
	// Default: "eventual".
	Consistency string `json:"consistency" default:"eventual" jsonschema:"enum=eventual,enum=strong"`
	// Witness is the third region of a strong table, which keeps its log and no
	// replica. Default: none.
	Witness string `json:"witness"`
	// Fleet sizes the Auto Scaling group of every region.
	Fleet Fleet `json:"fleet"`
	// Egress is "none" or "nat": whether instances have a way to the internet, a
	// NAT gateway in each zone. A VPC that exists already has its own. Default:
	// "none".
	Egress string `json:"egress" default:"none" jsonschema:"enum=none,enum=nat"`
	// FlowLogs keeps a record of the connections of each VPC that is made. Default:
	// true.
	FlowLogs bool `json:"flowLogs" default:"true" trial:"false"`
	// WAF is the web ACL of every region's load balancer.
	WAF WAF `json:"waf"`
	// Alarms are the e-mail addresses that alarms are sent to. Default: none.
	Alarms []string `json:"alarms"`
	// ZonalAutoshift is whether AWS leaves a zone that it finds impaired, and practises
	// that each week for half an hour, of which the other zones' instances have to take
	// the load. Default: false.
	ZonalAutoshift bool `json:"zonalAutoshift" default:"false"`
	// Goals are what each region's users are promised.
	Goals Goals `json:"goals"`
	// Logs is where what an instance's boot and its service print goes. "bucket" is
	// the region's log bucket, each minute: some 43,200 PUTs, $0.22, a month for each
	// instance, and for the shipped regions $1 to $26 with what is kept for 90 days.
	// "cloudwatch" is CloudWatch, with the instances' use of memory and disk, and
	// alarms: without a NAT gateway it takes two endpoints, paid per zone and hour, for
	// the shipped regions $92 a month, and $2 to $198 for what is sent. "off" keeps it
	// on the instance. Default: "bucket".
	Logs string `json:"logs" default:"bucket" jsonschema:"enum=bucket,enum=cloudwatch,enum=off"`
	// SSM lets operators open sessions on instances; without a NAT gateway that
	// takes two endpoints, paid per zone and hour. Default: false.
	SSM bool `json:"ssm" default:"false"`
	// Protect keeps tables, buckets, logs and the fleets' instance types when their
	// stacks are deleted, and has DynamoDB delete no table; false is for throw-away
	// deployments. Default: true.
	Protect bool `json:"protect" default:"true" trial:"false"`
	// GitHub is the repository whose workflows may look at the deployment and deploy
	// it, an object with the keys below: a stack of its own, NAME-github, then has a
	// role for each. Default: none.
	GitHub GitHub `json:"github"`
	// Tags are what all stacks and resources are tagged with beside project,
	// deployment and region: {"cost-center": "1234"}. Default: none.
	Tags map[string]string `json:"tags"`
}

// Region is one island.
type Region struct {
	// Name is the AWS region, such as "eu-west-1". Required.
	Name string `json:"name" jsonschema:"required"`
	// Zones are how many availability zones to use, or which: ["a", "b", "d"]. For
	// a number CloudFormation says which, again at each deployment; `make zones`
	// writes them. Default: 3; 2 in us-west-1.
	Zones Zones `json:"zones"`
	// CIDR is the VPC's address range, from /16 to /24, apart from all others and
	// large enough for twice fleet.max instances with one zone lost. Default:
	// 10.N.0.0/16, where N belongs to the region.
	CIDR string `json:"cidr"`
	// VPC is a VPC that exists already, in place of one of the region's own, an object
	// with the keys below. Nothing in it is changed but for security groups that are
	// added; cidr is then required, and is the range that holds the load balancer's
	// subnets. Default: none, the region gets one.
	VPC VPC `json:"vpc"`
	// AMI is the image that the fleet boots, an Amazon Linux 2023 of the
	// ladder's architecture. A pinned one replaces no instances by itself; `make
	// ami` pins and bumps all. Default: AWS's latest at each deployment.
	AMI string `json:"ami" jsonschema:"pattern=^ami-([0-9a-f]{8}|[0-9a-f]{17})$" want:"an image's id, such as \"ami-0123456789abcdef0\""`
	// KMS are keys of the account's own, which instances need where the bootstrap's
	// bucket, secrets or volumes are encrypted with one, an object with the keys below.
	// Default: none, AWS's own keys need nothing.
	KMS KMS `json:"kms"`
	// Weight is how many percent of the region's own users it serves; the others
	// go to the next nearest. 0 drains it, and where there are more than three takes
	// it out of the accelerator; between 0 and 100 it needs the accelerator.
	// Default: 100.
	Weight int `json:"weight" default:"100" jsonschema:"minimum=0,maximum=100" want:"0 to 100 percent"`
	// Retired takes the region out of all but its storage stack, the step
	// between a region's life and its removal. Default: false.
	Retired bool `json:"retired" default:"false"`
	// Lost is a region in which AWS does not answer: none of the stacks that are in it
	// is deployed, and all others keep what they have of it. Default: false.
	Lost bool `json:"lost" default:"false"`
}

// Zones are the availability zones of one region.
type Zones struct {
	// Count is how many.
	Count int
	// Letters name them, such as "a" for eu-west-1a. Default: the first Count
	// zones that AWS lists at deployment.
	Letters []string
}

// Goals are what the users of each region are promised.
type Goals struct {
	// Available is the percentage of the requests of 30 days that are not answered with
	// a 5xx: an alarm goes off when the errors of an hour, or of six, use up the rest too
	// fast, $3.40 a month for each region. Default: 0, no such alarms.
	Available float64 `json:"available" default:"0" jsonschema:"minimum=0,maximum=100" want:"less than 100 percent of requests, such as 99.95; 0 for no such alarms"`
}

// Fleet is the size of each region's Auto Scaling group.
type Fleet struct {
	// Min is the fewest instances in service, one in each of two zones at
	// least. Default: 2.
	Min int `json:"min" default:"2" jsonschema:"minimum=2" want:"at least 2, one in each of two zones, so that one is left when a zone fails"`
	// Max is the most instances in service, in each region. Default: 6.
	Max int `json:"max" default:"6" jsonschema:"minimum=2"`
	// Ladder are the instance types, smallest first, of one architecture.
	// Default: m7g.medium, m7g.large, m7g.xlarge, m7g.2xlarge.
	Ladder []string `json:"ladder" default:"m7g.medium,m7g.large,m7g.xlarge,m7g.2xlarge" trial:"t4g.small,t4g.large"`
	// StartAt is the type of the first deployment, a rung of the ladder. Later ones
	// keep the type that the fleet has. Default: the first rung.
	StartAt string `json:"startAt"`
	// CPUTarget is the average CPU use, in percent, that the number of
	// instances is held to. Default: 55.
	CPUTarget int `json:"cpuTarget" default:"55" trial:"20" jsonschema:"minimum=10,maximum=90" want:"10 to 90 percent"`
	// Vertical is "off", the instance type stays; "advise", the scaler says which
	// rung the load asks for; or "auto", the fleet changes to it by itself. Default:
	// "off"; the shipped cdk.json says "auto".
	Vertical string `json:"vertical" default:"off" jsonschema:"enum=off,enum=advise,enum=auto"`
	// Goal is the percentage of minutes in which 99 % of requests are to be answered
	// within goalMilliseconds: each night the scaler replays the fleet's own last two
	// weeks, and keeps the lowest rung that would have met it. 0 plans nothing. Default:
	// 99.9, where vertical is not "off".
	Goal float64 `json:"goal" default:"99.9" jsonschema:"minimum=0,maximum=100" want:"0 to 100 percent of minutes, such as 99.9; 0 for none"`
	// GoalMilliseconds is that time. Default: 100.
	GoalMilliseconds int `json:"goalMilliseconds" default:"100" jsonschema:"minimum=1,maximum=60000"`
	// Window is when such a change may begin, such as "01:00-05:00" or "22:00-04:30
	// Europe/Madrid"; in UTC where no zone is named. Default: always.
	Window string `json:"window"`
	// RequestsPerTarget is how many requests a minute an instance of startAt takes
	// on before there are more; other rungs take on theirs in proportion. Default:
	// 0, CPU alone decides.
	RequestsPerTarget int `json:"requestsPerTarget" default:"0" jsonschema:"minimum=0" want:"requests a minute that an instance takes on, or 0 to leave it to the CPU"`
	// Schedule are the times at which the fleet's bounds change, each {name, cron,
	// timezone, min, max}. Default: none.
	Schedule []Schedule `json:"schedule"`
	// Guard fails a deployment while more than 5 % of a region's requests fail, or
	// more than before where they failed already; false looks at the instances'
	// health alone. Default: true.
	Guard bool `json:"guard" default:"true"`
}

// Names returns the names of the deployment's stacks and resources.
func (c Config) Names() Names { return Names{Name: c.Name, Account: c.Account} }

// acceleratorTries is how many of the regions that are closest to a user an accelerator
// tries before it takes the closest one as if it were healthy. Source: AWS Global
// Accelerator Developer Guide, "Endpoint weights", "Failover for unhealthy endpoints".
const acceleratorTries = 3

// Accelerated reports whether the accelerator knows a region. With more regions than it
// tries, those that are drained for good would keep users from one that is not.
func (c Config) Accelerated(r Region) bool {
	return r.Weight > 0 || c.EntryTriesAll()
}

// EntryTriesAll reports whether the entry tries every region before it sends users to one
// that is drained.
func (c Config) EntryTriesAll() bool {
	return c.Entry != EntryAccelerator || len(c.Islands()) <= acceleratorTries
}

// Public reports whether load balancers have public addresses.
func (c Config) Public() bool { return c.Entry == EntryDNS || c.Entry == EntryNone }

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
	p := newProblems()
	c := Config{}
	tree := merge(context, p)
	if tree["profile"] == ProfileTrial {
		layUnder(tree, reflect.TypeFor[Config](), ProfileTrial)
	}
	value{p, tree}.read(reflect.ValueOf(&c).Elem())
	if c.Account == "" {
		c.Account = defaultAccount
	}
	if c.Fleet.StartAt == "" && len(c.Fleet.Ladder) > 0 {
		c.Fleet.StartAt = c.Fleet.Ladder[0]
	}
	found := slices.DeleteFunc(*c.problems().all, p.explains)
	*p.all = append(*p.all, found...)
	return c, p.error()
}

func (Region) want() string {
	return `a region's name or an object such as {"name": "eu-west-1"}`
}

// read takes a region's name for the region.
func (r *Region) read(v value) bool {
	v.raw = named(v.raw)
	v.readFields(reflect.ValueOf(r).Elem())
	*r = r.withDefaults()
	return true
}

// read takes a number of zones or a list of their letters.
func (z *Zones) read(v value) bool {
	if s, ok := v.raw.(string); ok && strings.HasPrefix(s, "[") {
		v.raw = splitList(s)
	}
	if _, ok := v.raw.([]any); !ok {
		return v.read(reflect.ValueOf(&z.Count).Elem())
	}
	v.read(reflect.ValueOf(&z.Letters).Elem())
	z.Count = len(z.Letters)
	return true
}

// written is z as in cdk.json.
func (z Zones) written() any {
	if z.Letters != nil {
		return z.Letters
	}
	return z.Count
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
	if i < 0 || r.VPC.Set() {
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
	// reservedName begins names that a service keeps for itself: of parameters, of
	// load balancers and of buckets. Sources: AWS Systems Manager API Reference,
	// "PutParameter"; Elastic Load Balancing API Reference, "CreateLoadBalancer";
	// Amazon S3 User Guide, "General purpose bucket naming rules".
	reservedName = regexp.MustCompile(`^(?:aws|ssm|internal-|xn--|sthree-|amzn-s3-demo-)`)
	// validAccount is an AWS account's id.
	validAccount = regexp.MustCompile(`^\d{12}$`)
	// validZone is the letter that follows a region's name in a zone's.
	validZone = regexp.MustCompile(`^[a-z]$`)
)

// problems returns what is wrong with c: what keys say of each other and what no
// tag can say, and then the values that break the rules of their tags.
func (c Config) problems() problems {
	p := newProblems()
	if prefix := reservedName.FindString(c.Name); prefix != "" {
		p.add("name", fmt.Sprintf("one that does not begin with %q, which AWS keeps for itself", prefix), c.Name)
	}
	if !validAccount.MatchString(c.Account) {
		p.add("account", "the 12 digits of an AWS account, here or from the credentials of the CDK CLI", c.Account)
	}
	if c.Entry == EntryDNS && !c.Domain.Set() {
		p.add("entry", fmt.Sprintf("%q, %q or %q, or set archipelago.domain, whose records make the entry", EntryAccelerator, EntryNone, EntryInternal), c.Entry)
	}
	c.validateInternal(p)
	c.validateEgress(p)
	c.validateTags(p.under("tags"))
	if c.Goals.Available == 100 { // which leaves nothing to use up
		p.add("goals.available", "less than 100 percent of requests, such as 99.95; 0 for no such alarms", c.Goals.Available)
	}
	for i, address := range c.Alarms {
		key := fmt.Sprintf("alarms[%d]", i)
		parsed, err := mail.ParseAddress(address)
		hidden := strings.ContainsFunc(address, func(r rune) bool { return !unicode.IsPrint(r) })
		if err != nil || parsed.Address != address || hidden {
			p.add(key, `an e-mail address such as "ops@example.com"`, address)
		} else if slices.Index(c.Alarms, address) < i {
			p.add(key, "each address once", address)
		}
	}
	c.validateService(p.under("service"))
	c.validateStores(p)
	c.validateRegions(p)
	c.validateWeights(p)
	c.validateConsistency(p)
	c.validateDomain(p.under("domain"))
	c.GitHub.validate(p.under("github"))
	c.Fleet.validate(p.under("fleet"))
	p.checkFields(reflect.ValueOf(c))
	return p
}

func (c Config) validateRegions(p problems) {
	for i, r := range c.Regions {
		at := p.under(fmt.Sprintf("regions[%d]", i))
		if first := slices.IndexFunc(c.Regions, func(o Region) bool { return o.Name == r.Name }); first < i {
			at.add("name", fmt.Sprintf("a region once, it is regions[%d] already", first), r.Name)
			continue
		}
		if !slices.ContainsFunc(knownRegions, func(k knownRegion) bool { return k.name == r.Name }) {
			at.add("name", `an AWS region such as "eu-west-1"`+didYouMean(r.Name, KnownRegions()), r.Name)
			continue
		}
		if c.Entry == EntryAccelerator && !r.Retired && slices.Contains(withoutAccelerator, r.Name) {
			at.add("name", fmt.Sprintf("a region in which Global Accelerator has endpoints, or archipelago.entry: %q, %q or %q", EntryDNS, EntryNone, EntryInternal), r.Name)
		}
		r.validate(at)
		c.validateSize(at, r)
		for j, other := range c.Regions[:i] {
			// Where networks that exist already are, is not for this deployment to say.
			if !r.VPC.Set() && !other.VPC.Set() && overlap(r.CIDR, other.CIDR) {
				at.add("cidr", fmt.Sprintf("a range apart from regions[%d].cidr, %s", j, other.CIDR), r.CIDR)
			}
		}
	}
}

func (r Region) validate(p problems) {
	r.KMS.validate(p.under("kms"), r.Name)
	if r.VPC.Set() {
		r.validateVPC(p)
		return
	}
	if r.Zones.Count < 2 || r.Zones.Count > 6 {
		p.add("zones", `2 to 6 zones, as a number or as letters such as ["a", "b", "c"]`, r.Zones.Count)
	} else if most := mostZones(r.Name); r.Zones.Count > most {
		p.add("zones", fmt.Sprintf("at most %d, which is all that config/region_table.go knows of", most), r.Zones.Count)
	}
	for i, letter := range r.Zones.Letters {
		switch {
		case !validZone.MatchString(letter):
			p.add(fmt.Sprintf("zones[%d]", i), fmt.Sprintf(`a zone's letter, such as "a" for %sa`, r.Name), letter)
		case slices.Index(r.Zones.Letters, letter) < i:
			p.add(fmt.Sprintf("zones[%d]", i), "each zone once", letter)
		}
	}
	r.validateCIDR(p, `an IPv4 range from /16 to /24, such as "10.1.0.0/16"`, 24)
}

// validateCIDR refuses ranges that no network has, or that are smaller than most,
// the bits of its prefix.
func (r Region) validateCIDR(p problems, want string, most int) {
	if cidr, ok := r.prefix(most); !ok {
		p.add("cidr", want, r.CIDR)
	} else if slices.ContainsFunc(noHosts, cidr.Overlaps) {
		p.add("cidr", `addresses that a network may have, such as "10.1.0.0/16"`, r.CIDR)
	}
}

// noHosts are the ranges of which no network may have addresses: its own, the
// machine's own, the link's own, and from multicast on. Source: RFC 6890.
var noHosts = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("224.0.0.0/3"),
}

// prefix is the range of r.CIDR, if it is one from /16 to most.
func (r Region) prefix(most int) (netip.Prefix, bool) {
	cidr, ok := ipv4Range(r.CIDR)
	return cidr, ok && cidr.Bits() >= 16 && cidr.Bits() <= most
}

// ipv4Range reads a range of IPv4 addresses, and reports whether it is one.
func ipv4Range(cidr string) (netip.Prefix, bool) {
	prefix, err := netip.ParsePrefix(cidr)
	return prefix, err == nil && prefix.Addr().Is4() && prefix == prefix.Masked()
}

// validateSize refuses a range in which the fleet could not grow to its most
// instances while a zone is lost.
func (c Config) validateSize(p problems, r Region) {
	cidr, ok := r.prefix(24)
	if !ok || r.VPC.Set() || r.Zones.Count < 2 || r.Zones.Count > 6 {
		return
	}
	holds := func(bits int) bool {
		return addresses.Instances(bits, r.Zones.Count, c.Egress == EgressNAT) >= c.Fleet.Max
	}
	if holds(cidr.Bits()) {
		return
	}
	want := fmt.Sprintf("a range that holds fleet.max, %d instances, and as many again while a deployment replaces them, in %d zones with one lost: ", c.Fleet.Max, r.Zones.Count)
	bits := cidr.Bits()
	for bits >= 16 && !holds(bits) {
		bits--
	}
	if bits >= 16 {
		want += fmt.Sprintf("/%d at least", bits)
	} else {
		want += "there is none, so lower fleet.max"
	}
	p.add("cidr", want, r.CIDR)
}

// validateWeights refuses what the entry cannot do, and a deployment that
// nobody reaches.
func (c Config) validateWeights(p problems) {
	for i, r := range c.Regions {
		at := p.under(fmt.Sprintf("regions[%d]", i))
		if r.Lost && r.Retired {
			at.add("retired", "false while it is lost, since to take it out of the tables and buckets calls it", true)
		}
		if c.Entry != EntryAccelerator && r.Weight > 0 && r.Weight < 100 {
			at.add("weight", fmt.Sprintf("0 or 100, since only the entry %q takes a part of a region's users elsewhere", EntryAccelerator), r.Weight)
		}
		if i == 0 && r.Retired {
			at.add("retired", "false: the first region is the primary, which holds the stack that spans the regions", true)
		}
	}
	if len(c.Regions) > 0 && !slices.ContainsFunc(c.Regions, func(r Region) bool { return !r.Lost && !r.Retired }) {
		p.add("regions", "a region that is neither lost nor retired", len(c.Regions))
	}
	if islands := c.Islands(); len(islands) > 0 && !slices.ContainsFunc(islands, func(r Region) bool { return r.Weight != 0 }) {
		p.add("regions", "a region with a weight above 0", islands[0].Weight)
	}
}

func (f Fleet) validate(p problems) {
	if f.Max < f.Min {
		p.add("max", fmt.Sprintf("at least fleet.min, %d", f.Min), f.Max)
	}
	f.validateSchedule(p)
	f.validateVertical(p, f.validateLadder(p))
	if len(f.Ladder) > 0 && !slices.Contains(f.Ladder, f.StartAt) {
		p.add("startAt", "a rung of fleet.ladder"+didYouMean(f.StartAt, f.Ladder), f.StartAt)
	}
}

// validateLadder returns the ladder, nil where it is not valid.
func (f Fleet) validateLadder(p problems) scaling.Ladder {
	if len(f.Ladder) == 0 {
		p.add("ladder", `at least one instance type, such as ["m7g.medium", "m7g.large"]`, f.Ladder)
		return nil
	}
	ladder, err := scaling.NewLadder(f.Ladder)
	p.under("ladder").addAll(err)
	return ladder
}

// validateVertical refuses what would keep the instance type from changing, or let
// it oscillate. ladder is nil where it is not valid.
func (f Fleet) validateVertical(p problems, ladder scaling.Ladder) {
	if _, err := scaling.ParseWindow(f.Window); err != nil {
		p.under("window").say(err.Error())
	}
	if ladder == nil || !slices.Contains([]string{VerticalAdvise, VerticalAuto}, f.Vertical) {
		return
	}
	policy := scaling.Policy{Mode: scaling.Mode(f.Vertical), CPUTarget: float64(f.CPUTarget)}
	p.addAll(policy.Validate(ladder))
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
