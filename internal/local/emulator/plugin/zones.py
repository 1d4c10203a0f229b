"""Zonal shifts, which moto lacks: which zone traffic is kept away from."""

import json
import urllib.parse

from . import clock

# shifts are those that are under way, by the resource's ARN.
shifts: dict[str, dict] = {}


def answer(method, path, body):
    """Answer a call of ARC zonal shift: GetManagedResource, StartZonalShift and
    CancelZonalShift. Returns a status and an answer."""
    if method == "POST" and path == "/zonalshifts":
        asked = json.loads(body)
        arn = asked["resourceIdentifier"]
        shifts[arn] = {
            "zonalShiftId": arn.rsplit("/", 1)[1],
            "resourceIdentifier": arn,
            "awayFrom": asked["awayFrom"],
            "appliedStatus": "APPLIED",
            "startTime": clock.now().timestamp(),
            "expiryTime": clock.now().timestamp() + 3600,
            "comment": asked.get("comment", ""),
        }
        return 201, {"status": "ACTIVE"} | shifts[arn]
    if method == "DELETE" and path.startswith("/zonalshifts/"):
        for arn in [a for a, s in shifts.items() if s["zonalShiftId"] == path.rsplit("/", 1)[1]]:
            return 200, {"status": "CANCELED"} | shifts.pop(arn)
    if method == "GET" and path.startswith("/managedresources/"):
        arn = urllib.parse.unquote(path.removeprefix("/managedresources/"))
        shifted = [shifts[arn]] if arn in shifts else []
        return 200, {"arn": arn, "appliedWeights": {}, "zonalShifts": shifted, "autoshifts": []}
    return 404, {"message": "there is no such call here"}
