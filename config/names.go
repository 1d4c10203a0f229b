package config

import "fmt"

// Names are the stack ids and physical names of one deployment. They are
// deterministic, so that stacks of different regions need no references to
// each other.
type Names struct {
	// Name is the deployment's name, the prefix of all others.
	Name string
	// Account is the AWS account's id: bucket names are global, so they carry it.
	Account string
}

// StorageStack is the id of region's storage stack.
func (n Names) StorageStack(region string) string { return n.Name + "-storage-" + region }

// GlobalStack is the id of the stack that spans the regions.
func (n Names) GlobalStack() string { return n.Name + "-global" }

// RegionStack is the id of region's stack.
func (n Names) RegionStack(region string) string { return n.Name + "-region-" + region }

// EntryStack is the id of the stack of the way in, and of what shows all regions.
func (n Names) EntryStack() string { return n.Name + "-entry" }

// GitHubStack is the id of the stack of what GitHub's workflows may do.
func (n Names) GitHubStack() string { return n.Name + "-github" }

// Table is the global table that the configuration calls by name.
func (n Names) Table(name string) string { return n.Name + "-" + name }

// Bucket is region's bucket of those that the configuration calls by name.
func (n Names) Bucket(name, region string) string {
	return fmt.Sprintf("%s-%s-%s-%s", n.Name, name, n.Account, region)
}

// LogsBucket is the bucket of region's logs, of instances and of all that AWS logs.
func (n Names) LogsBucket(region string) string { return n.Bucket("logs", region) }

// ServiceLog is the log group, one in each region, of what instances log.
func (n Names) ServiceLog() string { return "/" + n.Name + "/service" }

// LoadBalancer is every region's load balancer: one name for those with public
// addresses and one for those without, which take each other's place.
func (n Names) LoadBalancer(public bool) string {
	if public {
		return n.Name + "-pub"
	}
	return n.Name + "-int"
}

// ImpairedAlarm is the alarm, one in each region, that sums up the others.
func (n Names) ImpairedAlarm() string { return n.Name + "-island-impaired" }

// BalancerAlarm is the alarm, one in each region, on what its load balancer fails by
// itself. The lighthouse looks at it.
func (n Names) BalancerAlarm() string { return n.Name + "-balancer-failing" }

// Dashboard is region's dashboard; dashboards are the account's, of all regions.
func (n Names) Dashboard(region string) string { return n.Name + "-" + region }

// GlobalDashboard is the dashboard over all regions.
func (n Names) GlobalDashboard() string { return n.Name }

// Lighthouse is the function that tells a region's health, the same in every
// region.
func (n Names) Lighthouse() string { return n.Name + "-lighthouse" }

// DrainParameter is the SSM parameter, one in each region, with which an
// operator moves users away from the region. `make drain` writes it.
func (n Names) DrainParameter() string { return "/" + n.Name + "/island/drained" }

// InstanceTypeParameter is the SSM parameter, one in each region, that holds
// the fleet's instance type.
func (n Names) InstanceTypeParameter() string { return "/" + n.Name + "/fleet/instance-type" }

// ListenerParameter is the SSM parameter, one in each region, through which the
// entry stack publishes the ARN of the accelerator's listener.
func (n Names) ListenerParameter() string { return "/" + n.Name + "/entry/listener-arn" }

// Group is the Auto Scaling group, the same in every region.
func (n Names) Group() string { return n.Name + "-fleet" }

// Scaler is the function that changes the fleet's instance type, the same in every
// region.
func (n Names) Scaler() string { return n.Name + "-scaler" }

// ScalingParameter is the SSM parameter, one in each region, that holds what the
// scaler remembers.
func (n Names) ScalingParameter() string { return "/" + n.Name + "/fleet/scaling" }

// FrozenParameter is the SSM parameter, one in each region, with which an operator
// keeps the fleet's instance type. `make freeze` writes it.
func (n Names) FrozenParameter() string { return "/" + n.Name + "/fleet/frozen" }
