package doctor

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/archipelago-cdk/archipelago/config"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// site is a region that is looked at. It is one goroutine's.
type site struct {
	doctor
	region config.Region
	// here and primary are the settings of clients for the region and for the primary
	// one, where the tables and their stack are.
	here, primary aws.Config
	known         map[string]knownStack
}

// knownStack is what was found out of a stack.
type knownStack struct {
	status types.StackStatus
	err    error
}

func (d doctor) site(ctx context.Context, region config.Region) (*site, error) {
	here, err := d.settings(ctx, region.Name)
	if err != nil {
		return nil, err
	}
	primary, err := d.settings(ctx, d.config.Regions[0].Name)
	if err != nil {
		return nil, err
	}
	return &site{doctor: d, region: region, here: here, primary: primary, known: map[string]knownStack{}}, nil
}

// again is the same site for another goroutine.
func (s *site) again() *site {
	other := *s
	other.known = maps.Clone(s.known)
	return &other
}

func (s *site) names() config.Names { return s.config.Names() }

// isPrimary reports whether the stacks of all regions are here.
func (s *site) isPrimary() bool { return s.region.Name == s.config.Regions[0].Name }

// lostError is that of a call which is not made, since its region is lost.
type lostError string

func (region lostError) Error() string { return string(region) + " is lost" }

// stack returns a stack's status, in the region of settings, or "" where there is
// none or the CDK CLI makes it again: one whose creation failed, or that has only a
// change set. Source: aws-cdk-cli, deploy-stack.ts and "isCreationFailure".
func (s *site) stack(ctx context.Context, settings aws.Config, name string) (types.StackStatus, error) {
	if known, ok := s.known[name]; ok {
		return known.status, known.err
	}
	if slices.ContainsFunc(s.config.Regions, func(r config.Region) bool { return r.Lost && r.Name == settings.Region }) {
		return "", lostError(settings.Region)
	}
	var known knownStack
	out, err := cloudformation.NewFromConfig(settings).DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	switch {
	case refusedWith(err, "ValidationError") && strings.Contains(err.Error(), "does not exist"):
	case err != nil:
		known.err = err
	case !slices.Contains([]types.StackStatus{
		types.StackStatusRollbackComplete, types.StackStatusRollbackFailed,
		types.StackStatusReviewInProgress, types.StackStatusDeleteComplete,
	}, out.Stacks[0].StackStatus):
		known.status = out.Stacks[0].StackStatus
	}
	s.known[name] = known
	return known.status, known.err
}

// s3 is a client whose addresses an emulator's host has, too.
func (s *site) s3() *s3.Client {
	return s3.NewFromConfig(s.here, func(o *s3.Options) { o.UsePathStyle = s.here.BaseEndpoint != nil })
}

// regionStack returns the status of the region's stack, as stack does.
func (s *site) regionStack(ctx context.Context) (types.StackStatus, error) {
	return s.stack(ctx, s.here, s.names().RegionStack(s.region.Name))
}

// resources returns the physical ids of a stack's resources of one type, in the region of
// settings, by their logical ids.
func (s *site) resources(ctx context.Context, settings aws.Config, stack, resourceType string) (map[string]string, error) {
	ids := map[string]string{}
	pages := cloudformation.NewListStackResourcesPaginator(cloudformation.NewFromConfig(settings), &cloudformation.ListStackResourcesInput{StackName: &stack})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range page.StackResourceSummaries {
			if aws.ToString(r.ResourceType) == resourceType {
				ids[aws.ToString(r.LogicalResourceId)] = aws.ToString(r.PhysicalResourceId)
			}
		}
	}
	return ids, nil
}

// parameters returns the values of those of Systems Manager that there are, by their
// names.
func (s *site) parameters(ctx context.Context, names ...string) (map[string]string, error) {
	values := map[string]string{}
	for some := range slices.Chunk(names, 10) { // as many as a call takes
		out, err := ssm.NewFromConfig(s.here).GetParameters(ctx, &ssm.GetParametersInput{Names: some})
		if err != nil {
			return nil, err
		}
		for _, p := range out.Parameters {
			values[aws.ToString(p.Name)] = aws.ToString(p.Value)
		}
	}
	return values, nil
}
