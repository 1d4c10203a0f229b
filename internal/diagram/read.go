// Package diagram draws a deployment from its synthesized templates.
package diagram

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Deployment is what is drawn of one.
type Deployment struct {
	Name string
	// Accelerator reports whether AWS Global Accelerator is in front.
	Accelerator bool
	// Host is the name that users know the deployment by, "" if it has none.
	Host string
	// From are the address ranges that users come from, sorted; empty is everywhere.
	From []string
	// Islands are the regions, that of the global stack first, retired ones last,
	// the others by name.
	Islands []Island
	// MultiRegionStrongConsistency reports whether a table is strongly consistent, and Witness is the region
	// that keeps its log and no replica, if there is one.
	MultiRegionStrongConsistency bool
	Witness                      string
}

// Island is a region of the deployment. One that is retired has its data only.
type Island struct {
	Region string
	// VPC is the range of a VPC that the deployment makes, or the id of one that existed.
	VPC      string
	Existing bool
	NAT      bool
	// LoadBalancer is "public" or "internal", "" in a region that is retired.
	LoadBalancer string
	HTTPS        bool
	// Rules are those of the web ACL; 0 means no web ACL.
	Rules int
	// Zones are the letters of the fleet's zones, or their numbers where templates
	// do not say which they are.
	Zones    []string
	Min, Max int
	// Types are the instance types that the fleet may have, smallest first.
	Types []string
	// Share is the percentage of its own users that the island serves.
	Share int
	// Tables have a replica here; Buckets are those whose objects are replicated, and
	// Others those whose objects are not. All are sorted.
	Tables, Buckets, Others []string
	Lighthouse, Scaler      bool
}

type resource struct {
	Type       string
	Properties map[string]any
}

// Read reads the assembly that a synth wrote to dir.
func Read(dir string) (Deployment, error) {
	b, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		return Deployment{}, fmt.Errorf("%s holds no templates: run `make synth` first (%w)", dir, err)
	}
	var manifest struct {
		Artifacts map[string]struct {
			Type        string
			Environment string // aws://ACCOUNT/REGION
			Properties  struct {
				TemplateFile string
				Tags         map[string]string
			}
		}
	}
	if err := json.Unmarshal(b, &manifest); err != nil {
		return Deployment{}, fmt.Errorf("%s: %w", filepath.Join(dir, "manifest.json"), err)
	}
	r := reader{islands: map[string]*Island{}, replicated: map[string]bool{}}
	for _, id := range slices.Sorted(maps.Keys(manifest.Artifacts)) {
		stack := manifest.Artifacts[id]
		if stack.Type != "aws:cloudformation:stack" {
			continue
		}
		r.name = stack.Properties.Tags["deployment"]
		path := filepath.Join(dir, stack.Properties.TemplateFile)
		b, err := os.ReadFile(path)
		if err != nil {
			return Deployment{}, err
		}
		var template struct{ Resources map[string]resource }
		if err := json.Unmarshal(b, &template); err != nil {
			return Deployment{}, fmt.Errorf("%s: %w", path, err)
		}
		_, place, _ := strings.Cut(stack.Environment, "://")
		r.account, r.region, _ = strings.Cut(place, "/")
		for _, id := range slices.Sorted(maps.Keys(template.Resources)) {
			r.add(template.Resources[id], template.Resources)
		}
	}
	if len(r.islands) == 0 {
		return Deployment{}, fmt.Errorf("%s holds no stack of an island", dir)
	}
	return r.deployment(), nil
}

// reader gathers what stacks say.
type reader struct {
	Deployment
	name, account, region, home string // of the stack that is read, home of the tables
	islands                     map[string]*Island
	replicated                  map[string]bool // buckets, by their full names
}

// island is the one of a region, made if it is new.
func (r *reader) island(region string) *Island {
	if r.islands[region] == nil {
		r.islands[region] = &Island{Region: region, Share: 100}
	}
	return r.islands[region]
}

