// Package loadbalancer gives an island its Application Load Balancer.
package loadbalancer

import (
	"fmt"
	"strconv"

	"github.com/archipelago-cdk/archipelago/constructs/internal/required"
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscertificatemanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	elb "github.com/aws/aws-cdk-go/awscdk/v2/awselasticloadbalancingv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsroute53"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Props configure a LoadBalancer.
type Props struct {
	// Name is its name, by which its metrics are found in other regions; another
	// one if Public changes, since that replaces it. Default: CloudFormation's.
	Name string
	// VPC is where it stands. Required.
	VPC awsec2.IVpc `required:"true"`
	// Subnets are those of VPC that it stands in. Default: the public ones if Public,
	// else the private ones.
	Subnets *awsec2.SubnetSelection
	// DependsOn are what has to be there before it, such as the VPC's internet gateway
	// where an accelerator leads to it. Default: none.
	DependsOn []constructs.IDependable
	// Public gives it public addresses. Default: false, it is reached through an
	// accelerator or in the network.
	Public bool
	// Sources are the address ranges that users come from. Default: any.
	Sources []string
	// Certificate has it answer over HTTPS, to which HTTP redirects. Default: one for
	// Host; without a Host it answers over HTTP alone.
	Certificate awscertificatemanager.ICertificate
	// Host is the name that a new certificate is for. That is proved by a record in
	// Zone, the same one for every region; the first deployment waits for it, for
	// minutes. Default: none.
	Host string
	// Zone is the public hosted zone that Host is in. Required with Host, unless there
	// is a Certificate.
	Zone awsroute53.IHostedZone
	// LogsBucket takes its access logs, and must let it write, as that of package
	// logs does. Default: none, there are no access logs.
	LogsBucket awss3.IBucket
	// WAFFailOpen lets requests pass while AWS WAF does not answer, which else get 500.
	// Default: false.
	WAFFailOpen bool
	// Port is the TCP port of the targets. Required.
	Port int `required:"true"`
	// HealthPath is the path on which a target answers 200 while it can serve.
	// Required.
	HealthPath string `required:"true"`
}

// LoadBalancer takes an island's requests to its fleet.
type LoadBalancer struct {
	// Construct holds all of it.
	Construct constructs.Construct
	// ALB is the load balancer itself. Further target groups are placed below it,
	// so that they are replaced with it.
	ALB elb.ApplicationLoadBalancer
	// Listener takes users' requests to TargetGroup; what is to go elsewhere has a
	// rule there.
	Listener elb.ApplicationListener
	// TargetGroup is what the fleet joins.
	TargetGroup elb.ApplicationTargetGroup
	// URL is its address.
	URL string
}

const (
	httpPort  = 80
	httpsPort = 443
)

// Ports are the TCP ports on which users' requests arrive, over TLS or not.
func Ports(tls bool) []int {
	if tls {
		return []int{httpPort, httpsPort}
	}
	return []int{httpPort}
}

// New creates a LoadBalancer. It panics with one sentence if props cannot work.
func New(scope constructs.Construct, id string, props *Props) *LoadBalancer {
	required.Check("loadbalancer", props)
	this := constructs.NewConstruct(scope, &id)
	if props.Host != "" && props.Zone == nil && props.Certificate == nil {
		panic(fmt.Sprintf("loadbalancer: want a Zone that proves the certificate for the Host %s, or a Certificate", props.Host))
	}
	securityGroup := awsec2.NewSecurityGroup(this, jsii.String("SecurityGroup"), &awsec2.SecurityGroupProps{
		Vpc:              props.VPC,
		Description:      jsii.String("Load balancer, open to users on its listeners"),
		AllowAllOutbound: jsii.Bool(false),
	})
	for _, peer := range peers(props.Sources) {
		for _, port := range Ports(props.tls()) {
			securityGroup.AddIngressRule(peer, awsec2.Port_Tcp(jsii.Number(port)), jsii.String("users"), nil)
		}
	}
	var name *string
	if props.Name != "" {
		name = &props.Name
	}
	alb := elb.NewApplicationLoadBalancer(this, jsii.String(albID(props.Public)), &elb.ApplicationLoadBalancerProps{
		LoadBalancerName: name,
		Vpc:              props.VPC,
		VpcSubnets:       props.Subnets,
		InternetFacing:   &props.Public,
		SecurityGroup:    securityGroup,
		// It would be in the way of CloudFormation's own: of the rollback of a first
		// deployment, and of a replacement.
		DeletionProtection:      jsii.Bool(false),
		DropInvalidHeaderFields: jsii.Bool(true),
		// A connection stays where it is when a zone or an island is left, so it
		// is not kept for AWS's hour. Source: ARC Developer Guide, "Best practices
		// for zonal shifts".
		ClientKeepAlive: awscdk.Duration_Minutes(jsii.Number(5)),
	})
	// An attribute that a template leaves out stays as it was, so CDK's WafFailOpen cannot
	// be switched off. Source: API_ModifyLoadBalancerAttributes of Elastic Load Balancing.
	alb.SetAttribute(jsii.String("waf.fail_open.enabled"), jsii.String(strconv.FormatBool(props.WAFFailOpen)))
	alb.SetAttribute(jsii.String("zonal_shift.config.enabled"), jsii.String("true"))
	alb.SetAttribute(jsii.String("access_logs.s3.enabled"), jsii.String(strconv.FormatBool(props.LogsBucket != nil)))
	if props.LogsBucket != nil {
		alb.SetAttribute(jsii.String("access_logs.s3.bucket"), props.LogsBucket.BucketName())
	}
	alb.Node().DefaultChild().Node().AddDependency(props.DependsOn...)
	targets := elb.NewApplicationTargetGroup(alb, jsii.String("Targets"), &elb.ApplicationTargetGroupProps{
		Vpc:        props.VPC,
		TargetType: elb.TargetType_INSTANCE,
		Protocol:   elb.ApplicationProtocol_HTTP,
		Port:       jsii.Number(props.Port),
		HealthCheck: &elb.HealthCheck{
			Path:             &props.HealthPath,
			HealthyHttpCodes: jsii.String("200"),
			Interval:         awscdk.Duration_Seconds(jsii.Number(5)),
			// An instance whose one CPU is busy with thousands of requests answers late,
			// and is not to be replaced while its fleet has too few: docs/figures.md.
			Timeout:                 awscdk.Duration_Seconds(jsii.Number(4)),
			HealthyThresholdCount:   jsii.Number(2),
			UnhealthyThresholdCount: jsii.Number(2),
		},
		DeregistrationDelay:        awscdk.Duration_Seconds(jsii.Number(30)),
		LoadBalancingAlgorithmType: elb.TargetGroupLoadBalancingAlgorithmType_LEAST_OUTSTANDING_REQUESTS,
	})
	// Requests go to unhealthy instances too only where none is healthy: a share would
	// send them to instances that boot, whenever the fleet grows fast. No zone leaves
	// the DNS earlier, since an accelerator leads here. Source: Elastic Load Balancing,
	// "Target group health".
	for _, action := range []string{"dns_failover", "unhealthy_state_routing"} {
		targets.SetAttribute(jsii.String("target_group_health."+action+".minimum_healthy_targets.count"), jsii.String("1"))
		targets.SetAttribute(jsii.String("target_group_health."+action+".minimum_healthy_targets.percentage"), jsii.String("off"))
	}
	balancer := &LoadBalancer{Construct: this, ALB: alb, TargetGroup: targets}
	balancer.listen(this, props)
	return balancer
}

// tls reports whether there is a certificate.
func (p *Props) tls() bool { return p.Certificate != nil || p.Host != "" }

func certificate(scope constructs.Construct, props *Props) awscertificatemanager.ICertificate {
	if props.Certificate != nil {
		return props.Certificate
	}
	return awscertificatemanager.NewCertificate(scope, jsii.String("Certificate"), &awscertificatemanager.CertificateProps{
		DomainName: &props.Host,
		Validation: awscertificatemanager.CertificateValidation_FromDns(props.Zone),
	})
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
// redirects, where there is a certificate.
func (l *LoadBalancer) listen(scope constructs.Construct, props *Props) {
	http := &elb.BaseApplicationListenerProps{
		Port:     jsii.Number(httpPort),
		Protocol: elb.ApplicationProtocol_HTTP,
		// The security group says who may come in.
		Open: jsii.Bool(false),
	}
	targets := &[]elb.IApplicationTargetGroup{l.TargetGroup}
	if !props.tls() {
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
		Certificates:        &[]elb.IListenerCertificate{elb.ListenerCertificate_FromCertificateManager(certificate(scope, props))},
		SslPolicy:           elb.SslPolicy_TLS13_12_RES_PQ, // TLS 1.3, and 1.2 with forward secrecy
		Open:                jsii.Bool(false),
		DefaultTargetGroups: targets,
	})
	l.URL = "https://" + *l.ALB.LoadBalancerDnsName()
}
