"""What the local cloud asks of the emulator beside AWS's own calls, as JSON:

GET  /archipelago/accepted   resources that were accepted, not emulated
GET  /archipelago/alarms     every alarm: its state, and why nothing evaluates it
GET  /archipelago/fleet      instances, functions, load balancers and endpoint groups
GET  /archipelago/resources  everything that the account holds
GET  /archipelago/status     what the local cloud reported last, as below
PUT  /archipelago/status     {"deployment": the number below that it follows,
                              "health": {instance id or function ARN: "healthy" or "unhealthy"},
                              "url": the way in, "regions": {region: URL of its load balancer},
                              "starting": [instance id], "booted": [instance id],
                              "refused": {instance id or function ARN: why it could not run on AWS}}
PUT  /archipelago/usage      what ran since the last time, as in usage.py
PUT  /archipelago/printed    a line with metrics that a function printed, as in usage.py
PUT  /archipelago/deployed   [regions], the nearest first; answers the deployment's number
PUT  /archipelago/broken     [instance type, ...], which fail at their first boot from now on
PUT  /archipelago/failing    {region: [service, ...]}, which answer 503 from now on
GET  /archipelago/clock      the time, and the gears by which the clock came there
PUT  /archipelago/advance    seconds by which the clock jumps: clock.py has its gears
PUT  /archipelago/pace       how many seconds pass on it in one of the machine's
PUT  /archipelago/load       a load client's name, while which is registered the clock does not jump
PUT  /archipelago/unload     the same, to end that
PUT  /archipelago/existing   {"networks": [{"region", "id", "cidr", "subnets": {id: zone}}],
                              "certificates": {ARN: name}, "keys": [ARN],
                              "zones": [{"id", "name", "private"}]}, which exist from now on
PUT  /archipelago/settings   those of settings.py, all others get their defaults; GET tells them
PUT  /archipelago/practiceRun  {"resource": ARN, "awayFrom": zone id}, a practice run to begin
PUT  /archipelago/invocations  the invocations of functions that are due, each once
PUT  /archipelago/failed     {"id": one of them, which failed}
PUT  /archipelago/response/  as a response URL ends, what a custom resource's function answers
PUT  /archipelago/custom-resources
                             "Create", "Update" or "Delete", with which every custom resource with a
                             role is invoked again; answers what failed
"""

import http
import json
import re
import urllib.parse

from moto.core.models import DEFAULT_ACCOUNT_ID

from . import buckets, customs, enabled, entries, evaluation, existing, fleet, groups, inventory, models, played, reach, settings, usage, zones
from .clock import Refused, clock


PREFIX = "/archipelago/"
RESPONSE = PREFIX + "response/"


def wrap(app):
    """Answer the paths above and leave all others to app."""

    def wrapped(environ, start_response):
        path = environ.get("PATH_INFO", "")
        if not path.startswith(PREFIX):
            if fails(environ):
                start_response("503 Service Unavailable", [("Content-Length", "0")])
                return []
            _, region, service = scope_of(environ)
            if refused := enabled.refusal(environ, region, service):
                body = refused[2].encode()
                start_response(refused[0], [*refused[1], ("Content-Length", str(len(body)))])
                return [body]
            if service == "arc-zonal-shift":
                status, answer = zones.answer(environ["REQUEST_METHOD"], path, read(environ), environ.get("HTTP_AUTHORIZATION", ""))
            elif service == "globalaccelerator":
                operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
                status, answer = entries.answer(operation, json.loads(read(environ)))
            else:
                return app(environ, start_response)
        elif path.startswith(RESPONSE):
            status, answer = played.respond(path.removeprefix(RESPONSE), read(environ))
        else:
            try:
                status, answer = 200, ANSWERS[path.removeprefix(PREFIX)](read(environ))
            except Refused as e:
                status, answer = 409, {"message": str(e)}
        answered = json.dumps(answer).encode()
        start_response(f"{status} {http.HTTPStatus(status).phrase}", [("Content-Type", "application/json"), ("Content-Length", str(len(answered)))])
        return [answered]

    return wrapped


def accepted(_):
    return [
        {"type": r.resource_type, "id": r.physical_resource_id, "region": r.region, "properties": r.properties}
        for r in list(models.accepted.values())
    ]


_status = {"deployment": 0, "health": {}, "url": "", "regions": {}, "starting": [], "booted": [], "refused": {}}


def status(body):
    if body:
        _status.update(json.loads(body))
        groups.report(_status["health"], _status["booted"] or [])
    return _status


def used(body):
    usage.report(json.loads(body))
    return {}


def printed(body):
    usage.take_printed(json.loads(body))
    return {}


def deployed(body):
    if body:
        fleet.deployment += 1
        fleet.regions = json.loads(body)
    return fleet.deployment


# CONTROL_PLANES are the regions that global services are in, whatever a call of theirs is
# signed for. Global Accelerator is not among them: it takes no call of another region.
CONTROL_PLANES = {"iam": "us-east-1", "route53": "us-east-1"}

# A signature's scope: key, date, region, service.
SCOPE = re.compile(r"Credential=([^/]*)/[^/]*/([^/]*)/([^/]*)/")


def scope_of(environ):
    """The key that a call is signed with, and the region and the service that it is signed
    for, in its header or, where it was signed before, in its query."""
    for signed in environ.get("HTTP_AUTHORIZATION", ""), urllib.parse.unquote(environ.get("QUERY_STRING", "")):
        if scope := SCOPE.search(signed):
            return scope.groups()
    return "", "", ""


def fails(environ):
    """Whether a call is to a region that is lost, or to a service that is made to fail
    there or that the instance that makes it does not reach: who follows a link that an
    instance signed is somewhere else. Clients sign a call of a global service for the
    region of its control plane, but where they are told another endpoint."""
    key, region, service = scope_of(environ)
    at = CONTROL_PLANES.get(service, region)
    if settings.lost(at) or service in fleet.failing.get(at, []):
        return True
    return "HTTP_AUTHORIZATION" in environ and reach.cut_off(key, region, service)


def read(environ):
    return environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))


def fail(body):
    fleet.failing = json.loads(body)
    return fleet.failing


def turn(gear):
    """An answer that has the clock do something, and is the clock as it is then."""

    def answer(body):
        gear(json.loads(body))
        return clock.describe()

    return answer


def broken(body):
    fleet.broken = json.loads(body)
    return fleet.broken


def invoke_custom_resources(body):
    failures = []
    for resource in list(customs.made):
        if isinstance(resource, (customs.EmptyBucket, played.Played)):
            continue  # makes no calls here, or would take what others still need
        try:
            resource.again(json.loads(body))
        except Exception as e:
            failures.append(f"{resource.physical_resource_id}: {e}")
    return failures


def set_up(body):
    if not body:
        return settings.describe()
    answer = settings.replace(json.loads(body))
    buckets.catch_up()
    return answer


def make(body):
    return existing.make(DEFAULT_ACCOUNT_ID, json.loads(body))


ANSWERS = {
    "accepted": accepted,
    "alarms": lambda _: list(evaluation.describe(_)),
    "clock": lambda _: clock.describe(),
    "advance": turn(clock.advance),
    "pace": turn(clock.set_pace),
    "load": turn(clock.register),
    "unload": turn(clock.unregister),
    "custom-resources": invoke_custom_resources,
    "fleet": fleet.fleet,
    "resources": inventory.account_resources,
    "existing": make,
    "invocations": played.take,
    "settings": set_up,
    "status": status,
    "usage": used,
    "practiceRun": zones.start_practice_run,
    "printed": printed,
    "deployed": deployed,
    "broken": broken,
    "failing": fail,
}
