// Package waf gives an island's load balancer its web ACL of AWS WAF.
package waf

import (
	"github.com/archipelago-cdk/archipelago/constructs/internal/required"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awswafv2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Mode is what a rule does with the requests that it matches.
type Mode string

const (
	// Block refuses them. It is the default of every rule.
	Block Mode = "block"
	// Count lets them pass and counts them in CloudWatch.
	Count Mode = "count"
)

// Props configure a web ACL.
type Props struct {
	// LoadBalancer is what it stands in front of. Required.
	LoadBalancer elb.IApplicationLoadBalancer `required:"true"`
	// Common is the mode of AWS's rules against common attacks. Default: Block.
	Common Mode
	// BadInputs is the mode of AWS's rules against known exploits. Default: Block.
	BadInputs Mode
	// IPReputation is the mode of AWS's list of addresses that attack. Default:
	// Block.
	IPReputation Mode
	// Rate is the mode of the limit on an address's requests. Default: Block.
	Rate Mode
	// RateLimit is how many requests an address may make in five minutes.
	// Default: 10000.
	RateLimit int
}

// counted are the common rules that good requests break; they count in any mode, and
// the service has limits of its own. An uploaded image is larger than 8,192 bytes, and
// its metadata is XML; a query with names of other scripts, nine bytes for a letter,
// has more than 2,048; and cookies that an organization sets on its whole domain come
// to the service too, with more than 10,240. Source: AWS WAF Developer Guide, "Baseline
// rule groups".
var counted = []string{
	"SizeRestrictions_BODY", "CrossSiteScripting_BODY",
	"SizeRestrictions_QUERYSTRING", "SizeRestrictions_Cookie_HEADER",
}

// WebACL stands in front of a load balancer.
type WebACL struct {
	// Construct holds all of it.
	Construct constructs.Construct
	// ACL is the web ACL itself.
	ACL awswafv2.CfnWebACL
}

// New creates a web ACL and puts it in front of the load balancer. It samples
// requests and counts its rules in CloudWatch; what it did with each one is in
// the load balancer's access logs.
func New(scope constructs.Construct, id string, props *Props) *WebACL {
	required.Check("waf", props)
	this := constructs.NewConstruct(scope, &id)
	limit := props.RateLimit
	if limit == 0 {
		limit = 10_000
	}
	rate := rule(3, "Rate", &awswafv2.CfnWebACL_StatementProperty{
		RateBasedStatement: &awswafv2.CfnWebACL_RateBasedStatementProperty{
			AggregateKeyType: jsii.String("IP"),
			Limit:            jsii.Number(limit),
		},
	})
	if props.Rate == Count {
		rate.Action = &awswafv2.CfnWebACL_RuleActionProperty{Count: map[string]any{}}
	} else {
		rate.Action = &awswafv2.CfnWebACL_RuleActionProperty{Block: map[string]any{}}
	}
	acl := awswafv2.NewCfnWebACL(this, jsii.String("Acl"), &awswafv2.CfnWebACLProps{
		Description:      jsii.String("Web ACL of the load balancer"),
		Scope:            jsii.String("REGIONAL"),
		DefaultAction:    &awswafv2.CfnWebACL_DefaultActionProperty{Allow: map[string]any{}},
		VisibilityConfig: visibility("WebACL"),
		Rules: &[]any{
			managed(0, "IPReputation", "AWSManagedRulesAmazonIpReputationList", props.IPReputation),
			managed(1, "Common", "AWSManagedRulesCommonRuleSet", props.Common, counted...),
			managed(2, "BadInputs", "AWSManagedRulesKnownBadInputsRuleSet", props.BadInputs),
			rate,
		},
	})
	awswafv2.NewCfnWebACLAssociation(this, jsii.String("Association"), &awswafv2.CfnWebACLAssociationProps{
		ResourceArn: props.LoadBalancer.LoadBalancerArn(),
		WebAclArn:   acl.AttrArn(),
	})
	return &WebACL{Construct: this, ACL: acl}
}

// managed is a group of rules that AWS keeps; those in counted count in any mode.
func managed(priority int, name, group string, mode Mode, counted ...string) *awswafv2.CfnWebACL_RuleProperty {
	var overrides []any
	for _, c := range counted {
		overrides = append(overrides, &awswafv2.CfnWebACL_RuleActionOverrideProperty{
			Name:        &c,
			ActionToUse: &awswafv2.CfnWebACL_RuleActionProperty{Count: map[string]any{}},
		})
	}
	statement := &awswafv2.CfnWebACL_ManagedRuleGroupStatementProperty{VendorName: jsii.String("AWS"), Name: &group}
	if len(overrides) > 0 {
		statement.RuleActionOverrides = &overrides
	}
	r := rule(priority, name, &awswafv2.CfnWebACL_StatementProperty{ManagedRuleGroupStatement: statement})
	if mode == Count {
		r.OverrideAction = &awswafv2.CfnWebACL_OverrideActionProperty{Count: map[string]any{}}
	} else {
		r.OverrideAction = &awswafv2.CfnWebACL_OverrideActionProperty{None: map[string]any{}}
	}
	return r
}

func rule(priority int, name string, statement *awswafv2.CfnWebACL_StatementProperty) *awswafv2.CfnWebACL_RuleProperty {
	return &awswafv2.CfnWebACL_RuleProperty{
		Priority:         jsii.Number(priority),
		Name:             &name,
		Statement:        statement,
		VisibilityConfig: visibility(name),
	}
}

func visibility(name string) *awswafv2.CfnWebACL_VisibilityConfigProperty {
	return &awswafv2.CfnWebACL_VisibilityConfigProperty{
		CloudWatchMetricsEnabled: jsii.Bool(true),
		SampledRequestsEnabled:   jsii.Bool(true),
		MetricName:               &name,
	}
}
