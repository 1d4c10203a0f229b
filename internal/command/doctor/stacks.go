package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// stacks looks at the state of the region's stacks, in the order of their deployment.
func stacks(ctx context.Context, s *site) []Line {
	stacks := []string{s.names().StorageStack(s.region.Name)}
	if s.isPrimary() {
		stacks = append(stacks, s.names().GlobalStack(), s.names().EntryStack())
		if s.config.GitHub.Set() {
			stacks = append(stacks, s.names().GitHubStack())
		}
	}
	if !s.region.Retired {
		stacks = append(stacks, s.names().RegionStack(s.region.Name))
	}
	var lines []Line
	there := 0
	for _, name := range stacks {
		status, err := s.stack(ctx, s.here, name)
		if err != nil {
			return []Line{notLookedAt("the state of "+name, err)}
		}
		if status != "" {
			there++
		}
		switch {
		case status == types.StackStatusCreateFailed || status == types.StackStatusUpdateFailed:
			// The CLI asks whether to roll back first, and fails where nobody answers. Source:
			// AWS CloudFormation API Reference, "RollbackStack".
			lines = append(lines, fail("%s is %s, where cdk deploy --no-rollback leaves one: aws cloudformation rollback-stack --region %s --stack-name %[1]s takes it back to what was complete, or deletes it where nothing was", name, status, s.region.Name))
		case status == types.StackStatusUpdateRollbackFailed:
			lines = append(lines, fail("%s is %s: fix what its events say, and aws cloudformation continue-update-rollback --region %s --stack-name %[1]s", name, status, s.region.Name))
		case status == types.StackStatusDeleteFailed:
			lines = append(lines, fail("%s is %s: fix what its events say, and cdk destroy --exclusively %[1]s", name, status))
		case strings.HasSuffix(string(status), "_IN_PROGRESS"):
			lines = append(lines, fail("%s is %s: wait until it is not", name, status))
		}
	}
	if lines == nil {
		lines = append(lines, ok("%s", describe(len(stacks), there)))
	}
	return lines
}

func describe(all, there int) string {
	switch there {
	case 0:
		return fmt.Sprintf("%d to be made", all)
	case all:
		return fmt.Sprintf("%d at rest", all)
	}
	return fmt.Sprintf("%d at rest, %d to be made", there, all-there)
}

// switches looks at what a deployment takes as it finds it: the operator's switches and
// the instance type of an earlier fleet.
func switches(ctx context.Context, s *site) []Line {
	n := s.names()
	found, err := s.parameters(ctx, n.DrainParameter(), n.FrozenParameter(), n.InstanceTypeParameter())
	if err != nil {
		return []Line{notLookedAt("the operator's switches and the instance type", err)}
	}
	var lines []Line
	if found[n.DrainParameter()] == "true" {
		lines = append(lines, warn("it is drained: make drain REGION=%s OFF=1 brings its users back", s.region.Name))
	}
	if found[n.FrozenParameter()] == "true" {
		lines = append(lines, warn("its instance type is frozen: make freeze REGION=%s OFF=1 lets it change", s.region.Name))
	}
	// Of another architecture than the image, too: the deployment that brings the image
	// brings the type. cmd/scaler, TestTypeThatIsNoLongerARungIsLeft.
	if rung := found[n.InstanceTypeParameter()]; rung != "" && !slices.Contains(s.config.Fleet.Ladder, rung) {
		lines = append(lines, warn("%s has the instance type %s, and archipelago.fleet.ladder does not: the next build starts at %s again", n.InstanceTypeParameter(), rung, s.config.Fleet.StartAt))
	}
	if lines == nil {
		lines = append(lines, ok("neither drained nor frozen"))
	}
	return lines
}
