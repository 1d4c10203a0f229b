// Package addresses divides a VPC's range: the sizes of its subnets, and how many
// instances they hold.
package addresses

import "github.com/archipelago-cdk/archipelago/internal/setting"

// Masks of the subnets whose size is fixed; the fleet's share what they leave.
const (
	// LoadBalancerMask leaves a load balancer room to grow: it may take a
	// hundred addresses over its zones.
	LoadBalancerMask = 26
	// EgressMask is the smallest subnet there is: it holds one NAT gateway.
	EgressMask = 28
)

// taken is how many addresses of a fleet's subnet are not for instances: five
// that AWS keeps, and those of up to eight endpoints.
const taken = 5 + 8

// Instances is how many instances the network of a range with the given prefix
// length, from 16 to 28, holds in zones while one of them is lost and a
// deployment has launched as many again.
func Instances(bits, zones int, nat bool) int {
	perZone := 1 << (32 - LoadBalancerMask)
	if nat {
		perZone += 1 << (32 - EgressMask)
	}
	left := (1<<(32-bits) - perZone*zones) / zones
	subnet := 1
	for subnet*2 <= left {
		subnet *= 2
	}
	return max(0, subnet-taken) * (zones - 1) * 100 / setting.DeploymentPercent
}
