"""Load balancers: what moto leaves out of them and their target groups."""

from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.models import ELBv2Backend, FakeLoadBalancer, FakeTargetGroup

from . import groups, patches

_create_group = FakeTargetGroup.create_from_cloudformation_json.__func__
_create_balancer = FakeLoadBalancer.create_from_cloudformation_json.__func__
_balancer_attribute = FakeLoadBalancer.get_cfn_attribute
_delete_balancer = ELBv2Backend.delete_load_balancer


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
    patches.replace(ELBv2Backend, delete_load_balancer=delete_balancer)


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
    balancer = _create_balancer(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)
    return set_attributes(balancer, cloudformation_json)


def update_balancer(cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name):
    return set_attributes(original_resource, cloudformation_json)


def set_attributes(balancer, cloudformation_json):
    for attribute in cloudformation_json["Properties"].get("LoadBalancerAttributes", []):
        balancer.attrs[attribute["Key"]] = str(attribute["Value"]).lower()
    return balancer


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
