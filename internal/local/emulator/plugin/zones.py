"""Zonal shifts, which moto lacks: which zone traffic is kept away from, by an operator or
by a practice run of zonal autoshift."""

import json
import re
import urllib.parse

from moto.autoscaling.models import FakeAutoScalingGroup, autoscaling_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.elbv2.models import elbv2_backends

from . import models, patches, permissions
from .clock import Refused, clock

AUTOSHIFT = "AWS::ARCZonalShift::ZonalAutoshiftConfiguration"

# shifts are those that were started and not cancelled, by the resource's ARN.
shifts: dict[str, dict] = {}

# How long a shift lasts: minutes or hours. Source: ARC Zonal Shift API Reference,
# "StartZonalShift".
LASTS = re.compile("^([1-9][0-9]*)(m|h)$")
UNITS = {"m": 60, "h": 3600}
# PRACTISED is how long a practice run lasts.
PRACTISED = 30 * 60


def install():
    models.emulated[AUTOSHIFT] = Autoshift
    patches.replace(FakeAutoScalingGroup, has_cfn_attr=classmethod(lambda cls, name: name == "AutoScalingGroupARN"))
    patches.add(FakeAutoScalingGroup, get_cfn_attribute=lambda self, name: self.arn)
    clock.every(60, judge)


class Autoshift(models.Generic):
    """One of a load balancer that has zonal shift on, or of a group (rule R31)."""

    resource_type = AUTOSHIFT
    account_id = ""

    @classmethod
    def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        properties = cloudformation_json["Properties"]
        if not managed(account_id, region_name, properties["ResourceIdentifier"]):
            raise ValueError(f"ResourceNotFoundException: ARC manages no resource {properties['ResourceIdentifier']}")
        made = super().create_from_cloudformation_json(resource_name, cloudformation_json, account_id, region_name, **kwargs)
        made.account_id = account_id
        for arn in made.alarms():
            if not made.alarm(arn):
                made.delete(account_id, region_name)
                raise ValueError(f"ValidationException: there is no alarm {arn} in {region_name}")
        return made

    def alarms(self):
        return [a["AlarmIdentifier"] for a in self.properties["PracticeRunConfiguration"]["OutcomeAlarms"]]

    def alarm(self, arn):
        return next((a for a in cloudwatch_backends[self.account_id][self.region].alarms.values() if a.alarm_arn == arn), None)

    def states(self):
        return [a.state_value for a in map(self.alarm, self.alarms()) if a]


def autoshifts():
    return [a for a in list(models.accepted.values()) if isinstance(a, Autoshift)]


def managed(account_id, region, arn):
    """Whether ARC knows a resource: by its whole ARN, without a wildcard."""
    balancer = elbv2_backends[account_id][region].load_balancers.get(arn)
    if balancer:
        return balancer.attrs.get("zonal_shift.config.enabled") == "true"
    return any(g.arn == arn for g in autoscaling_backends[account_id][region].autoscaling_groups.values())


def start_practice_run(body):
    """Begin a practice run of a resource (rule R31), as AWS does each week."""
    asked = json.loads(body)
    autoshift = next((a for a in autoshifts() if a.properties["ResourceIdentifier"] == asked["resource"]), None)
    if not autoshift or autoshift.properties["ZonalAutoshiftStatus"] != "ENABLED":
        raise Refused(f"{asked['resource']} has no zonal autoshift")
    if active(asked["resource"]) or any(s != "OK" for s in autoshift.states()):
        raise Refused(f"a practice run of {asked['resource']} is not started: its alarms are {autoshift.states()}")
    shifts[asked["resource"]] = shift_of(asked["resource"], asked["awayFrom"], PRACTISED, "Practice run") | {
        "practiceRunOutcome": "PENDING", "shiftType": "PRACTICE_RUN",
    }
    return {}


def judge():
    """End the practice runs whose time is over, or whose outcome alarm is in ALARM (rule
    R31)."""
    for autoshift in autoshifts():
        shift = shifts.get(autoshift.properties["ResourceIdentifier"], {})
        if shift.get("practiceRunOutcome") != "PENDING":
            continue
        if "ALARM" in autoshift.states():
            shift["practiceRunOutcome"], shift["expiryTime"] = "FAILED", clock.seconds()
        elif clock.seconds() >= shift["expiryTime"]:
            shift["practiceRunOutcome"] = "SUCCEEDED"


def shift_of(arn, zone, seconds, comment):
    start = clock.seconds()
    return {
        "zonalShiftId": arn.rsplit("/", 1)[1],
        "resourceIdentifier": arn,
        "awayFrom": zone,
        "appliedStatus": "APPLIED",
        "startTime": start,
        "expiryTime": start + seconds,
        "comment": comment,
    }


def active(arn):
    """The shift of a resource that is under way, or None."""
    shift = shifts.get(arn)
    return shift if shift and clock.seconds() < shift["expiryTime"] else None


def answer(method, path, body, authorization):
    """Answer a call of ARC zonal shift: GetManagedResource, StartZonalShift,
    CancelZonalShift and ListZonalShifts. Returns a status and an answer."""
    if method == "POST" and path == "/zonalshifts":
        asked = json.loads(body)
        arn = asked["resourceIdentifier"]
        lasts = LASTS.match(asked.get("expiresIn", ""))
        if not lasts:
            return 400, {"message": f"expiresIn: want minutes or hours, such as 90m or 2h, got {asked.get('expiresIn')!r}"}
        shifts[arn] = shift_of(arn, asked["awayFrom"], int(lasts[1]) * UNITS[lasts[2]], asked.get("comment", ""))
        return 201, {"status": "ACTIVE"} | shifts[arn]
    if method == "GET" and path == "/zonalshifts":
        return 200, {"items": [s | {"status": "ACTIVE" if active(arn) else "EXPIRED"} for arn, s in shifts.items()]}
    if method == "DELETE" and path.startswith("/zonalshifts/"):
        for arn in [a for a, s in shifts.items() if s["zonalShiftId"] == path.rsplit("/", 1)[1]]:
            return 200, {"status": "CANCELED"} | shifts.pop(arn)
    if method == "GET" and path.startswith("/managedresources/"):
        arn = urllib.parse.unquote(path.removeprefix("/managedresources/"))
        if not permissions.may_ask_for_shifts(authorization, arn):
            return 403, {"__type": "AccessDeniedException", "message": f"not authorized to perform: arc-zonal-shift:GetManagedResource for {arn}"}
        shifted = [s for s in [active(arn)] if s]
        return 200, {"arn": arn, "appliedWeights": {}, "zonalShifts": shifted, "autoshifts": []}
    return 404, {"message": "there is no such call here"}
