package cloud

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDiffIsTidy(t *testing.T) {
	const printed = `WARNING the image is AWS's latest (Annotation)
   archipelago-region-eu-west-1/Fleet constructs.Construct
   Acknowledge with 'Annotation::archipelago:unpinned-image'

WARNING the image is AWS's latest (Annotation)
   archipelago-region-us-east-1/Fleet constructs.Construct
   Acknowledge with 'Annotation::archipelago:unpinned-image'
Stack archipelago-global (aws://123456789012/eu-west-1)
There were no differences

Stack archipelago-storage-eu-west-1 (aws://123456789012/eu-west-1)
There were no differences

Stack archipelago-region-eu-west-1 (aws://123456789012/eu-west-1)
Resources
[~] AWS::EC2::LaunchTemplate Fleet/LaunchTemplate FleetLaunchTemplate3FC2FEAE
 └─ [~] LaunchTemplateData
     └─ [~] .UserData:
         └─ [~] .Fn::Base64:
             ├─ [-] #!/bin/bash
set -e
one
last

             └─ [+] #!/bin/bash
set -e
two
last

[~] AWS::AutoScaling::ScalingPolicy Fleet/Group/ScalingPolicyCpu FleetGroupScalingPolicyCpu384BCD1A
 └─ [~] TargetTrackingConfiguration
     └─ [~] .TargetValue:
         ├─ [-] 55
         └─ [+] 60



✨  Number of stacks with differences: 1

Supply a stack id (archipelago-global, …) to display its template.
`
	const want = `Stack archipelago-region-eu-west-1 (aws://123456789012/eu-west-1)
Resources
[~] AWS::EC2::LaunchTemplate Fleet/LaunchTemplate FleetLaunchTemplate3FC2FEAE
 └─ [~] LaunchTemplateData
     └─ [~] .UserData:
         └─ [~] .Fn::Base64:
             │  [-] one
             │  [+] two
[~] AWS::AutoScaling::ScalingPolicy Fleet/Group/ScalingPolicyCpu FleetGroupScalingPolicyCpu384BCD1A
 └─ [~] TargetTrackingConfiguration
     └─ [~] .TargetValue:
         ├─ [-] 55
         └─ [+] 60

✨  Number of stacks with differences: 1

no differences: archipelago-global, archipelago-storage-eu-west-1
warning: the image is AWS's latest (archipelago-region-eu-west-1/Fleet, archipelago-region-us-east-1/Fleet)
`
	if diff := cmp.Diff(want, tidy(printed)); diff != "" {
		t.Error(diff)
	}
}
