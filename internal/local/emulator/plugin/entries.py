"""Entries: which load balancers users are sent to, by an accelerator or by the
records of a domain, and the certificates that a domain has."""

from moto.acm.models import acm_backends
from moto.core.common_models import CloudFormationModel
from moto.elbv2.models import elbv2_backends

from . import models, settings

ACCELERATOR = "AWS::GlobalAccelerator::Accelerator"
GROUP = "AWS::GlobalAccelerator::EndpointGroup"
LISTENER = "AWS::GlobalAccelerator::Listener"
RECORD = "AWS::Route53::RecordSet"


def install():
    models.emulated["AWS::CertificateManager::Certificate"] = Certificate
    models.emulated[LISTENER] = Listener
    # moto's own asks for a hosted zone, which exists before the deployment.
    models.emulated[RECORD] = type("Record", (models.Generic,), {"resource_type": RECORD})


class Listener(models.Generic):
    """One of an accelerator."""

    resource_type = LISTENER

    def delete(self, account_id, region_name):
        for r in models.of_type(GROUP):
            if r.properties["ListenerArn"] == self.physical_resource_id:
                raise ValueError(f"AssociatedEndpointGroupFoundException: the endpoint group of {r.region} is at {self.physical_resource_id}")
        super().delete(account_id, region_name)


class Certificate(CloudFormationModel):
    """One that is proved at once."""

    def __init__(self, arn):
        self.physical_resource_id = arn

    @staticmethod
    def cloudformation_name_type():
        return ""

    @staticmethod
    def cloudformation_type():
        return "AWS::CertificateManager::Certificate"

    @classmethod
    def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        return cls(
            acm_backends[account_id][region_name].request_certificate(
                domain_name=cloudformation_json["Properties"]["DomainName"],
                idempotency_token="",
                subject_alt_names=[],
                tags=[],
            )
        )

    def delete(self, account_id, region_name):
        acm_backends[account_id][region_name].delete_certificate(self.physical_resource_id)


def endpoint_groups():
    """The regions that take users, with their load balancers. To an accelerator and to
    DNS a lost region is one that is not healthy."""
    for r in list(models.accepted.values()):
        if settings.lost(r.region):
            continue
        if r.resource_type == GROUP and dial(r) > 0:
            yield {
                "region": r.properties["EndpointGroupRegion"],
                "loadBalancers": [c["EndpointId"] for c in r.properties.get("EndpointConfigurations", [])],
            }
        if r.resource_type == RECORD and "Region" in r.properties:
            yield {
                "region": r.properties["Region"],
                "loadBalancers": list(named(r.properties["AliasTarget"]["DNSName"])),
            }


# dialed are the traffic dials that a call has turned, by the endpoint group's ARN. They
# stay until the template has another one: CloudFormation changes what has changed in it.
dialed: dict[str, tuple[object, float]] = {}


def dial(group):
    said = group.properties.get("TrafficDialPercentage", 100)
    before, turned = dialed.get(group.physical_resource_id, (None, 0.0))
    return turned if before == said else float(said)


def answer(operation, asked):
    """Answer a call of Global Accelerator: what "Drain" in docs/operations.md takes.
    Returns a status and an answer."""
    if operation == "ListAccelerators":
        made = models.of_type(ACCELERATOR)
        return 200, {"Accelerators": [{"AcceleratorArn": a.physical_resource_id, "Name": a.properties["Name"]} for a in made]}
    if operation == "ListListeners":
        made = [r for r in models.of_type(LISTENER) if r.properties["AcceleratorArn"] == asked["AcceleratorArn"]]
        return 200, {"Listeners": [{"ListenerArn": r.physical_resource_id} for r in made]}
    if operation == "ListEndpointGroups":
        made = [r for r in models.of_type(GROUP) if r.properties["ListenerArn"] == asked["ListenerArn"]]
        return 200, {"EndpointGroups": [describe(r) for r in made]}
    if operation == "UpdateEndpointGroup":
        group = models.accepted.get(asked["EndpointGroupArn"])
        if not group or group.resource_type != GROUP:
            return 400, {"__type": "EndpointGroupNotFoundException", "message": asked["EndpointGroupArn"]}
        dialed[group.physical_resource_id] = group.properties.get("TrafficDialPercentage", 100), asked["TrafficDialPercentage"]
        return 200, {"EndpointGroup": describe(group)}
    return 400, {"__type": "InvalidArgumentException", "message": f"there is no {operation} here"}


def describe(group):
    return {
        "EndpointGroupArn": group.physical_resource_id,
        "EndpointGroupRegion": group.properties["EndpointGroupRegion"],
        "TrafficDialPercentage": dial(group),
    }


def named(dns_name):
    """The ARN of the load balancer that has a name."""
    for regions in list(elbv2_backends.values()):
        for backend in list(regions.values()):
            for balancer in list(backend.load_balancers.values()):
                if balancer.dns_name == dns_name:
                    yield balancer.arn
