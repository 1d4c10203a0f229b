package network

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// DeclareZones tells CDK which availability zones a Network in stack spans:
// those named, such as "eu-west-1a", or else the first count that AWS lists at
// deployment. It comes before anything is placed in stack. Without it CDK asks
// AWS for the zones at synth, which needs credentials.
func DeclareZones(stack awscdk.Stack, names []string, count int) {
	zones := jsii.Strings(names...)
	if len(names) == 0 {
		all := awscdk.Fn_GetAzs(nil)
		for i := range count {
			*zones = append(*zones, awscdk.Fn_Select(jsii.Number(i), all))
		}
	}
	key := fmt.Sprintf("availability-zones:account=%s:region=%s", *stack.Account(), *stack.Region())
	stack.Node().SetContext(&key, *zones)
}
