package doctor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/archipelago-cdk/archipelago/scaling"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
)

// quota is one of Service Quotas.
type quota struct{ service, code, name string }

// Source of the codes: Service Quotas, as the consoles of EC2, VPC and Lambda link to
// them.
var (
	standardVCPUs  = quota{"ec2", "L-1216C47A", "vCPUs of On-Demand standard instances"}
	vpcsPerRegion  = quota{"vpc", "L-F678F1CE", "VPCs"}
	elasticIPs     = quota{"ec2", "L-0263D0A3", "Elastic IP addresses"}
	concurrentRuns = quota{"lambda", "L-B99A9384", "concurrent executions of Lambda"}
)

// reserved is how many concurrent executions the region's functions reserve, five for
// the lighthouse and one for the scaler. A test compares it with a template.
const reserved = 6

// unreserved is how many have to be left to all other functions; where the account has
// fewer than that, all. Source: AWS Lambda Developer Guide, "Configuring reserved
// concurrency", and Lambda's answer to an account of ten: "below its minimum value of
// [10]".
const unreserved = 100

// value returns the quota of the account in the region: the one that was applied for, or
// AWS's default. Source: Service Quotas API Reference, "GetServiceQuota": some quotas
// have a default value alone.
func (s *site) value(ctx context.Context, q quota) (int, error) {
	client := servicequotas.NewFromConfig(s.here)
	applied, err := client.GetServiceQuota(ctx, &servicequotas.GetServiceQuotaInput{ServiceCode: &q.service, QuotaCode: &q.code})
	if err == nil {
		return int(aws.ToFloat64(applied.Quota.Value)), nil
	}
	if !refusedWith(err, "NoSuchResourceException") {
		return 0, err
	}
	def, err := client.GetAWSDefaultServiceQuota(ctx, &servicequotas.GetAWSDefaultServiceQuotaInput{ServiceCode: &q.service, QuotaCode: &q.code})
	if err != nil {
		return 0, err
	}
	return int(aws.ToFloat64(def.Quota.Value)), nil
}

// raise is the command that asks for more.
func (s *site) raise(q quota, to int) string {
	return fmt.Sprintf("aws service-quotas request-service-quota-increase --region %s --service-code %s --quota-code %s --desired-value %d", s.region.Name, q.service, q.code, to)
}

// vcpus compares what the fleet may grow to with what the account may run beside what
// others run in it: a deployment launches as many again before it terminates, or where
// there is no room for them one after the other.
// internal/local/emulator, TestQuotaOfVCPUs, has the launches that fail.
func vcpus(ctx context.Context, s *site) []Line {
	ladder, err := scaling.NewLadder(s.config.Fleet.Ladder)
	if err != nil {
		return nil // a valid configuration has one
	}
	first, err := s.firstType(ctx)
	if err != nil {
		return []Line{notLookedAt("the fleet's instance type", err)}
	}
	start := ladder[max(ladder.Find(first), 0)]
	limit, err := s.value(ctx, standardVCPUs)
	if err != nil {
		return []Line{notLookedAt("the quota of "+standardVCPUs.name, err)}
	}
	others, err := s.othersVCPUs(ctx)
	if err != nil {
		return []Line{notLookedAt("the vCPUs that run already", err)}
	}
	fleet, instances := s.config.Fleet, s.config.Fleet.Max
	for _, at := range fleet.Schedule {
		instances = max(instances, at.Max)
	}
	least, most := (fleet.Min+1)*start.VCPU, whileDeploying(instances)*ladder[len(ladder)-1].VCPU
	says := fmt.Sprintf("the quota of %s is %d, of which others run %d", standardVCPUs.name, limit, others)
	switch {
	case least > limit-others:
		return []Line{fail("%s, and %d are taken by fleet.min of %s and one more, which a deployment launches before it terminates: %s", says, least, start.Type, s.raise(standardVCPUs, others+most))}
	case most > limit-others:
		return []Line{warn("%s, and %d are taken by the most instances of %s and as many again, which a deployment launches: %s", says, most, fleet.Ladder[len(ladder)-1], s.raise(standardVCPUs, others+most))}
	}
	return []Line{ok("%s, and the fleet takes %d at most", says, most)}
}

// whileDeploying is how many instances there are at most while a deployment replaces n.
func whileDeploying(n int) int { return n * setting.DeploymentPercent / 100 }

