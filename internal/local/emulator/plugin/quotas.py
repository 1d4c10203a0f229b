"""What an account and a zone have not: Lambda's concurrency, EC2's vCPUs, VPCs, addresses,
instance types and capacity, as settings.py has them; and the calls that tell of it, which
moto lacks."""

import json

from moto.awslambda.exceptions import InvalidParameterValueException
from moto.awslambda.models import LambdaBackend
from moto.awslambda.responses import LambdaResponse
from moto.awslambda.urls import url_paths
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import ec2_backends
from moto.ec2.models.availability_zones_and_regions import Zone
from moto.ec2.models.elastic_ip_addresses import ElasticAddressBackend
from moto.ec2.models.instance_types import INSTANCE_TYPES, InstanceTypeOfferingBackend
from moto.ec2.models.vpcs import VPCBackend
from moto.servicequotas.models import ServiceQuotasBackend
from moto.ssm.models import ssm_backends

from . import patches, settings

# Lambda's default quota, and how many of its executions no function may reserve; with a
# lower quota all of them.
CONCURRENCY, UNRESERVED = 1000, 100

_create_function = LambdaBackend.create_function
_put_concurrency = LambdaBackend.put_function_concurrency
_offerings = InstanceTypeOfferingBackend.describe_instance_type_offerings
_create_vpc = VPCBackend.create_vpc
_allocate_address = ElasticAddressBackend.allocate_address
_get_quota = ServiceQuotasBackend.get_service_quota

# What is told where an account has no limit here.
UNLIMITED = 1_000_000

# EC2's default quotas of VPCs and of Elastic IP addresses, which are enforced where a test
# sets them. Source: Service Quotas, "VPCs per Region" and "EC2-VPC Elastic IPs".
VPCS = ADDRESSES = 5


def install():
    patches.replace(LambdaBackend, create_function=create_function, put_function_concurrency=put_function_concurrency)
    patches.replace(InstanceTypeOfferingBackend, describe_instance_type_offerings=offerings)
    patches.replace(VPCBackend, create_vpc=create_vpc)
    patches.replace(ElasticAddressBackend, allocate_address=allocate_address)
    patches.replace(ServiceQuotasBackend, get_service_quota=get_quota)
    patches.add(Zone, zone_id=property(zone_id))
    patches.add(LambdaResponse, get_account_settings=get_account_settings)
    url_paths["{0}/(?P<api_version>[^/]+)/account-settings/?$"] = LambdaResponse.dispatch


def zone_id(self):
    """Which of the region's zones is behind an account's letter."""
    return settings.get("zoneIds").get(self.name, vars(self)["zone_id"])


def get_quota(self, service_code, quota_code):
    """Answer those that settings.py has, and of others what moto knows."""
    known = {
        ("ec2", "L-1216C47A"): settings.get("vcpus") or UNLIMITED,
        ("ec2", "L-0263D0A3"): settings.get("addresses") or ADDRESSES,
        ("vpc", "L-F678F1CE"): settings.get("vpcs") or VPCS,
        ("lambda", "L-B99A9384"): settings.get("concurrency") or CONCURRENCY,
    }
    value = known.get((service_code, quota_code))
    if value is None:
        return _get_quota(self, service_code, quota_code)
    return {"ServiceCode": service_code, "QuotaCode": quota_code, "Value": float(value)}


def create_vpc(self, *args, **kwargs):
    """Rule 11: refuse one more than the quota allows."""
    if 0 < settings.get("vpcs") <= len(self.vpcs):
        raise EC2ClientError("VpcLimitExceeded", "The maximum number of VPCs has been reached.")
    return _create_vpc(self, *args, **kwargs)


def allocate_address(self, *args, **kwargs):
    """Rule 11: refuse one more than the quota allows."""
    if 0 < settings.get("addresses") <= len(self.addresses):
        raise EC2ClientError("AddressLimitExceeded", "The maximum number of addresses has been reached.")
    return _allocate_address(self, *args, **kwargs)


