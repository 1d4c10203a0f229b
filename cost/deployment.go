package cost

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Deployment is what costs money of a deployment.
type Deployment struct {
	// Regions are its regions, by their names.
	Regions map[string]*Region
	// Home is the region of the stack that spans the others.
	Home string
	// Accelerators is how many there are.
	Accelerators int
	// Replicated reports whether each region's objects are copied to all others.
	Replicated bool
}

// Region is what costs money in one region.
type Region struct {
	InstanceType       string
	Min, Max           int // instances
	VolumeGB           int // of each instance
	Monitored          bool
	LoadBalancers      int
	Zones              int  // of a load balancer
	Public             bool // the load balancer is on the internet
	PublicAddresses    int
	NATGateways        int
	InterfaceEndpoints int // one for each zone
	WebACLs            int
	WebACLRules        int
	Keys               int
	Dashboards         int
	AlarmMetrics       int
	CompositeAlarms    int
	LooksEvery         int     // seconds between two of a lighthouse's health checks; 0 means no lighthouse
	FunctionMemoryMiB  int     // of the lighthouse and of the scaler
	ScalerRuns         float64 // runs of the scaler a minute, by all of its schedules
	Agents             bool    // each instance sends its log and metrics to CloudWatch
	LogsPut            bool    // each instance puts its log into a bucket
	Pulse              bool    // each instance says that it reaches its stores
}

// Read reads the templates that a synth wrote to dir.
func Read(dir string) (Deployment, error) {
	d := Deployment{Regions: map[string]*Region{}}
	b, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err != nil {
		return d, fmt.Errorf("%s holds no templates: run `make synth` first (%w)", dir, err)
	}
	var manifest struct {
		Artifacts map[string]struct {
			Type        string
			Environment string
			Properties  struct{ TemplateFile string }
		}
	}
	if err := json.Unmarshal(b, &manifest); err != nil {
		return d, err
	}
	for _, id := range slices.Sorted(maps.Keys(manifest.Artifacts)) {
		artifact := manifest.Artifacts[id]
		if artifact.Type != "aws:cloudformation:stack" {
			continue
		}
		region := artifact.Environment[strings.LastIndex(artifact.Environment, "/")+1:]
		if d.Regions[region] == nil {
			d.Regions[region] = &Region{}
		}
		if err := d.add(region, filepath.Join(dir, artifact.Properties.TemplateFile)); err != nil {
			return d, fmt.Errorf("%s: %w", id, err)
		}
	}
	if len(d.Regions) == 0 {
		return d, fmt.Errorf("%s holds no stack", dir)
	}
	return d, nil
}

// add adds what one template makes.
func (d *Deployment) add(region, path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var template struct {
		Resources map[string]struct {
			Type       string
			Properties json.RawMessage
		}
	}
	if err := json.Unmarshal(b, &template); err != nil {
		return err
	}
	var errs []error
	for id, resource := range template.Resources {
		if err := d.addResource(region, resource.Type, resource.Properties); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", id, err))
		}
	}
	return errors.Join(errs...)
}

// properties are those of all types that cost money, as far as they matter.
type properties struct {
	// An Auto Scaling group's.
	MinSize, MaxSize string
	// A launch template's.
	LaunchTemplateData struct {
		Monitoring          struct{ Enabled bool }
		BlockDeviceMappings []struct{ Ebs struct{ VolumeSize int } }
		UserData            json.RawMessage
	}
	// A load balancer's.
	Scheme  string
	Subnets []any
	// An endpoint's.
	VpcEndpointType string
	SubnetIds       []any
	// A web ACL's.
	Rules []any
	// An alarm's: one metric, or several.
	Metrics []struct{ MetricStat any }
	// A target group's.
	TargetType                 string
	HealthCheckIntervalSeconds int
	// A function's.
	Runtime    any
	MemorySize int
	// A schedule's.
	ScheduleExpression string
	// A custom resource's call.
	Create any
}

