"""Load balancers: what moto leaves out of them, their target groups and listeners."""

from moto.acm.models import acm_backends
from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.models import ELBv2Backend, FakeLoadBalancer, FakeTargetGroup, elbv2_backends
from moto.s3.models import s3_backends

from . import groups, keys, patches

_create_group = FakeTargetGroup.create_from_cloudformation_json.__func__
_create_balancer = FakeLoadBalancer.create_from_cloudformation_json.__func__
_balancer_attribute = FakeLoadBalancer.get_cfn_attribute
_delete_balancer = ELBv2Backend.delete_load_balancer
_new_balancer = ELBv2Backend.create_load_balancer
_new_listener = ELBv2Backend.create_listener
_modify_listener = ELBv2Backend.modify_listener

# WITHOUT are the zones that have no load balancers (rule R44), by their ids.
WITHOUT = ("usw1-az2", "apne1-az3", "cac1-az3")

# LOGS and LOG_BUCKET are the attributes of access logs.
LOGS, LOG_BUCKET = "access_logs.s3.enabled", "access_logs.s3.bucket"

# FREE is how many addresses of a subnet a load balancer wants.
FREE = 8


def install():
    patches.replace(
        FakeTargetGroup,
        create_from_cloudformation_json=classmethod(create_group),
        has_cfn_attr=classmethod(lambda cls, name: name == "TargetGroupFullName"),
    )
    patches.replace(FakeTargetGroup, health_for=health_for)
    patches.add(FakeTargetGroup, get_cfn_attribute=group_attribute)
    patches.replace(
        FakeLoadBalancer,
        create_from_cloudformation_json=classmethod(create_balancer),
        update_from_cloudformation_json=classmethod(update_balancer),
        get_cfn_attribute=balancer_attribute,
    )
    patches.replace(
        ELBv2Backend, create_load_balancer=new_balancer, delete_load_balancer=delete_balancer,
        create_listener=new_listener, modify_listener=modify_listener,
    )


