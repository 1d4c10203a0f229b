package fleet

import (
	_ "embed"
	"strings"

	"github.com/archipelago-cdk/archipelago/constructs/internal/watched"
	"github.com/archipelago-cdk/archipelago/internal/envfile"
	"github.com/archipelago-cdk/archipelago/internal/setting"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
)

// Pulse has each instance say every ten seconds, by an item of the first table that may
// be written, that Stores answer it: what a lighthouse that is given PulseGroup goes by.
// Without such a table there is none. What instances reach them by, such as the
// endpoints of the VPC, has to let them.
type Pulse struct {
	// Binary is the path of cmd/pulse, built as that of Service. Required.
	Binary string `required:"true"`
	// Stores are the lighthouse's. Required.
	Stores []Store `required:"true"`
}

// Store is a table or a bucket of the fleet's region.
type Store = watched.Store

//go:embed pulse.sh
var pulseScript string

// script starts the pulse, and lets role do what it takes. It is empty where no table
// may be written.
func (p *Pulse) script(scope constructs.Construct, props *Props, role awsiam.Role) string {
	if p == nil {
		return ""
	}
	table := watched.PulseTable(p.Stores)
	if table == nil {
		return ""
	}
	region := *awscdk.Stack_Of(scope).Region()
	for i := range p.Stores {
		switch s := &p.Stores[i]; {
		case s == table:
			s.GrantItem(role, setting.PulseItem(region), "dynamodb:GetItem", "dynamodb:UpdateItem")
		case s.Table != nil:
			s.GrantItem(role, setting.PulseItem(region), "dynamodb:GetItem")
		default:
			s.GrantObject(role, region, "s3:GetObject")
			s.GrantList(role)
		}
	}
	list := watched.Setting(p.Stores)
	if *awscdk.Token_IsUnresolved(list) {
		panic("fleet: Pulse.Stores: want names of tables and buckets that are known at synth, got tokens: what CloudFormation fills in cannot be quoted")
	}
	told, err := envfile.Line(setting.Watched, list)
	if err != nil {
		panic("fleet: Pulse.Stores: " + err.Error())
	}
	return strings.NewReplacer(
		"@PULSE_BINARY@", publish(scope, "Pulse", p.Binary, props, role),
		"@PULSE_ENVIRONMENT@", regionVariable+"="+region+"\n"+told,
	).Replace(pulseScript)
}
