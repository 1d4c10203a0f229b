"""Entries: which load balancers users are sent to, by an accelerator or by the
records of a domain, and the certificates that a domain has."""

from typing import Any

from moto.acm.models import acm_backends
from moto.core.common_models import CloudFormationModel
from moto.elbv2.models import elbv2_backends
from moto.route53.exceptions import Route53ClientError
from moto.route53.models import RecordSet, Route53Backend, route53_backends

from . import balancers, models, patches, settings

ACCELERATOR = "AWS::GlobalAccelerator::Accelerator"
GROUP = "AWS::GlobalAccelerator::EndpointGroup"
LISTENER = "AWS::GlobalAccelerator::Listener"
RECORD = "AWS::Route53::RecordSet"


def install():
    models.emulated["AWS::CertificateManager::Certificate"] = Certificate
    models.emulated[LISTENER] = Listener
    models.emulated[GROUP] = EndpointGroup
    models.emulated[RECORD] = Record
    patches.replace(Route53Backend, change_resource_record_sets=change_resource_record_sets)


class Record(models.Generic):
    """One of a hosted zone, which has it, too."""

    resource_type = RECORD

    @classmethod
    def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        properties = cloudformation_json["Properties"]
        zone = zone_of(account_id, properties["HostedZoneId"], properties["Name"])
        refuse_second(zone, RecordSet(properties))
        zone.upsert_rrset(properties)
        return super().create_from_cloudformation_json(resource_name, cloudformation_json, account_id, region_name, **kwargs)

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name
    ):
        original_resource.take_out(account_id)
        properties = cloudformation_json["Properties"]
        zone_of(account_id, properties["HostedZoneId"], properties["Name"]).upsert_rrset(properties)
        original_resource.properties = properties
        return original_resource

    def take_out(self, account_id):
        zone, mine = zone_of(account_id, self.properties["HostedZoneId"], self.properties["Name"]), identity(RecordSet(self.properties))
        zone.rrsets = [r for r in zone.rrsets if identity(r) != mine]

    def delete(self, account_id, region_name):
        self.take_out(account_id)
        super().delete(account_id, region_name)


def zone_of(account_id, zone_id, name):
    """The hosted zone of an id, to which a name has to belong (rule R18)."""
    zone = route53_backends[account_id]["aws"].get_hosted_zone(zone_id)
    refuse_another_zones(zone, name)
    return zone


def refuse_another_zones(zone, name):
    if not f".{name.rstrip('.')}.".endswith(f".{zone.name.rstrip('.')}."):
        raise ValueError(f"[RRSet with DNS name {name} is not permitted in zone {zone.name}] (InvalidChangeBatch)")


def identity(record):
    return record.name, record.type, record.set_identifier


def refuse_second(zone, record):
    """Rule R18: a record that exists is not made again, nor one beside it of the same name
    and type that has no routing policy, nor any beside a CNAME."""
    for r in zone.rrsets:
        same = r.type == record.type and (r.set_identifier == record.set_identifier or not r.set_identifier or not record.set_identifier)
        if r.name == record.name and (same or "CNAME" in (r.type, record.type)):
            raise ValueError(f"[Tried to create resource record set [name='{r.name}', type='{record.type}'] but it already exists] (InvalidChangeBatch)")


def values(record):
    """All that a record says."""
    alias = {"EvaluateTargetHealth": False, **record.alias_target} if record.alias_target else {}
    alias = {key: str(value).lower().rstrip(".") for key, value in alias.items()}
    policy = record.weight, record.region, record.failover, record.geo_location, record.multi_value_answer, record.health_check_id
    return identity(record), str(record.ttl or 0), sorted(record.records), alias, policy


