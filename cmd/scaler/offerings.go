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

// noRungError is that no rung is offered in every zone: nothing can be decided, and
// the alarm of a silent scaler is to be in ALARM.
type noRungError struct {
	ladder, least []string // the zones that offer the fewest
}

func (e *noRungError) Error() string {
	return fmt.Sprintf("none of %s is offered in every zone, and the fewest in %s", strings.Join(e.ladder, ", "), strings.Join(e.least, ", "))
}

// sayNoRung tells those who get the alarms which zones are in the way, once while they are
// the same: the alarm itself cannot name them. unoffered is nil where a rung is offered.
func (c *controller) sayNoRung(ctx context.Context, m *memory, unoffered *noRungError) error {
	var zones string
	if unoffered != nil {
		zones = strings.Join(unoffered.least, ", ")
	}
	return c.sayOnce(ctx, m, &m.Unoffered, zones, "no instance type is offered in every zone", fmt.Sprintf(
		"The scaler can decide nothing, and its alarm will be in ALARM: %s. Add a rung that they have to fleet.ladder, or leave them out of zones where the region is not deployed yet.", unoffered))
}

// offered reports which rungs every one of zones offers, or returns a noRungError.
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
		return nil, &noRungError{ladder, least}
	}
	return offered, nil
}
