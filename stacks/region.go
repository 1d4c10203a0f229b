package stacks

import (
	"fmt"
	"slices"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/constructs/entry"
	"github.com/archipelago-cdk/archipelago/constructs/fleet"
	"github.com/archipelago-cdk/archipelago/constructs/lighthouse"
	"github.com/archipelago-cdk/archipelago/constructs/loadbalancer"
	"github.com/archipelago-cdk/archipelago/constructs/network"
	"github.com/archipelago-cdk/archipelago/constructs/observability"
	"github.com/archipelago-cdk/archipelago/constructs/scaler"
	"github.com/archipelago-cdk/archipelago/constructs/waf"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsarczonalshift"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsautoscaling"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// newRegion places one island: network, load balancer, fleet, and its
// registration with the entry.
func newRegion(app awscdk.App, c config.Config, region config.Region, builds Builds) awscdk.Stack {
	names := c.Names()
	stack := newStack(app, c, names.RegionStack(region.Name), region.Name,
		"Archipelago: network, load balancer and fleet of "+region.Name)
	if !region.VPC.Set() {
		network.DeclareZones(stack, region.ZoneNames(), region.Zones.Count) // before all else
	}
	all := stores{c}.in(stack, region.Name)
	logs := bucket(stack, "LogsBucket", names.LogsBucket(region.Name))
	zone := hostedZone(stack, c)
	net := newNetwork(stack, c, region, all, logs)
	balancer := loadbalancer.New(stack, "LoadBalancer", &loadbalancer.Props{
		Name:        names.LoadBalancer(c.Public()),
		VPC:         net.VPC,
		Subnets:     net.LoadBalancer,
		DependsOn:   []constructs.IDependable{net.Internet},
		Public:      c.Public(),
		Sources:     c.InternalFrom,
		Host:        c.Domain.Host,
		Zone:        zone,
		Certificate: certificate(stack, c, region.Name),
		LogsBucket:  logs,
		WAFFailOpen: c.WAF.Enabled && c.WAF.FailOpen,
		Port:        c.Service.Port,
		HealthPath:  c.Service.Health,
	})
	if c.WAF.Enabled {
		waf.New(stack, "WebACL", &waf.Props{
			LoadBalancer: balancer.ALB,
			Common:       waf.Mode(c.WAF.Common),
			BadInputs:    waf.Mode(c.WAF.BadInputs),
			IPReputation: waf.Mode(c.WAF.IPReputation),
			Rate:         waf.Mode(c.WAF.Rate),
			RateLimit:    c.WAF.RateLimit,
		})
	}
	var control *scaler.Scaler
	machines := fleet.New(stack, "Fleet", &fleet.Props{
		GroupName: names.Group(),
		Controller: func(f *fleet.Fleet) *fleet.Live {
			control = newScaler(stack, c, builds, net, balancer, f)
			return control.Hold(stack, "Hold")
		},
		VPC:               net.VPC,
		Subnets:           net.Fleet,
		S3Endpoint:        net.S3,
		DependsOn:         []constructs.IDependable{net.Endpoints},
		LoadBalancer:      balancer.ALB,
		TargetGroup:       balancer.TargetGroup,
		Port:              c.Service.Port,
		HealthPath:        c.Service.Health,
		AMI:               region.AMI,
		Architecture:      architecture(c.Fleet),
		Min:               c.Fleet.Min,
		Max:               c.Fleet.Max,
		CPUTarget:         c.Fleet.CPUTarget,
		Surge:             c.Fleet.Vertical == config.VerticalAuto && c.Fleet.Goal > 0,
		RequestsPerTarget: c.Fleet.RequestsPerTarget,
		Schedule:          schedule(c.Fleet),
		Runbook:           observability.Runbook + "#errors",
		LogsBucket:        logsBucket(c, logs),
		DecryptionKeys:    keys(stack, "DecryptionKey", region.KMS.Decrypt...),
		VolumeKey:         volumeKey(stack, region),
		Agent:             agent(stack, c),
		SessionManager:    c.SSM,
		Service: fleet.Service{
			Name:        c.Service.Name,
			Binary:      builds.Service,
			Notify:      c.Service.Notify,
			Environment: c.Environment(region),
			Secrets:     c.Service.Secrets,
		},
		Pulse: pulse(builds, all.watched()),
	})
	if region.AMI == "" {
		awscdk.Annotations_Of(machines.Construct).AddWarningV2(jsii.String("archipelago:unpinned-image"),
			jsii.String("the image is AWS's latest at each deployment, so one that changes nothing else may replace the fleet: pin it with `make ami`"))
	}
	all.grant(machines.Role)
	var replicas []string // a strong table has all writes at once
	if c.Consistency != config.ConsistencyStrong {
		replicas = slices.DeleteFunc(c.RegionNames(), func(name string) bool { return name == region.Name })
	}
	lit := lighthouse.New(stack, "Lighthouse", &lighthouse.Props{
		Name:           names.Lighthouse(),
		Deployment:     c.Name,
		Code:           builds.Function("lighthouse"),
		Architecture:   builds.FunctionArchitecture,
		VPC:            net.VPC,
		LoadBalancer:   balancer.ALB,
		Listener:       balancer.Listener,
		Stores:         all.watched(),
		PulseGroup:     names.Group(),
		BalancerAlarm:  names.BalancerAlarm(),
		ReplicaRegions: replicas,
		DrainParameter: names.DrainParameter(),
		Drained:        region.Weight == 0,
	})
	var way constructs.Construct
	switch {
	case c.Entry == config.EntryAccelerator && c.Accelerated(region):
		way = entry.NewEndpoint(stack, "Endpoint", &entry.EndpointProps{
			LoadBalancer:      balancer.ALB,
			ListenerParameter: names.ListenerParameter(),
			Weight:            jsii.Number(region.Weight),
		})
	case records(c) && region.Weight > 0:
		way = entry.NewRecord(stack, "Record", &entry.RecordProps{
			LoadBalancer: balancer.ALB,
			Host:         c.Domain.Host,
			Zone:         zone,
		})
	}
	observedTables, observedBuckets := stores{c}.observed()
	watch := observability.NewRegion(stack, "Observability", &observability.RegionProps{
		Deployment:      c.Name,
		Dashboard:       names.Dashboard(region.Name),
		Impaired:        names.ImpairedAlarm(),
		BalancerAlarm:   names.BalancerAlarm(),
		Regions:         c.RegionNames(),
		LoadBalancer:    balancer.ALB,
		TargetGroup:     balancer.TargetGroup,
		Group:           machines.Group,
		DeploymentAlarm: machines.DeploymentAlarm,
		Burstable:       c.Fleet.Burstable(),
		Vertical:        c.Fleet.Vertical != config.VerticalOff,
		CPUTarget:       c.Fleet.CPUTarget,
		Available:       c.Goals.Available,
		Tables:          observedTables,
		Buckets:         observedBuckets,
		ReplicationAge:  lit.ReplicationAge,
		Agent:           c.Logs == config.LogsCloudWatch,
		Emails:          c.Alarms,
	})
	if c.ZonalAutoshift {
		newZonalAutoshift(stack, "LoadBalancerAutoshift", balancer.ALB.LoadBalancerArn(), machines.DeploymentAlarm)
		// Not AutoScalingGroupArn, which has a wildcard in place of the group's id.
		group := machines.Group.Node().DefaultChild().(awsautoscaling.CfnAutoScalingGroup)
		newZonalAutoshift(stack, "GroupAutoshift", group.AttrAutoScalingGroupArn(), machines.DeploymentAlarm)
	}
	if watch.Topic != nil {
		control.Notify(watch.Topic)
	}
	// Users come after the first healthy instances, and to a build that stayed.
	rollout := control.Rollout(stack, "Rollout", machines.Build, machines.LaunchTemplate.LatestVersionNumber(),
		balancer.Construct, machines.Construct, lit.Construct)
	if way != nil {
		way.Node().AddDependency(rollout)
	}
	net.CloseDefaultGroupAfter(rollout)
	awscdk.NewCfnOutput(stack, jsii.String("LoadBalancerURL"), &awscdk.CfnOutputProps{Value: &balancer.URL})
	return stack
}

// newZonalAutoshift lets AWS move a resource away from a zone that it finds impaired,
// and practise that each week; a practice run that brings the alarm into ALARM ends and
// is reported. Source: ARC Developer Guide, "Zonal autoshift in ARC".
func newZonalAutoshift(stack awscdk.Stack, id string, resource *string, outcome awscloudwatch.IAlarm) {
	awsarczonalshift.NewCfnZonalAutoshiftConfiguration(stack, &id, &awsarczonalshift.CfnZonalAutoshiftConfigurationProps{
		ResourceIdentifier:   resource,
		ZonalAutoshiftStatus: jsii.String("ENABLED"),
		PracticeRunConfiguration: &awsarczonalshift.CfnZonalAutoshiftConfiguration_PracticeRunConfigurationProperty{
			OutcomeAlarms: []any{&awsarczonalshift.CfnZonalAutoshiftConfiguration_ControlConditionProperty{
				Type: jsii.String("CLOUDWATCH"), AlarmIdentifier: outcome.AlarmArn(),
			}},
		},
	})
}

// newScaler places what brings the fleet to each build and gives it its instance type.
func newScaler(stack awscdk.Stack, c config.Config, builds Builds, net *network.Network, balancer *loadbalancer.LoadBalancer, f *fleet.Fleet) *scaler.Scaler {
	names := c.Names()
	return scaler.New(stack, "Scaler", &scaler.Props{
		Name:                  names.Scaler(),
		Deployment:            c.Name,
		Code:                  builds.Function("scaler"),
		Architecture:          builds.FunctionArchitecture,
		Mode:                  c.Fleet.Vertical,
		GroupName:             names.Group(),
		LaunchTemplate:        f.LaunchTemplate,
		SecurityGroup:         f.SecurityGroup,
		InstanceRole:          f.Role,
		VPC:                   net.VPC,
		Subnets:               net.Fleet,
		DeploymentAlarm:       f.DeploymentAlarm,
		Unguarded:             !c.Fleet.Guard,
		LoadBalancer:          balancer.ALB,
		TargetGroup:           balancer.TargetGroup,
		Ladder:                c.Fleet.Ladder,
		StartAt:               c.Fleet.StartAt,
		CPUTarget:             c.Fleet.CPUTarget,
		RequestsPerTarget:     c.Fleet.RequestsPerTarget,
		Goal:                  c.Fleet.Goal,
		GoalMilliseconds:      c.Fleet.GoalMilliseconds,
		Window:                c.Fleet.Window,
		InstanceTypeParameter: names.InstanceTypeParameter(),
		ScalingParameter:      names.ScalingParameter(),
		FrozenParameter:       names.FrozenParameter(),
		Memory:                c.Logs == config.LogsCloudWatch,
	})
}

// newNetwork places the region's VPC, or takes the one that exists already.
func newNetwork(stack awscdk.Stack, c config.Config, region config.Region, all regionalStores, logs awss3.IBucket) *network.Network {
	if vpc := region.VPC; vpc.Set() {
		return network.Import(stack, "Network", &network.ImportProps{
			VPC:          vpc.ID,
			CIDR:         region.CIDR,
			Fleet:        region.ByZone(vpc.FleetSubnets),
			LoadBalancer: region.ByZone(vpc.LoadBalancerSubnets),
		})
	}
	if !c.FlowLogs {
		logs = nil
	}
	return network.New(stack, "Network", &network.Props{
		CIDR:           region.CIDR,
		Public:         c.Public(),
		Internal:       c.Entry == config.EntryInternal,
		NAT:            c.Egress == config.EgressNAT,
		LogsBucket:     logs,
		Buckets:        all.buckets,
		Tables:         all.tables,
		Logs:           c.Logs == config.LogsCloudWatch,
		SessionManager: c.SSM,
		Parameters:     c.Service.HasParameters(),
		Secrets:        c.Service.HasSecrets(),
	})
}

// logsBucket is the bucket that each instance puts its log into.
func logsBucket(c config.Config, logs awss3.IBucket) awss3.IBucket {
	if c.Logs != config.LogsBucket {
		return nil
	}
	return logs
}

// keys are those of the given ARNs, as constructs whose ids begin with id.
func keys(stack awscdk.Stack, id string, arns ...string) []awskms.IKey {
	var keys []awskms.IKey
	for i, arn := range arns {
		keys = append(keys, awskms.Key_FromKeyArn(stack, jsii.String(fmt.Sprint(id, i+1)), &arn))
	}
	return keys
}

// volumeKey is the key that instances' volumes are encrypted with.
func volumeKey(stack awscdk.Stack, region config.Region) awskms.IKey {
	if region.KMS.Volume == "" {
		return nil
	}
	return awskms.Key_FromKeyArn(stack, jsii.String("VolumeKey"), &region.KMS.Volume)
}

// pulse is what says that instances reach stores.
func pulse(builds Builds, stores []fleet.Store) *fleet.Pulse {
	if stores == nil {
		return nil
	}
	return &fleet.Pulse{Binary: builds.Pulse, Stores: stores}
}

// agent is what each instance sends to CloudWatch.
func agent(stack awscdk.Stack, c config.Config) *fleet.Agent {
	if c.Logs != config.LogsCloudWatch {
		return nil
	}
	return &fleet.Agent{
		LogGroup:   awslogs.LogGroup_FromLogGroupName(stack, jsii.String("ServiceLog"), jsii.String(c.Names().ServiceLog())),
		Deployment: c.Name,
	}
}

// architecture is CDK's name of the ladder's architecture.
func architecture(f config.Fleet) awsec2.InstanceArchitecture {
	if f.Architecture() == "x86_64" {
		return awsec2.InstanceArchitecture_X86_64
	}
	return awsec2.InstanceArchitecture_ARM_64
}

func schedule(f config.Fleet) []fleet.Schedule {
	var schedule []fleet.Schedule
	for _, s := range f.Schedule {
		schedule = append(schedule, fleet.Schedule(s))
	}
	return schedule
}