def change_resource_record_sets(self, zoneid, change_list):
    """All changes or none. A record is deleted by all that it says, and by nothing less
    (rule R18)."""
    zone = self.get_hosted_zone(zoneid)
    before = list(zone.rrsets)
    try:
        for change in change_list:
            asked = dict(change["ResourceRecordSet"], Name=change["ResourceRecordSet"]["Name"].rstrip(".") + ".")
            asked["ResourceRecords"] = [r["Value"] for r in asked.get("ResourceRecords") or []]
            record: Any = RecordSet(asked)
            refuse_another_zones(zone, record.name)
            if change["Action"] == "CREATE":
                refuse_second(zone, record)
            elif change["Action"] == "DELETE" and values(record) not in map(values, zone.rrsets):
                raise ValueError(f"[Tried to delete resource record set [name='{record.name}', type='{record.type}'] but it was not found, or the values provided do not match the current values]")
            zone.rrsets = [r for r in zone.rrsets if identity(r) != identity(record)]
            zone.rrsets += [] if change["Action"] == "DELETE" else [record]
    except ValueError as e:
        zone.rrsets = before
        raise Route53ClientError("InvalidChangeBatch", str(e)) from None


class EndpointGroup(models.Generic):
    """An accelerator's in a region."""

    resource_type = GROUP

    @classmethod
    def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        for endpoint in cloudformation_json["Properties"].get("EndpointConfigurations", []):
            balancers.refuse_without_gateway(account_id, endpoint["EndpointId"])
            balancers.refuse_zones(account_id, endpoint["EndpointId"])
        return super().create_from_cloudformation_json(resource_name, cloudformation_json, account_id, region_name, **kwargs)


class Listener(models.Generic):
    """One of an accelerator."""

    resource_type = LISTENER

    def delete(self, account_id, region_name):
        for r in models.of_type(GROUP):
            if r.properties["ListenerArn"] == self.physical_resource_id:
                raise ValueError(f"AssociatedEndpointGroupFoundException: the endpoint group of {r.region} is at {self.physical_resource_id}")
        super().delete(account_id, region_name)


class Certificate(CloudFormationModel):
    """One that is proved at once, or, where its name is in no public zone that is
    delegated, never (rule R17). The three days that AWS waits for it are over at once
    here."""

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
        properties = cloudformation_json["Properties"]
        name, options = properties["DomainName"], properties.get("DomainValidationOptions", [])
        zones = [zone_of(account_id, o["HostedZoneId"], o["DomainName"]) for o in options if "HostedZoneId" in o]
        if any(f".{name}".endswith(f".{zone}") for zone in settings.get("notDelegated")) or any(z.private_zone for z in zones):
            raise ValueError(f"the certificate for {name} was not validated within 72 hours: VALIDATION_TIMED_OUT")
        acm = acm_backends[account_id][region_name]
        arn = acm.request_certificate(domain_name=name, idempotency_token="", subject_alt_names=[], tags=[])
        acm.get_certificate(arn).status = "ISSUED"
        return cls(arn)

    def delete(self, account_id, region_name):
        acm_backends[account_id][region_name].delete_certificate(self.physical_resource_id)


def endpoint_groups():
    """The regions that an accelerator or DNS knows, with their load balancers, whatever
    their dials: who fails over is sent there, too (rule 16)."""
    for r in list(models.accepted.values()):
        if r.resource_type == GROUP:
            yield {
                "region": r.properties["EndpointGroupRegion"],
                "loadBalancers": [c["EndpointId"] for c in r.properties.get("EndpointConfigurations", [])],
                "dial": dial(r),
                "lost": settings.lost(r.region),
                "record": False,
            }
    for backends in list(route53_backends.values()):
        for zone in list(backends["aws"].zones.values()):
            for r in zone.rrsets:  # those that a call has made, too, and none that one has deleted
                if r.region and r.alias_target:
                    yield {
                        "region": r.region,
                        "loadBalancers": list(named(r.alias_target["DNSName"].rstrip("."))),
                        "dial": 100,
                        "lost": settings.lost(r.region),
                        "record": True,  # rule 16c
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