func (d *Deployment) addResource(region, kind string, raw json.RawMessage) error {
	r := d.Regions[region]
	var p properties
	read := func() error {
		if raw == nil {
			return nil
		}
		return json.Unmarshal(raw, &p)
	}
	switch kind {
	case "AWS::AutoScaling::AutoScalingGroup":
		if err := read(); err != nil {
			return err
		}
		var err, err2 error
		r.Min, err = strconv.Atoi(p.MinSize)
		r.Max, err2 = strconv.Atoi(p.MaxSize)
		return errors.Join(err, err2)
	case "AWS::EC2::LaunchTemplate":
		if err := read(); err != nil {
			return err
		}
		r.Monitored = p.LaunchTemplateData.Monitoring.Enabled
		r.Agents = bytes.Contains(p.LaunchTemplateData.UserData, []byte("amazon-cloudwatch-agent"))
		r.LogsPut = bytes.Contains(p.LaunchTemplateData.UserData, []byte("-journal.service"))
		r.Pulse = bytes.Contains(p.LaunchTemplateData.UserData, []byte("Description=Pulse of "))
		for _, device := range p.LaunchTemplateData.BlockDeviceMappings {
			r.VolumeGB += device.Ebs.VolumeSize
		}
	case "AWS::ElasticLoadBalancingV2::LoadBalancer":
		if err := read(); err != nil {
			return err
		}
		r.LoadBalancers++
		r.Zones = len(p.Subnets)
		if r.Public = p.Scheme == "internet-facing"; r.Public {
			r.PublicAddresses += len(p.Subnets)
		}
	case "AWS::ElasticLoadBalancingV2::TargetGroup":
		if err := read(); err != nil {
			return err
		}
		if p.TargetType == "lambda" {
			r.LooksEvery = p.HealthCheckIntervalSeconds
		}
	case "AWS::Lambda::Function":
		if err := read(); err != nil {
			return err
		}
		if p.Runtime == "provided.al2023" { // CDK's own run at deployments only
			r.FunctionMemoryMiB = p.MemorySize
		}
	case "AWS::Scheduler::Schedule":
		if err := read(); err != nil {
			return err
		}
		var every int
		if _, err := fmt.Sscanf(p.ScheduleExpression, "rate(%d minute", &every); err != nil || every < 1 {
			return fmt.Errorf("the schedule %q: want a rate in minutes: %w", p.ScheduleExpression, err)
		}
		r.ScalerRuns += 1 / float64(every)
	case "AWS::EC2::EIP":
		r.PublicAddresses++
	case "AWS::EC2::NatGateway":
		r.NATGateways++
	case "AWS::EC2::VPCEndpoint":
		if err := read(); err != nil {
			return err
		}
		if p.VpcEndpointType == "Interface" {
			r.InterfaceEndpoints += len(p.SubnetIds)
		}
	case "AWS::WAFv2::WebACL":
		if err := read(); err != nil {
			return err
		}
		r.WebACLs++
		r.WebACLRules += len(p.Rules)
	case "AWS::KMS::Key":
		r.Keys++
	case "AWS::CloudWatch::Dashboard":
		r.Dashboards++
	case "AWS::CloudWatch::CompositeAlarm":
		r.CompositeAlarms++
	case "AWS::CloudWatch::Alarm":
		if err := read(); err != nil {
			return err
		}
		r.AlarmMetrics += max(1, countMetrics(p))
	case "AWS::GlobalAccelerator::Accelerator":
		d.Accelerators++
	case "AWS::DynamoDB::GlobalTable":
		d.Home = region
	case "Custom::AWS":
		if err := read(); err != nil {
			return err
		}
		return d.addCall(r, p.Create)
	}
	return nil
}

// countMetrics leaves out an alarm's expressions.
func countMetrics(p properties) int {
	n := 0
	for _, m := range p.Metrics {
		if m.MetricStat != nil {
			n++
		}
	}
	return n
}

// addCall reads the calls that make what no type makes: the fleet's instance
// type, and the buckets' replication.
func (d *Deployment) addCall(r *Region, create any) error {
	text, ok := create.(string)
	if !ok { // a call with references
		b, err := json.Marshal(create)
		if err != nil {
			return err
		}
		d.Replicated = d.Replicated || strings.Contains(string(b), "putBucketReplication")
		return nil
	}
	var call struct {
		Action     string
		Parameters struct{ Name, Value string }
	}
	if err := json.Unmarshal([]byte(text), &call); err != nil {
		return err
	}
	if call.Action == "putParameter" && strings.HasSuffix(call.Parameters.Name, "/fleet/instance-type") {
		r.InstanceType = call.Parameters.Value
	}
	return nil
}