def create_group(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
    """Register the targets that the template names, as a function's group does."""
    group = _create_group(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)
    group.register(cloudformation_json["Properties"].get("Targets", []))
    return group


_health_for = FakeTargetGroup.health_for


def health_for(self, target, ec2_backend):
    """What load balancers last said of an instance; to moto all are healthy."""
    told = _health_for(self, target, ec2_backend)
    if told.status == "healthy" and told.instance_id.startswith("i-"):
        told.status = groups.health.get(told.instance_id, "initial")
        if told.status == "initial":
            told.reason, told.description = "Elb.RegistrationInProgress", "Target registration is in progress"
        elif told.status == "unhealthy":
            told.reason, told.description = "Target.FailedHealthChecks", "Health checks failed"
    return told


def group_attribute(self, name):
    """The full name, a dimension of the group's metrics."""
    return self.arn.rsplit(":", 1)[1]


def create_balancer(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
    refuse_log_bucket(account_id, attributes(cloudformation_json), {})
    balancer = _create_balancer(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)
    return set_attributes(balancer, cloudformation_json)


def update_balancer(cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name):
    refuse_log_bucket(account_id, attributes(cloudformation_json), original_resource.attrs)
    return set_attributes(original_resource, cloudformation_json)


def attributes(cloudformation_json):
    return {a["Key"]: str(a["Value"]).lower() for a in cloudformation_json["Properties"].get("LoadBalancerAttributes", [])}


def set_attributes(balancer, cloudformation_json):
    balancer.attrs.update(attributes(cloudformation_json))
    return balancer


def refuse_log_bucket(account_id, wanted, has):
    """Rule R45: access logs go to no bucket that encrypts by KMS. It is asked when they
    are switched on."""
    s3, name = s3_backends[account_id]["aws"], wanted.get(LOG_BUCKET)
    if wanted.get(LOGS) == "true" and (has.get(LOGS), has.get(LOG_BUCKET)) != ("true", name) and name in s3.buckets:
        if keys.of_bucket(s3, name)[0] != "AES256":
            raise ELBClientError("InvalidConfigurationRequest", f"Access Denied for bucket: {name}. Please check S3bucket permission")


def new_balancer(self, name, security_groups, subnet_ids, subnet_mappings=None, scheme="internet-facing", **kwargs):
    """Refuse subnets that a load balancer does not take (rules R19 and R44)."""
    subnets = [self.ec2_backend.get_subnet(s) for s in subnet_ids]
    if without := [s.availability_zone for s in subnets if s.availability_zone_id in WITHOUT]:
        raise ELBClientError(
            "ValidationError",
            f"The following Availability Zones {', '.join(without)} cannot be associated with a load balancer. Please try a different Availability Zone.",
        )
    if len({s.availability_zone for s in subnets}) < len(subnets):
        raise ELBClientError("InvalidConfigurationRequest", "A load balancer cannot be attached to multiple subnets in the same Availability Zone")
    for s in subnets:
        if s.available_ip_address_count < FREE:
            raise ELBClientError(
                "InvalidSubnet", f"Not enough IP space available in {s.id}. ELB requires at least {FREE} free IP addresses in each subnet."
            )
        if scheme != "internal" and not gateway(self.ec2_backend, s.vpc_id):
            raise ELBClientError("InvalidSubnet", f"VPC {s.vpc_id} has no internet gateway")
    return _new_balancer(self, name, security_groups, subnet_ids, subnet_mappings, scheme or "internet-facing", **kwargs)


def gateway(ec2, vpc_id):
    return any(g.vpc and g.vpc.id == vpc_id for g in ec2.internet_gateways.values())


def refuse_without_gateway(account_id, arn):
    """Rule R20: an accelerator has no load balancer whose VPC has no internet gateway. That
    this is found out when its endpoint group is made is not documented."""
    if ":loadbalancer/" in arn:
        elb = elbv2_backends[account_id][arn.split(":")[3]]
        if not gateway(elb.ec2_backend, elb.load_balancers[arn].vpc_id):
            raise ValueError(f"InvalidArgumentException: the VPC of {arn} has no internet gateway")


def refuse_zones(account_id, arn):
    """Rule R44b: an accelerator has no endpoint in these zones. That its endpoint group is
    refused is not documented."""
    if ":loadbalancer/" in arn:
        elb = elbv2_backends[account_id][arn.split(":")[3]]
        if without := [s.availability_zone_id for s in elb.load_balancers[arn].subnets if s.availability_zone_id in WITHOUT]:
            raise ValueError(f"InvalidArgumentException: {arn} is in {', '.join(without)}, where Global Accelerator has no endpoints")


def new_listener(self, load_balancer_arn, protocol, port, ssl_policy, certificate, *args, **kwargs):
    refuse_certificate(self, certificate)
    return _new_listener(self, load_balancer_arn, protocol, port, ssl_policy, certificate, *args, **kwargs)


def modify_listener(self, arn, port=None, protocol=None, ssl_policy=None, certificates=None, actions=None):
    for certificate in certificates or []:
        refuse_certificate(self, certificate["CertificateArn"])
    return _modify_listener(self, arn, port, protocol, ssl_policy, certificates, actions)


def refuse_certificate(elb, arn):
    """Rule R21: a listener has a certificate of its region that is issued."""
    if not arn or ":acm:" not in arn:
        return
    if arn.split(":")[3] != elb.region_name:
        raise ELBClientError("ValidationError", f"Certificate ARN '{arn}' is not valid")
    certificate = acm_backends[elb.account_id][elb.region_name]._certificates.get(arn)
    if not certificate:
        raise ELBClientError("CertificateNotFound", f"Certificate '{arn}' not found")
    certificate.check()
    if certificate.status != "ISSUED":
        raise ELBClientError(
            "UnsupportedCertificate", f"The certificate '{arn}' must have a fully-qualified domain name, a supported signature, and a supported key size."
        )


def delete_balancer(self, arn):
    """Refuse to delete a protected one."""
    if arn in self.load_balancers and self.load_balancers[arn].attrs["deletion_protection.enabled"] == "true":
        raise ELBClientError("OperationNotPermitted", f"Load balancer '{arn}' cannot be deleted because deletion protection is enabled")
    _delete_balancer(self, arn)


def balancer_attribute(self, name):
    """Also what a record points at, and the full name, a dimension of the metrics."""
    if name == "CanonicalHostedZoneID":
        return "Z32O12XQLNTSW2"
    if name == "LoadBalancerFullName":
        return self.arn.split(":loadbalancer/")[1]
    return _balancer_attribute(self, name)
