"""Everything that the account holds, to see what a deployment leaves behind."""

import sys

from moto.cloudformation.models import cloudformation_backends
from moto.cloudformation.parsing import get_model_map
from moto.core.base_backend import BackendDict, BaseBackend
from moto.core.common_models import BaseModel
from moto.iam.models import AccessKey
from moto.kms.models import Key
from moto.packages.boto.ec2.instance import Reservation

from . import models

# What AWS has made, keeps as a record, or ends by itself.
NOT_HELD = {"amis", "deleted_stacks", "assumed_roles", "metric_data"}


def account_resources(_):
    """A line for each resource of any service in any region that was deployed to."""
    get_model_map()  # a first stack loads every service
    for account, regions in list(cloudformation_backends.items()):
        for region in list(regions):
            for backends in loaded():
                if region in backends[account].regions:
                    backends[account][region]  # AWS's own, such as the default VPC, is there before anybody asks
    return sorted(
        [f"{r.resource_type} {r.region} {r.name}" for r in list(models.accepted.values())]
        + [
            f"{backends.service_name} {region} {attribute}{path}"
            for backends in loaded()
            for regions in list(backends.values())
            for region, backend in list(regions.items())
            for attribute, value in list(vars(backend).items())
            if attribute not in NOT_HELD
            for path in resources(value)
        ]
    )


def loaded():
    """The backends of every service that was asked for anything."""
    found = {}
    for name, module in list(sys.modules.items()):
        if name.startswith("moto.") and name.endswith(".models"):
            found |= {id(v): v for v in vars(module).values() if isinstance(v, BackendDict)}
    return found.values()


def resources(value):
    """The paths of the resources within what a backend keeps."""
    if isinstance(value, dict):
        for key, child in list(value.items()):
            if not str(key).startswith("/aws/"):  # a parameter of AWS's
                yield from (f"/{key}{path}" for path in resources(child))
    elif isinstance(value, (list, set, tuple)):
        for child in list(value):
            yield from resources(child)
    elif isinstance(value, Reservation):
        yield from (f"/{i.id}" for i in value.instances if i.state != "terminated")
    elif isinstance(value, AccessKey) or isinstance(value, Key) and any(a.startswith("alias/aws/") for a in value.aliases):
        return  # a session's; one with which AWS encrypts by default
    elif isinstance(value, BaseBackend):
        return  # listed by itself
    elif isinstance(value, BaseModel):
        yield ""
    elif type(value).__module__.startswith("moto."):
        yield from resources(vars(value))
