package matrix

import "maps"

// Configuration is one that is proved: compared with what was reviewed, linted,
// checked by CDK's rules and by cdk-nag, and lived in the local cloud.
type Configuration struct {
	// Options are laid over the shipped configuration, by the path of their keys. All
	// have its service, tables and buckets, with other settings at most.
	Options map[string]any
	// Gate has it proved by each run of the tests, from its snapshot in
	// stacks/testdata; others are by -all.
	Gate bool
}

type options = map[string]any

// longestName is as long as a name may be.
const longestName = "archipelago-of-twenty-eight8"

const ami = "ami-0123456789abcdef0"

var (
	domain     = options{"domain.zone": "example.com", "domain.zoneId": "Z0123456789ABCDEFGHIJ", "domain.host": "staff.example.com"}
	tags       = options{"cost-center": "1234", "team": "Staff + Co"}
	workdays   = []any{options{"name": "Morning", "cron": "0 7 * * 1-5", "timezone": "Europe/Madrid", "min": "4"}, options{"name": "Evening", "cron": "0 19 * * *", "min": "2"}}
	github     = options{"repository": "octo-org/shop", "branch": "main", "environments": []any{"production-shared", "production"}}
	internal   = options{"entry": "internal", "internalFrom": "10.0.0.0/8,192.168.0.0/16"}
	tenRegions = "eu-west-1,us-east-1,us-west-2,ap-southeast-2,ap-northeast-1,sa-east-1,ca-central-1,eu-central-1,ap-south-1,af-south-1"
)

// keys are keys of the account's own for all that may have one.
func keys(region string) options {
	arn := "arn:aws:kms:" + region + ":" + Account + ":key/12345678-1234-1234-1234-12345678901"
	return options{"decrypt": []any{arn + "1", arn + "2"}, "volume": arn + "3"}
}

// existing is a region in a VPC that exists already, with subnets in zones.
func existing(region, cidr string, zones ...string) options {
	fleet, loadBalancer := options{}, options{}
	for _, zone := range zones {
		fleet[zone] = "subnet-0123456789abcde0" + zone
		loadBalancer[zone] = "subnet-0123456789abcde1" + zone
	}
	return options{"name": region, "cidr": cidr, "vpc": options{"id": "vpc-0123456789abcdef0", "fleetSubnets": fleet, "loadBalancerSubnets": loadBalancer}}
}

// certified is the domain with certificates that exist already.
func certified(regions ...string) options {
	arns := options{}
	for _, region := range regions {
		arns[region] = "arn:aws:acm:" + region + ":" + Account + ":certificate/12345678-1234-1234-1234-123456789012"
	}
	return with(domain, options{"domain.certificateArns": arns})
}

