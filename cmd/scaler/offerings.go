package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// offered reports which rungs every one of zones offers. That there is none is an error,
// which names the zones that are in the way: nothing could be decided, and the alarm of a
// silent scaler is to ring.
func (c *controller) offered(ctx context.Context, zones []string) (map[string]bool, error) {
	var ladder []string
	for _, rung := range c.ladder {
		ladder = append(ladder, rung.Type)
	}
	pages := ec2.NewDescribeInstanceTypeOfferingsPaginator(c.ec2, &ec2.DescribeInstanceTypeOfferingsInput{
		LocationType: types.LocationTypeAvailabilityZone,
		Filters:      []types.Filter{{Name: aws.String("instance-type"), Values: ladder}, {Name: aws.String("location"), Values: zones}},
	})
	in, by := map[string]int{}, map[string]int{}
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, offering := range page.InstanceTypeOfferings {
			in[string(offering.InstanceType)]++
			by[aws.ToString(offering.Location)]++
		}
	}
	offered := map[string]bool{}
	for t, n := range in {
		offered[t] = n == len(zones)
	}
	if len(zones) > 0 && !slices.Contains(slices.Collect(maps.Values(offered)), true) {
		fewest := by[slices.MinFunc(zones, func(a, b string) int { return cmp.Compare(by[a], by[b]) })]
		least := slices.DeleteFunc(slices.Clone(zones), func(zone string) bool { return by[zone] > fewest })
		return nil, fmt.Errorf("none of %s is offered in every zone, and the fewest in %s", strings.Join(ladder, ", "), strings.Join(least, ", "))
	}
	return offered, nil
}
