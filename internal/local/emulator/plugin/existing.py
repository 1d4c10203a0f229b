"""What exists before a deployment, which its configuration names: networks, keys and
hosted zones, whose ids moto chooses by chance, and certificates."""

import ipaddress
import json
import threading

from moto.acm.models import CertBundle, acm_backends
from moto.ec2 import utils
from moto.ec2.models import ec2_backends, subnets, vpcs
from moto.kms.models import kms_backends
from moto.route53.models import route53_backends

from . import keys, patches
from .clock import Refused

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
    """Make what is not there yet, and return it; or nothing of what cannot be made."""
    for network in existing["networks"] or []:
        known = [z.name for z in ec2_backends[account][network["region"]].describe_availability_zones()]
        for subnet, zone in network["subnets"].items():
            if zone not in known:
                raise Refused(f"{subnet} is in {zone}, which {network['region']} does not have: it has {', '.join(known)}")
    for arn, name in (existing["certificates"] or {}).items():
        region = arn.split(":")[3]
        certificates = acm_backends[account][region]._certificates
        if arn not in certificates:
            certificates[arn] = CertBundle.generate_cert(name, account, region)
            certificates[arn].arn, certificates[arn].status = arn, "ISSUED"
    for arn in existing["keys"] or []:
        make_key(account, arn)
    for zone in existing["zones"] or []:
        made = route53_backends[account]["aws"]
        if zone["id"] not in made.zones:
            new = made.create_hosted_zone(f"{zone['name']}.", zone["private"])
            made.zones[zone["id"]] = made.zones.pop(new.resource_id)
            new.resource_id = zone["id"]
    for network in existing["networks"] or []:
        ec2 = ec2_backends[account][network["region"]]
        if network["id"] not in ec2.vpcs:
            _asked.id = network["id"]
            ec2.create_vpc(network["cidr"])
            gateway = ec2.create_internet_gateway().id
            ec2.attach_internet_gateway(gateway, network["id"])
            main = next(t for t in ec2.route_tables.values() if t.vpc_id == network["id"] and t.main_association_id)
            ec2.create_route(main.id, "0.0.0.0/0", gateway_id=gateway)
        for subnet, zone in sorted(network["subnets"].items()):
            there = ec2.describe_subnets(filters={"vpc-id": network["id"]})
            if subnet not in [s.id for s in there]:
                _asked.id = subnet
                ec2.create_subnet(network["id"], str(unused(network["cidr"], there)), availability_zone=zone)
    return existing


def make_key(account, arn):
    """Make a key that the account's policies may allow the use of, and Auto Scaling uses."""
    region, name = arn.split(":")[3], arn.rsplit("/", 1)[1]
    made = kms_backends[account][region].keys
    if name in made:
        return
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "kms:*", "Resource": "*"}
        for principal in (f"arn:aws:iam::{account}:root", keys.auto_scaling(account))
    ]
    key = kms_backends[account][region].create_key(json.dumps({"Version": "2012-10-17", "Statement": statements}), "ENCRYPT_DECRYPT", "", "", None)
    made[name] = made.pop(key.id)
    key.id, key.arn = name, arn


def unused(cidr, there):
    """A part of a range in which no subnet is."""
    whole = ipaddress.ip_network(cidr)
    parts = whole.subnets(prefixlen_diff=PARTS.bit_length() - 1)
    return next(part for part in parts if not any(part.overlaps(subnet.cidr) for subnet in there))
