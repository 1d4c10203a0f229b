"""What the local cloud asks of the emulator beside AWS's own calls, as JSON:

GET  /archipelago/accepted   resources that were accepted, not emulated
GET  /archipelago/fleet      instances, load balancers and endpoint groups
GET  /archipelago/refreshes  the last instance refresh of each group
GET  /archipelago/health     what the load balancers last said, as below
PUT  /archipelago/health     {instance id: "healthy" or "unhealthy"}
"""

import json

from . import fleet, groups, models


PREFIX = "/archipelago/"


def wrap(app):
    """Answer the paths above and leave all others to app."""

    def wrapped(environ, start_response):
        path = environ.get("PATH_INFO", "")
        if not path.startswith(PREFIX):
            return app(environ, start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        answer = ANSWERS[path.removeprefix(PREFIX)](body)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(answer).encode()]

    return wrapped


def accepted(_):
    return [
        {"type": r.resource_type, "id": r.physical_resource_id, "region": r.region, "properties": r.properties}
        for r in list(models.accepted.values())
    ]


def health(body):
    if body:
        groups.report(json.loads(body))
    return dict(groups.health)


ANSWERS = {
    "accepted": accepted,
    "fleet": fleet.fleet,
    "refreshes": lambda _: list(groups.refreshes.values()),
    "health": health,
}
