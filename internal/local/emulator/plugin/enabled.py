"""Regions that an account has not enabled: no service there knows its credentials (rule
11b), and EC2 tells elsewhere which those are.

Sources: AWS Account Management Reference Guide, "Enable or disable AWS Regions in your
account"; Amazon EC2 API Reference, "Common client errors", AuthFailure; and the answers of
other services, as they are told in ekristen/aws-nuke, issue 774.
"""

import copy
import json

from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend

from . import patches, settings

INVALID = "The security token included in the request is invalid."

_describe_regions = RegionsAndZonesBackend.describe_regions


def refusal(environ, region, service):
    """How a service refuses a call in a region that is not enabled: a status, headers and
    a body, or None where it does not."""
    if region not in settings.get("notEnabled"):
        return None
    if service == "ec2":
        return "401 Unauthorized", [], xml("Response><Errors", "AuthFailure", "AWS was not able to validate the provided access credentials")
    if service == "s3":
        return "403 Forbidden", [], f"<Error><Code>InvalidToken</Code><Message>{INVALID}</Message></Error>"
    if environ.get("HTTP_X_AMZ_TARGET") or service == "lambda":
        code = "UnrecognizedClientException"
        return "400 Bad Request", [("x-amzn-errortype", code)], json.dumps({"__type": code, "message": INVALID})
    return "403 Forbidden", [], xml("ErrorResponse", "InvalidClientTokenId", INVALID)


def xml(around, code, message):
    """An error of a query protocol, within elements."""
    first, *rest = around.split("><")
    opened, closed = "".join(f"<{name}>" for name in (first, *rest)), "".join(f"</{name}>" for name in (*reversed(rest), first))
    return f"{opened}<Error><Code>{code}</Code><Message>{message}</Message></Error>{closed}"


def describe_regions(self, region_names=None):
    found = [copy.copy(region) for region in _describe_regions(self, region_names)]
    for region in found:
        if region.name in settings.get("notEnabled"):
            region.opt_in_status = "not-opted-in"
    return found


def install():
    patches.replace(RegionsAndZonesBackend, describe_regions=describe_regions)