// othersVCPUs are those of the running instances that the quota counts and that are not
// the fleet's.
func (s *site) othersVCPUs(ctx context.Context) (int, error) {
	client, running := ec2.NewFromConfig(s.here), map[types.InstanceType]int{}
	instances := ec2.NewDescribeInstancesPaginator(client, &ec2.DescribeInstancesInput{
		Filters: []types.Filter{{Name: aws.String("instance-state-name"), Values: []string{"pending", "running"}}},
	})
	for instances.HasMorePages() {
		page, err := instances.NextPage(ctx)
		if err != nil {
			return 0, err
		}
		for _, r := range page.Reservations {
			for _, i := range r.Instances {
				ours := slices.ContainsFunc(i.Tags, func(t types.Tag) bool {
					return aws.ToString(t.Key) == "aws:autoscaling:groupName" && aws.ToString(t.Value) == s.names().Group()
				})
				if !ours && i.InstanceLifecycle == "" && standard(string(i.InstanceType)) {
					running[i.InstanceType]++
				}
			}
		}
	}
	n := 0
	for some := range slices.Chunk(slices.Sorted(maps.Keys(running)), 100) { // as many as a call takes
		out, err := client.DescribeInstanceTypes(ctx, &ec2.DescribeInstanceTypesInput{InstanceTypes: some})
		if err != nil {
			return 0, err
		}
		for _, t := range out.InstanceTypes {
			n += running[t.InstanceType] * int(aws.ToInt32(t.VCpuInfo.DefaultVCpus))
		}
	}
	return n, nil
}

// standard reports whether the quota of standard instances counts a type: those of the
// families A, C, D, H, I, M, R, T and Z, and not those whose names only begin with such
// a letter. Source: Amazon EC2 User Guide, "On-Demand Instance quotas".
func standard(instanceType string) bool {
	for _, other := range []string{"dl", "hpc", "inf", "mac", "trn"} {
		if strings.HasPrefix(instanceType, other) {
			return false
		}
	}
	return strings.ContainsAny(instanceType[:min(1, len(instanceType))], "acdhimrtz")
}

// vpcs looks whether there is room for one more.
func vpcs(ctx context.Context, s *site) []Line {
	if s.region.VPC.Set() {
		return nil
	}
	return s.room(ctx, vpcsPerRegion, 1, func() (int, error) {
		n := 0
		for pages := ec2.NewDescribeVpcsPaginator(ec2.NewFromConfig(s.here), &ec2.DescribeVpcsInput{}); pages.HasMorePages(); {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return 0, err
			}
			n += len(page.Vpcs)
		}
		return n, nil
	})
}

// addresses looks whether there is room for those of the NAT gateways.
func addresses(ctx context.Context, s *site) []Line {
	if s.region.VPC.Set() || s.config.Egress != config.EgressNAT {
		return nil
	}
	return s.room(ctx, elasticIPs, s.region.Zones.Count, func() (int, error) {
		out, err := ec2.NewFromConfig(s.here).DescribeAddresses(ctx, &ec2.DescribeAddressesInput{})
		if err != nil {
			return 0, err
		}
		return len(out.Addresses), nil
	})
}

// room compares a quota with what there is and what the region's stack would add.
func (s *site) room(ctx context.Context, q quota, more int, count func() (int, error)) []Line {
	status, err := s.regionStack(ctx)
	if err != nil {
		return []Line{notLookedAt("the room for "+q.name, err)}
	}
	if status != "" {
		return []Line{ok("the region has its own")}
	}
	there, err := count()
	if err != nil {
		return []Line{notLookedAt("how many "+q.name+" there are", err)}
	}
	limit, err := s.value(ctx, q)
	if err != nil {
		return []Line{notLookedAt("the quota of "+q.name, err)}
	}
	if there+more > limit {
		return []Line{fail("the quota of %s is %d, of which %d are taken, and the region adds %d: %s", q.name, limit, there, more, s.raise(q, there+more))}
	}
	return []Line{ok("the quota of %s is %d, of which %d are taken, and the region adds %d", q.name, limit, there, more)}
}

// concurrency looks whether the region's functions may reserve theirs.
// TestConcurrency has the stack that fails.
func concurrency(ctx context.Context, s *site) []Line {
	out, err := lambda.NewFromConfig(s.here).GetAccountSettings(ctx, &lambda.GetAccountSettingsInput{})
	if err != nil {
		return []Line{notLookedAt("the quota of "+concurrentRuns.name, err)}
	}
	status, err := s.regionStack(ctx)
	if err != nil {
		return []Line{notLookedAt("whether its functions reserve theirs already", err)}
	}
	if status != "" {
		return []Line{ok("the region's functions have theirs")}
	}
	limit := int(out.AccountLimit.ConcurrentExecutions)
	left := int(aws.ToInt32(out.AccountLimit.UnreservedConcurrentExecutions))
	if keep := min(unreserved, limit); left-reserved < keep {
		to := max(1000, limit-left+reserved+unreserved)
		return []Line{fail("the quota of %s is %d, of which %d are not reserved: the region reserves %d, and %d have to be left: %s", concurrentRuns.name, limit, left, reserved, keep, s.raise(concurrentRuns, to))}
	}
	return []Line{ok("%d of %d %s are not reserved, and the region reserves %d", left, limit, concurrentRuns.name, reserved)}
}