def get_account_settings(self):
    """Lambda's of this region. Source: AWS Lambda API Reference, "GetAccountSettings"."""
    quota = settings.get("concurrency") or CONCURRENCY
    return json.dumps(
        {"AccountLimit": {"ConcurrentExecutions": quota, "UnreservedConcurrentExecutions": quota - reserved(self.backend)}}
    )


def create_function(self, spec):
    reserve(self, spec.get("FunctionName"), spec.get("ReservedConcurrentExecutions"))
    return _create_function(self, spec)


def put_function_concurrency(self, function_name, reserved_concurrency):
    reserve(self, function_name, reserved_concurrency)
    return _put_concurrency(self, function_name, reserved_concurrency)


def reserve(backend, name, wanted):
    """Rule 2b: refuse what leaves too few executions to functions that reserve none."""
    if wanted is None:
        return
    quota = settings.get("concurrency") or CONCURRENCY
    least = min(UNRESERVED, quota)
    if quota - reserved(backend, name) - int(wanted) < least:
        raise InvalidParameterValueException(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below"
            f" its minimum value of [{least}]."
        )


def reserved(backend, but=None):
    """How many executions functions reserve, one of them left out."""
    return sum(int(f.reserved_concurrency or 0) for f in backend.list_functions() if f.function_name != but)


def refusal(account, region, zone, instance_type):
    """Why EC2 would not run an instance (rules 6c and 10), or ""."""
    if instance_type in settings.get("notOffered").get(zone, []):
        return (
            f"Your requested instance type ({instance_type}) is not supported in your requested Availability Zone ({zone})."
            " Launching EC2 instance failed."
        )
    if instance_type in settings.get("noCapacity").get(zone, []):
        return (
            f"We currently do not have sufficient {instance_type} capacity in the Availability Zone you requested ({zone})."
            " Launching EC2 instance failed. (InsufficientInstanceCapacity)"
        )
    limit = settings.get("vcpus")
    if limit and running(ec2_backends[account][region]) + vcpus(instance_type) > limit:
        return (
            f"You have requested more vCPU capacity than your current vCPU limit of {limit} allows for the instance bucket"
            " that the specified instance type belongs to. Launching EC2 instance failed. (VcpuLimitExceeded)"
        )
    return ""


# IMAGES is where Systems Manager names AWS's images, each of which ends in what it is for.
IMAGES = "/aws/service/ami-amazon-linux-latest/"


def mismatch(account, region, image, instance_type):
    """Why EC2 would not run an image on a type of another architecture (rule R26), or "".
    Of images only those are known that Systems Manager names."""
    supported = INSTANCE_TYPES.get(instance_type, {}).get("ProcessorInfo", {}).get("SupportedArchitectures", [])
    parameters = ssm_backends[account][region]._parameters
    parameters._check_loading_status(IMAGES)
    names = (name for name, versions in list(parameters.items()) if name.startswith(IMAGES) and versions[-1].value == image)
    wanted = next(names, "").rpartition("-")[2]
    if not supported or not wanted or wanted in supported:
        return ""
    return (
        f"The architecture '{','.join(supported)}' of the specified instance type does not match the architecture '{wanted}'"
        " of the specified AMI. Specify an instance type and an AMI that have matching architectures, and try again."
        " Launching EC2 instance failed. (InvalidParameterValue)"
    )


def running(ec2):
    every = (i for r in ec2.reservations.values() for i in r.instances)
    return sum(vcpus(getattr(i, "launched_from", ("", i.instance_type))[1]) for i in every if i.state == "running")


def vcpus(instance_type):
    return INSTANCE_TYPES.get(instance_type, {}).get("VCpuInfo", {}).get("DefaultVCpus", 0)


def offerings(self, location_type=None, filters=None):
    """Leave out what a zone does not have."""
    lacking = settings.get("notOffered")
    return [o for o in _offerings(self, location_type, filters) if o["InstanceType"] not in lacking.get(o["Location"], [])]
