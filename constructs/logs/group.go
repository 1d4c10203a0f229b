package logs

import (
	"github.com/archipelago-cdk/archipelago/constructs/internal/required"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
)

// GroupProps configure a group of CloudWatch logs.
type GroupProps struct {
	// Name is the group's name. Required: other stacks have to know it.
	Name string `required:"true"`
	// Protect retains the group. Default: false, it is deleted with the stack.
	Protect bool
}

// NewGroup creates a group in which lines are kept for a month. Without any it
// costs nothing.
func NewGroup(scope constructs.Construct, id string, props *GroupProps) awslogs.LogGroup {
	required.Check("logs", props)
	return awslogs.NewLogGroup(scope, &id, &awslogs.LogGroupProps{
		LogGroupName:  &props.Name,
		Retention:     awslogs.RetentionDays_ONE_MONTH,
		RemovalPolicy: removal(props.Protect),
	})
}

// removal is what becomes of logs when their stack is deleted.
func removal(protect bool) awscdk.RemovalPolicy {
	if protect {
		return awscdk.RemovalPolicy_RETAIN
	}
	return awscdk.RemovalPolicy_DESTROY
}