// add reads a resource of a template.
func (r *reader) add(of resource, template map[string]resource) {
	p := of.Properties
	switch of.Type {
	case "AWS::EC2::VPC":
		r.island(r.region).VPC = text(p["CidrBlock"])
	case "AWS::EC2::NatGateway":
		r.island(r.region).NAT = true
	case "AWS::EC2::SecurityGroup":
		for _, rule := range list(p["SecurityGroupIngress"]) {
			from := text(object(rule)["CidrIp"])
			if from != "" && from != "0.0.0.0/0" && !slices.Contains(r.From, from) {
				r.From = append(r.From, from)
			}
		}
	case "AWS::ElasticLoadBalancingV2::LoadBalancer":
		island := r.island(r.region)
		if island.LoadBalancer = text(p["Scheme"]); island.LoadBalancer == "internet-facing" {
			island.LoadBalancer = "public"
		}
	case "AWS::ElasticLoadBalancingV2::Listener":
		island := r.island(r.region)
		island.HTTPS = island.HTTPS || p["Protocol"] == "HTTPS"
	case "AWS::ElasticLoadBalancingV2::TargetGroup":
		if id, ok := p["VpcId"].(string); ok {
			island := r.island(r.region)
			island.VPC, island.Existing = id, true
		}
	case "AWS::WAFv2::WebACL":
		r.island(r.region).Rules = len(list(p["Rules"]))
	case "AWS::AutoScaling::AutoScalingGroup":
		r.group(p, template)
	case "AWS::Lambda::Function":
		r.function(p)
	case "AWS::GlobalAccelerator::Accelerator":
		r.Accelerator = true
	case "AWS::GlobalAccelerator::EndpointGroup":
		if share, ok := p["TrafficDialPercentage"].(float64); ok {
			r.island(r.region).Share = int(share)
		}
	case "AWS::Route53::RecordSet":
		if p["Type"] == "A" {
			r.Host = strings.TrimSuffix(text(p["Name"]), ".")
		}
	case "AWS::DynamoDB::GlobalTable":
		r.table(p)
	case "AWS::S3::Bucket":
		island := r.island(r.region)
		island.Others = append(island.Others, text(p["BucketName"]))
	case "Custom::AWS":
		if call := text(p["Create"]); strings.Contains(call, `"action":"putBucketReplication"`) {
			_, rest, _ := strings.Cut(call, `"Bucket":"`)
			bucket, _, _ := strings.Cut(rest, `"`)
			r.replicated[bucket] = true
		}
	}
}

func (r *reader) group(p map[string]any, template map[string]resource) {
	island := r.island(r.region)
	island.Min, _ = strconv.Atoi(text(p["MinSize"]))
	island.Max, _ = strconv.Atoi(text(p["MaxSize"]))
	for i, subnet := range list(p["VPCZoneIdentifier"]) {
		made := template[text(object(subnet)["Ref"])]
		zone := strings.TrimPrefix(text(made.Properties["AvailabilityZone"]), r.region)
		island.Zones = append(island.Zones, cmp.Or(zone, strconv.Itoa(i+1)))
	}
}

// function reads those of the deployment, and none of CDK's.
func (r *reader) function(p map[string]any) {
	island := r.island(r.region)
	settings := object(object(p["Environment"])["Variables"])
	switch text(p["FunctionName"]) {
	case r.name + "-lighthouse":
		island.Lighthouse = true
		if settings["DRAINED"] == "true" {
			island.Share = 0
		}
	case r.name + "-scaler":
		island.Scaler = true
		island.Types = []string{text(settings["START_AT"])}
		if settings["MODE"] == "auto" {
			island.Types = strings.Split(text(settings["LADDER"]), ",")
		}
	}
}

func (r *reader) table(p map[string]any) {
	r.home = r.region
	for _, replica := range list(p["Replicas"]) {
		island := r.island(text(object(replica)["Region"]))
		island.Tables = append(island.Tables, strings.TrimPrefix(text(p["TableName"]), r.name+"-"))
	}
	r.MultiRegionStrongConsistency = r.MultiRegionStrongConsistency || p["MultiRegionConsistency"] == "STRONG"
	for _, witness := range list(p["GlobalTableWitnesses"]) {
		r.Witness = text(object(witness)["Region"])
	}
}

func (r *reader) deployment() Deployment {
	d := r.Deployment
	d.Name = r.name
	slices.Sort(d.From)
	for _, region := range slices.Sorted(maps.Keys(r.islands)) {
		island := *r.islands[region]
		all := island.Others
		island.Others = nil
		for _, bucket := range all {
			name := strings.TrimSuffix(strings.TrimPrefix(bucket, r.name+"-"), "-"+r.account+"-"+region)
			if r.replicated[bucket] {
				island.Buckets = append(island.Buckets, name)
			} else {
				island.Others = append(island.Others, name)
			}
		}
		slices.Sort(island.Tables)
		slices.Sort(island.Buckets)
		slices.Sort(island.Others)
		d.Islands = append(d.Islands, island)
	}
	rank := func(i Island) int {
		switch {
		case i.Region == r.home:
			return 0
		case i.LoadBalancer != "":
			return 1
		}
		return 2
	}
	slices.SortStableFunc(d.Islands, func(a, b Island) int { return rank(a) - rank(b) })
	return d
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

// text is a value's, with the literal parts of a join.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case map[string]any:
		var b strings.Builder
		if join := list(v["Fn::Join"]); len(join) == 2 {
			for _, part := range list(join[1]) {
				b.WriteString(text(part))
			}
		}
		return b.String()
	}
	return ""
}
