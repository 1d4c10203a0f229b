"""Load balancers: what moto leaves out of them and their target groups."""

from moto.elbv2.models import FakeLoadBalancer, FakeTargetGroup

_create_group = FakeTargetGroup.create_from_cloudformation_json.__func__
_balancer_attribute = FakeLoadBalancer.get_cfn_attribute


def install():
    FakeTargetGroup.create_from_cloudformation_json = classmethod(create_group)
    FakeTargetGroup.has_cfn_attr = classmethod(lambda cls, name: name == "TargetGroupFullName")
    FakeTargetGroup.get_cfn_attribute = group_attribute
    FakeLoadBalancer.get_cfn_attribute = balancer_attribute


def create_group(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
    """Register the targets that the template names, as a function's group does."""
    group = _create_group(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)
    group.register(cloudformation_json["Properties"].get("Targets", []))
    return group


def group_attribute(self, name):
    """The full name, a dimension of the group's metrics."""
    return self.arn.rsplit(":", 1)[1]


def balancer_attribute(self, name):
    """Also what a record points at, and the full name, a dimension of the metrics."""
    if name == "CanonicalHostedZoneID":
        return "Z32O12XQLNTSW2"
    if name == "LoadBalancerFullName":
        return self.arn.split(":loadbalancer/")[1]
    return _balancer_attribute(self, name)
