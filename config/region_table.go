package config

// knownRegion is what a region's defaults come from.
type knownRegion struct {
	name  string
	zones int
}

// knownRegions are the regions of the aws partition. The place of a region in
// this list is the second octet of its default CIDR, so new regions are only
// ever added at the end: a region's network must not move when another one
// joins.
//
// zones is how many zones a network takes by default: three, but two where AWS
// gives a new account no third one. Source: AWS, "AWS Regions" of the Global
// Infrastructure guide and the notes on us-west-1 there, read in 2026-11.
var knownRegions = []knownRegion{
	{"us-east-1", 3},
	{"us-east-2", 3},
	{"us-west-1", 2},
	{"us-west-2", 3},
	{"af-south-1", 3},
	{"ap-east-1", 3},
	{"ap-south-1", 3},
	{"ap-south-2", 3},
	{"ap-southeast-1", 3},
	{"ap-southeast-2", 3},
	{"ap-southeast-3", 3},
	{"ap-southeast-4", 3},
	{"ap-southeast-5", 3},
	{"ap-southeast-7", 3},
	{"ap-northeast-1", 3},
	{"ap-northeast-2", 3},
	{"ap-northeast-3", 3},
	{"ca-central-1", 3},
	{"ca-west-1", 3},
	{"eu-central-1", 3},
	{"eu-central-2", 3},
	{"eu-north-1", 3},
	{"eu-south-1", 3},
	{"eu-south-2", 3},
	{"eu-west-1", 3},
	{"eu-west-2", 3},
	{"eu-west-3", 3},
	{"il-central-1", 3},
	{"me-central-1", 3},
	{"me-south-1", 3},
	{"mx-central-1", 3},
	{"sa-east-1", 3},
	{"ap-east-2", 3},
	{"ap-southeast-6", 3},
}

// manyZones is how many zones there are in the regions that have more than three.
// Source: AWS, "AWS Availability Zones". One that AWS adds is added here.
var manyZones = map[string]int{"us-east-1": 6, "us-west-2": 4, "ap-northeast-1": 4, "ap-northeast-2": 4}

// withoutAccelerator are the known regions in which Global Accelerator has no endpoints.
// Source: AWS Global Accelerator Developer Guide, "AWS Region availability", read in
// 2026-11. The guide excepts a zone each of us-west-1, ap-northeast-1 and ca-central-1
// (usw1-az2, apne1-az3, cac1-az3), which an account knows by letters of its own: the
// doctor refuses them.
var withoutAccelerator = []string{"ap-southeast-7", "mx-central-1", "ap-east-2", "ap-southeast-6"}

// mostZones is how many zones a region is known to have.
func mostZones(region string) int { return max(manyZones[region], 3) }
