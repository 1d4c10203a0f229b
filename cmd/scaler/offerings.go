package main

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// offered reports which rungs every one of zones offers.
func (c *controller) offered(ctx context.Context, zones []string) (map[string]bool, error) {
	var ladder []string
	for _, rung := range c.ladder {
		ladder = append(ladder, rung.Type)
	}
	pages := ec2.NewDescribeInstanceTypeOfferingsPaginator(c.ec2, &ec2.DescribeInstanceTypeOfferingsInput{
		LocationType: types.LocationTypeAvailabilityZone,
		Filters:      []types.Filter{{Name: aws.String("instance-type"), Values: ladder}, {Name: aws.String("location"), Values: zones}},
	})
	in := map[string]int{}
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, offering := range page.InstanceTypeOfferings {
			in[string(offering.InstanceType)]++
		}
	}
	offered := map[string]bool{}
	for t, n := range in {
		offered[t] = n == len(zones)
	}
	return offered, nil
}