// Configurations are the matrix, by name: the shipped one, and as few as have
// every pair of options' values between them, as TestConfigurationsCoverPairs
// holds. Each is named for what is most notable of it.
var Configurations = map[string]Configuration{
	"shipped": {Gate: true},
	"leaving": {Options: options{
		"name":    longestName,
		"regions": []any{options{"name": "eu-west-1", "weight": "50", "zones": []any{"a", "b", "c"}}, options{"name": "us-east-1", "weight": "0", "ami": ami, "cidr": "10.9.0.0/20"}, options{"name": "eu-west-2", "retired": "true"}},
		"egress":  "nat", "waf.common": "count", "waf.badInputs": "count", "waf.ipReputation": "count",
		"waf.rate": "count", "waf.rateLimit": "2000", "ssm": "true", "protect": "false", "service.environment.ALLOW_CLEARTEXT": "true",
		"service.environment.READS": "signed-in", "service.environment.LOAD_GENERATOR": "true", "fleet.min": "3", "fleet.max": "12",
		"fleet.ladder": "m7i.large,m7i.xlarge", "fleet.window": "01:00-05:00 Europe/Madrid",
		"fleet.requestsPerTarget": "6000", "fleet.schedule": workdays, "fleet.guard": "false",
	}, Gate: true},
	"witness": {Options: with(domain, options{
		"name": longestName, "regions": []any{options{"name": "us-east-1", "zones": []any{"a", "b", "d"}}, "us-east-2"},
		"consistency": "strong", "witness": "us-west-2", "waf.common": "count", "alarms": "ops@example.com",
		"logs": "off", "tags": tags, "protect": "false", "service.environment.LOAD_GENERATOR": "true", "fleet.startAt": "m7g.large",
		"fleet.cpuTarget": "40", "fleet.vertical": "off", "fleet.window": "01:00-05:00 Europe/Madrid",
		"fleet.requestsPerTarget": "6000", "fleet.schedule": workdays,
	}), Gate: true},
	"nat": {Options: options{
		"regions": []any{"eu-west-1"}, "entry": "none", "egress": "nat", "flowLogs": "false", "tags": tags, "waf.common": "count", "waf.badInputs": "count",
		"waf.rate": "count", "alarms": "ops@example.com", "logs": "cloudwatch", "ssm": "true", "service.environment.READS": "signed-in",
		"service.environment.LOAD_GENERATOR": "true", "fleet.startAt": "m7g.large", "fleet.cpuTarget": "40", "fleet.vertical": "advise",
		"fleet.window": "01:00-05:00 Europe/Madrid",
	}, Gate: true},
	"watched": {Options: with(domain, options{
		"regions": []any{options{"name": "eu-west-1", "zones": []any{"a", "b"}, "ami": ami}}, "entry": "dns",
		"waf.common": "count", "waf.rateLimit": "2000", "tags": tags, "alarms": "ops@example.com", "logs": "cloudwatch", "ssm": "true",
		"service.secrets.API_KEY": "/hello/api-key", "service.secrets.PASSWORD": "secret:hello/database",
		"fleet.min": "3", "fleet.max": "12", "fleet.startAt": "m7g.large", "fleet.cpuTarget": "40",
		"fleet.goal": "99.95", "fleet.goalMilliseconds": "250", "goals.available": "99.95", "zonalAutoshift": "true", "fleet.guard": "false",
		"github": github,
	}), Gate: true},
	"unprotected": {Options: with(domain, options{
		"regions": []any{"eu-west-1"}, "entry": "dns", "egress": "nat", "flowLogs": "false", "logs": "off", "waf.badInputs": "count",
		"waf.ipReputation": "count", "alarms": "ops@example.com", "protect": "false", "service.environment.ALLOW_CLEARTEXT": "true",
		"service.environment.LOAD_GENERATOR": "true", "fleet.max": "12", "fleet.ladder": "m7i.large,m7i.xlarge", "fleet.cpuTarget": "40",
		"fleet.vertical": "advise", "fleet.goal": "0", "fleet.requestsPerTarget": "6000", "fleet.guard": "false",
	}), Gate: true},
	"cleartext": {Options: options{
		"regions": []any{with(existing("us-west-1", "10.9.0.0/22", "a", "b"), options{"ami": ami})},
		"entry":   "none", "waf.common": "count", "waf.badInputs": "count", "waf.ipReputation": "count", "waf.failOpen": "false", "logs": "off",
		"protect": "false", "service.environment.ALLOW_CLEARTEXT": "true", "service.environment.READS": "signed-in", "fleet.min": "3", "fleet.cpuTarget": "40",
		"fleet.vertical": "off", "fleet.schedule": workdays, "fleet.guard": "false",
	}, Gate: true},
	"no-entry": {Options: with(certified("us-east-1"), options{
		"name": longestName, "tags": tags,
		"regions": []any{options{"name": "us-east-1", "zones": []any{"a", "b", "d"}, "cidr": "10.9.0.0/20", "ami": ami}},
		"entry":   "none", "egress": "nat", "waf.ipReputation": "count", "waf.rate": "count", "waf.rateLimit": "2000",
		"alarms": "ops@example.com", "ssm": "true", "fleet.max": "12", "fleet.ladder": "m7i.large,m7i.xlarge",
		"fleet.startAt": "m7i.xlarge", "fleet.vertical": "off", "fleet.requestsPerTarget": "6000",
	}), Gate: true},
	"signed-in": {Options: with(domain, options{
		"name":    longestName,
		"regions": []any{with(existing("ap-southeast-1", "10.9.0.0/20", "a", "b", "c"), options{"ami": ami})},
		"entry":   "dns", "flowLogs": "false", "tags": tags, "waf.rate": "count", "waf.rateLimit": "2000", "service.environment.ALLOW_CLEARTEXT": "true",
		"service.environment.READS": "signed-in", "fleet.min": "3", "fleet.ladder": "m7i.large,m7i.xlarge", "fleet.startAt": "m7i.xlarge",
		"fleet.vertical": "advise", "fleet.window": "01:00-05:00 Europe/Madrid", "fleet.schedule": workdays,
	}), Gate: true},
	"trial": {Options: options{"profile": "trial", "regions": "eu-west-1"}, Gate: true},
	"existing": {Options: with(certified("eu-west-1"), options{
		"name":     longestName,
		"regions":  []any{existing("eu-west-1", "10.9.0.0/20", "a", "b", "c")},
		"flowLogs": "false", "waf.enabled": "false", "logs": "cloudwatch", "protect": "false",
		"service.environment.ALLOW_CLEARTEXT": "true", "service.environment.LOAD_GENERATOR": "true", "fleet.min": "3", "fleet.max": "12",
		"fleet.vertical": "advise", "fleet.requestsPerTarget": "6000", "fleet.schedule": workdays, "fleet.guard": "false",
		"github": with(github, options{"repository": "octo-org@123456/shop@456789", "providerExists": "true"}),
	}), Gate: true},
	"internal": {Options: with(internal, options{
		"regions":  []any{existing("eu-west-1", "172.31.0.0/16", "a", "b")},
		"flowLogs": "false", "waf.ipReputation": "count", "logs": "cloudwatch", "ssm": "true", "fleet.ladder": "m7i.large,m7i.xlarge",
		"fleet.vertical": "off", "fleet.requestsPerTarget": "6000",
	}), Gate: true},
	"internal-nat": {Options: with(with(internal, domain), options{
		"name":    longestName,
		"regions": []any{options{"name": "eu-west-1", "cidr": "10.9.0.0/20", "ami": ami}},
		"egress":  "nat", "waf.enabled": "false", "tags": tags, "service.environment.ALLOW_CLEARTEXT": "true", "fleet.max": "12",
		"fleet.vertical": "advise", "fleet.window": "01:00-05:00 Europe/Madrid",
	}), Gate: true},
	"private": {Options: with(with(internal, certified("eu-west-1")), options{
		"regions":        []any{with(existing("eu-west-1", "172.31.0.0/16", "a", "b", "c"), options{"kms": keys("eu-west-1")})},
		"domain.private": "true", "waf.common": "count", "waf.badInputs": "count", "waf.rate": "count", "waf.rateLimit": "2000",
		"alarms": "ops@example.com", "logs": "off", "protect": "false", "service.environment.READS": "signed-in",
		"service.environment.LOAD_GENERATOR": "true", "fleet.min": "3", "fleet.startAt": "m7g.large", "fleet.cpuTarget": "40",
		"fleet.window": "01:00-05:00 Europe/Madrid", "fleet.schedule": workdays, "fleet.guard": "false",
	}), Gate: true},
	"certified": {Options: with(certified("eu-west-1"), options{
		"regions": []any{"eu-west-1"}, "entry": "dns", "waf.enabled": "false", "alarms": "ops@example.com", "logs": "off",
		"ssm": "true", "service.environment.READS": "signed-in", "fleet.ladder": "m7i.large,m7i.xlarge", "fleet.startAt": "m7i.xlarge",
		"fleet.vertical": "off",
	}), Gate: true},
	"internal-witness": {Options: with(with(internal, certified("us-east-1", "us-east-2")), options{
		"regions":     []any{existing("us-east-1", "10.9.0.0/20", "a", "b"), with(existing("us-east-2", "10.9.0.0/20", "a", "b"), options{"weight": "0"})},
		"consistency": "strong", "witness": "us-west-2", "flowLogs": "false", "waf.enabled": "false", "tags": tags, "logs": "off",
	})},
	"internal-leaving": {Options: with(internal, options{
		"regions": []any{"eu-west-1", "us-east-1", options{"name": "eu-west-2", "retired": "true"}},
	})},
	"existing-leaving": {Options: with(certified("eu-west-1", "us-east-1"), options{
		"regions":  []any{with(existing("eu-west-1", "10.9.0.0/20", "a", "b"), options{"weight": "50"}), existing("us-east-1", "10.9.0.0/20", "a", "b"), with(existing("eu-west-2", "10.9.0.0/20", "a", "b"), options{"retired": "true"})},
		"flowLogs": "false", "waf.enabled": "false", "tags": tags, "logs": "off",
	})},
	"drained": {Options: with(domain, options{
		"regions": []any{"eu-west-1", options{"name": "us-east-1", "weight": "0", "zones": []any{"a", "b"}, "cidr": "10.9.0.0/20"}, options{"name": "eu-west-2", "retired": "true"}},
		"entry":   "dns", "waf.common": "count", "waf.badInputs": "count", "waf.rateLimit": "2000",
		"alarms": "ops@example.com", "ssm": "true", "service.environment.LOAD_GENERATOR": "true", "fleet.max": "12",
		"fleet.ladder": "m7i.large,m7i.xlarge", "fleet.cpuTarget": "40", "fleet.vertical": "off",
		"fleet.requestsPerTarget": "6000", "fleet.schedule": workdays, "fleet.guard": "false",
	})},
	"witness-no-entry": {Options: options{
		"name":    longestName,
		"regions": []any{"us-east-1", options{"name": "us-east-2", "weight": "0", "zones": []any{"a", "c"}}},
		"entry":   "none", "consistency": "strong", "witness": "us-west-2", "egress": "nat", "waf.badInputs": "count",
		"waf.ipReputation": "count", "waf.rate": "count", "waf.rateLimit": "2000", "alarms": "ops@example.com",
		"protect": "false", "service.environment.ALLOW_CLEARTEXT": "true", "fleet.min": "3", "fleet.window": "01:00-05:00 Europe/Madrid",
		"fleet.schedule": workdays, "fleet.guard": "false",
	}},
	"witness-accelerator": {Options: with(domain, options{
		"name":        longestName,
		"regions":     []any{options{"name": "us-east-1", "weight": "50"}, options{"name": "us-east-2", "zones": []any{"a", "b"}}},
		"consistency": "strong", "witness": "us-west-2", "waf.common": "count", "waf.badInputs": "count",
		"waf.ipReputation": "count", "waf.rateLimit": "2000", "logs": "cloudwatch", "service.environment.READS": "signed-in", "service.environment.LOAD_GENERATOR": "true",
		"fleet.min": "3", "fleet.max": "12", "fleet.ladder": "m7i.large,m7i.xlarge", "fleet.cpuTarget": "40",
		"fleet.vertical": "off", "fleet.window": "01:00-05:00 Europe/Madrid", "fleet.requestsPerTarget": "6000",
	})},
	"last-region": {Options: with(domain, options{
		"regions": []any{options{"name": "eu-west-1", "weight": "50", "zones": []any{"b", "c"}, "cidr": "10.9.0.0/20", "ami": ami}, options{"name": "us-east-1", "retired": "true"}},
		"egress":  "nat", "waf.ipReputation": "count", "waf.rate": "count", "alarms": "ops@example.com", "logs": "off",
		"ssm": "true", "service.environment.LOAD_GENERATOR": "true", "fleet.min": "3", "fleet.cpuTarget": "40", "fleet.vertical": "off",
		"fleet.guard": "false",
	})},
	"leaving-no-entry": {Options: with(domain, options{
		"regions": []any{"ap-southeast-1", options{"name": "ap-northeast-1", "weight": "0", "ami": ami}, options{"name": "ap-southeast-2", "retired": "true"}},
		"entry":   "none", "egress": "nat", "waf.ipReputation": "count", "waf.rate": "count", "waf.rateLimit": "2000",
		"alarms": "ops@example.com", "logs": "cloudwatch", "service.environment.ALLOW_CLEARTEXT": "true", "fleet.min": "3",
		"fleet.startAt": "m7g.large", "fleet.vertical": "advise", "fleet.schedule": workdays,
	})},
	"one-region": {Options: with(domain, options{
		"regions":    []any{options{"name": "eu-west-1", "weight": "50", "cidr": "10.9.0.0/20", "ami": ami}},
		"waf.common": "count", "waf.badInputs": "count", "service.environment.ALLOW_CLEARTEXT": "true", "fleet.max": "12",
		"fleet.startAt": "m7g.large", "fleet.vertical": "advise", "fleet.requestsPerTarget": "6000",
		"fleet.schedule": workdays, "fleet.guard": "false",
	})},
	"witness-dns": {Options: with(domain, options{
		"regions": []any{options{"name": "us-east-1", "cidr": "10.9.0.0/20"}, options{"name": "us-east-2", "weight": "0", "ami": ami}},
		"entry":   "dns", "consistency": "strong", "witness": "us-west-2", "egress": "nat", "waf.badInputs": "count",
		"waf.ipReputation": "count", "alarms": "ops@example.com", "logs": "off", "ssm": "true", "service.environment.ALLOW_CLEARTEXT": "true",
		"service.environment.READS": "signed-in", "fleet.min": "3", "fleet.max": "12", "fleet.ladder": "m7i.large,m7i.xlarge",
		"fleet.cpuTarget": "40", "fleet.vertical": "advise",
	})},
	"strong": {Options: options{
		"regions":     []any{"eu-west-1", options{"name": "eu-west-2", "cidr": "10.9.0.0/20", "ami": ami}, options{"name": "eu-west-3", "weight": "0"}},
		"consistency": "strong", "waf.rate": "count", "protect": "false", "service.environment.READS": "signed-in",
		"fleet.vertical": "advise", "fleet.window": "01:00-05:00 Europe/Madrid", "fleet.requestsPerTarget": "6000",
	}},
	// At the limits, of what grows with the regions.
	"ten-regions": {Options: with(domain, options{
		"regions": tenRegions, "logs": "off", "ssm": "true", "alarms": "ops@example.com", "fleet.requestsPerTarget": "6000", "fleet.schedule": workdays,
	})},
}

func with(a, b options) options {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}
