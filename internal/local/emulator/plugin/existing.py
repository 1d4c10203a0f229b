"""What exists before a deployment, which its configuration names: networks, whose ids
moto chooses by chance, and certificates."""

import ipaddress
import threading

from moto.acm.models import CertBundle, acm_backends
from moto.ec2 import utils
from moto.ec2.models import ec2_backends, subnets, vpcs

from . import patches

_asked = threading.local()

# PARTS are how many subnets of one size a network is divided into.
PARTS = 16


def install():
    patches.replace(vpcs, random_vpc_id=or_asked(utils.random_vpc_id))
    patches.replace(subnets, random_subnet_id=or_asked(utils.random_subnet_id))


def or_asked(by_chance):
    """The id that this thread asks for next, or else one by chance."""
    return lambda: vars(_asked).pop("id", None) or by_chance()


def make(account, existing):
    """Make what is not there yet, and return it."""
    for arn, name in (existing["certificates"] or {}).items():
        region = arn.split(":")[3]
        certificates = acm_backends[account][region]._certificates
        if arn not in certificates:
            certificates[arn] = CertBundle.generate_cert(name, account, region)
            certificates[arn].arn, certificates[arn].status = arn, "ISSUED"
    for network in existing["networks"] or []:
        ec2 = ec2_backends[account][network["region"]]
        if network["id"] not in ec2.vpcs:
            _asked.id = network["id"]
            ec2.create_vpc(network["cidr"])
        for subnet, zone in sorted(network["subnets"].items()):
            there = ec2.describe_subnets(filters={"vpc-id": network["id"]})
            if subnet not in [s.id for s in there]:
                _asked.id = subnet
                ec2.create_subnet(network["id"], str(unused(network["cidr"], there)), availability_zone=zone)
    return existing


def unused(cidr, there):
    """A part of a range in which no subnet is."""
    whole = ipaddress.ip_network(cidr)
    parts = whole.subnets(prefixlen_diff=PARTS.bit_length() - 1)
    return next(part for part in parts if not any(part.overlaps(subnet.cidr) for subnet in there))
