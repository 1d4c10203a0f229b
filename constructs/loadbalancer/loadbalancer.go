// Package loadbalancer gives an island its Application Load Balancer.
package loadbalancer

import (
	"github.com/archipelago-cdk/archipelago/constructs/domain"
	"github.com/archipelago-cdk/archipelago/constructs/network"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Props configure a LoadBalancer.
type Props struct {
	// Name is its name, by which its metrics are found in other regions; another
	// one if Public changes, since that replaces it. Default: CloudFormation's.
	Name string
	// Network is where it stands. Required.
	Network *network.Network
	// Public gives it public addresses. Default: false, it is reached through an
	// accelerator or in the network.
	Public bool
	// Sources are the address ranges that users come from. Default: any.
	Sources []string
	// Domain is the name it answers to over TLS. Default: none, it answers over
	// HTTP alone.
	Domain domain.Domain
	// LogsBucket is the name of the bucket that takes its access logs; the
	// bucket must let it write. Default: none, there are no access logs.
	LogsBucket string
	// Protect forbids its deletion. Default: false.
	Protect bool
	// Port is the TCP port of the targets. Required.
	Port int
	// HealthPath is the path on which a target answers 200 while it can serve.
	// Required.
	HealthPath string
}

// LoadBalancer takes an island's requests to its fleet.
type LoadBalancer struct {
	// ALB is the load balancer itself. Further target groups are placed below it,
	// so that they are replaced with it.
	ALB elb.ApplicationLoadBalancer
	// Listener takes users' requests to Targets; what is to go elsewhere has a
	// rule there.
	Listener elb.ApplicationListener
	// Targets is the group that the fleet joins.
	Targets elb.ApplicationTargetGroup
	// SecurityGroup is what the fleet admits.
	SecurityGroup awsec2.ISecurityGroup
	// HealthPath is where a target says that it can serve.
	HealthPath string
	// URL is its address.
	URL string
}

const (
	httpPort  = 80
	httpsPort = 443
)

// Ports are the TCP ports on which users' requests arrive.
func Ports(d domain.Domain) []int {
	if d.Set() {
		return []int{httpPort, httpsPort}
	}
	return []int{httpPort}
}

// New creates a LoadBalancer.
func New(scope constructs.Construct, id string, props Props) *LoadBalancer {
	this := constructs.NewConstruct(scope, &id)
	securityGroup := awsec2.NewSecurityGroup(this, jsii.String("SecurityGroup"), &awsec2.SecurityGroupProps{
		Vpc:              props.Network.VPC,
		Description:      jsii.String("Load balancer, open to users on its listeners"),
		AllowAllOutbound: jsii.Bool(false),
	})
	for _, peer := range peers(props.Sources) {
		for _, port := range Ports(props.Domain) {
			securityGroup.AddIngressRule(peer, awsec2.Port_Tcp(jsii.Number(port)), jsii.String("users"), nil)
		}
	}
	alb := elb.NewApplicationLoadBalancer(this, jsii.String(albID(props.Public)), &elb.ApplicationLoadBalancerProps{
		Vpc:                     props.Network.VPC,
		VpcSubnets:              props.Network.LoadBalancer,
		InternetFacing:          &props.Public,
		SecurityGroup:           securityGroup,
		DeletionProtection:      &props.Protect,
		DropInvalidHeaderFields: jsii.Bool(true),
		// A connection stays where it is when a zone or an island is left, so it
		// is not kept for AWS's hour. Source: ARC Developer Guide, "Best practices
		// for zonal shifts".
		ClientKeepAlive: awscdk.Duration_Minutes(jsii.Number(5)),
	})
	if props.Name != "" {
		alb.Node().DefaultChild().(elb.CfnLoadBalancer).SetName(&props.Name)
	}
	alb.SetAttribute(jsii.String("zonal_shift.config.enabled"), jsii.String("true"))
	if props.LogsBucket != "" {
		alb.SetAttribute(jsii.String("access_logs.s3.enabled"), jsii.String("true"))
		alb.SetAttribute(jsii.String("access_logs.s3.bucket"), &props.LogsBucket)
	}
	alb.Node().DefaultChild().Node().AddDependency(props.Network.Internet)
	targets := elb.NewApplicationTargetGroup(alb, jsii.String("Targets"), &elb.ApplicationTargetGroupProps{
		Vpc:        props.Network.VPC,
		TargetType: elb.TargetType_INSTANCE,
		Protocol:   elb.ApplicationProtocol_HTTP,
		Port:       jsii.Number(props.Port),
		HealthCheck: &elb.HealthCheck{
			Path:                    &props.HealthPath,
			HealthyHttpCodes:        jsii.String("200"),
			Interval:                awscdk.Duration_Seconds(jsii.Number(5)),
			Timeout:                 awscdk.Duration_Seconds(jsii.Number(2)),
			HealthyThresholdCount:   jsii.Number(2),
			UnhealthyThresholdCount: jsii.Number(2),
		},
		DeregistrationDelay:        awscdk.Duration_Seconds(jsii.Number(30)),
		LoadBalancingAlgorithmType: elb.TargetGroupLoadBalancingAlgorithmType_LEAST_OUTSTANDING_REQUESTS,
	})
	balancer := &LoadBalancer{ALB: alb, Targets: targets, SecurityGroup: securityGroup, HealthPath: props.HealthPath}
	balancer.listen(this, props)
	return balancer
}

// peers are who may connect. An accelerator keeps the client's address, so an
// internal load balancer behind one sees the world too.
func peers(sources []string) []awsec2.IPeer {
	if len(sources) == 0 {
		return []awsec2.IPeer{awsec2.Peer_AnyIpv4()}
	}
	var all []awsec2.IPeer
	for _, cidr := range sources {
		all = append(all, awsec2.Peer_Ipv4(&cidr))
	}
	return all
}

// albID is the id of the load balancer, below which are its target groups. A
// group belongs to one load balancer, so one that is replaced, because Public
// changed, needs other groups than the existing one until the update ends
// (github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/780).
func albID(public bool) string {
	if public {
		return "PublicAlb"
	}
	return "Alb"
}

// listen takes users' requests to the targets: over HTTPS, to which HTTP
// redirects, where there is a domain.
func (l *LoadBalancer) listen(scope constructs.Construct, props Props) {
	http := &elb.BaseApplicationListenerProps{
		Port:     jsii.Number(httpPort),
		Protocol: elb.ApplicationProtocol_HTTP,
		// The security group says who may come in.
		Open: jsii.Bool(false),
	}
	targets := &[]elb.IApplicationTargetGroup{l.Targets}
	if !props.Domain.Set() {
		http.DefaultTargetGroups = targets
		l.Listener = l.ALB.AddListener(jsii.String("Http"), http)
		l.URL = "http://" + *l.ALB.LoadBalancerDnsName()
		return
	}
	http.DefaultAction = elb.ListenerAction_Redirect(&elb.RedirectOptions{
		Protocol:  jsii.String("HTTPS"),
		Port:      jsii.String("443"),
		Permanent: jsii.Bool(true),
	})
	l.ALB.AddListener(jsii.String("Http"), http)
	l.Listener = l.ALB.AddListener(jsii.String("Https"), &elb.BaseApplicationListenerProps{
		Port:                jsii.Number(httpsPort),
		Protocol:            elb.ApplicationProtocol_HTTPS,
		Certificates:        &[]elb.IListenerCertificate{elb.ListenerCertificate_FromCertificateManager(props.Domain.Certificate(scope))},
		SslPolicy:           elb.SslPolicy_TLS13_12_RES_PQ, // TLS 1.3, and 1.2 with forward secrecy
		Open:                jsii.Bool(false),
		DefaultTargetGroups: targets,
	})
	l.URL = "https://" + *l.ALB.LoadBalancerDnsName()
}
