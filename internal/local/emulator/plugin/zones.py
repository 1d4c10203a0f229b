"""Zonal shifts, which moto lacks: which zone traffic is kept away from."""

import json
import re
import urllib.parse

from . import permissions
from .clock import clock

# shifts are those that were started and not cancelled, by the resource's ARN.
shifts: dict[str, dict] = {}

# How long a shift lasts: minutes or hours. Source: ARC Zonal Shift API Reference,
# "StartZonalShift".
LASTS = re.compile("^([1-9][0-9]*)(m|h)$")
UNITS = {"m": 60, "h": 3600}


def active(arn):
    """The shift of a resource that is under way, or None."""
    shift = shifts.get(arn)
    return shift if shift and clock.seconds() < shift["expiryTime"] else None


def answer(method, path, body, authorization):
    """Answer a call of ARC zonal shift: GetManagedResource, StartZonalShift and
    CancelZonalShift. Returns a status and an answer."""
    if method == "POST" and path == "/zonalshifts":
        asked = json.loads(body)
        arn = asked["resourceIdentifier"]
        lasts = LASTS.match(asked.get("expiresIn", ""))
        if not lasts:
            return 400, {"message": f"expiresIn: want minutes or hours, such as 90m or 2h, got {asked.get('expiresIn')!r}"}
        start = clock.seconds()
        shifts[arn] = {
            "zonalShiftId": arn.rsplit("/", 1)[1],
            "resourceIdentifier": arn,
            "awayFrom": asked["awayFrom"],
            "appliedStatus": "APPLIED",
            "startTime": start,
            "expiryTime": start + int(lasts[1]) * UNITS[lasts[2]],
            "comment": asked.get("comment", ""),
        }
        return 201, {"status": "ACTIVE"} | shifts[arn]
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
