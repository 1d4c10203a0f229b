"""Resources whose creation or update fails once, where a test wants it: before
anything has happened, when all has, of a table between it and its replicas, or when a
rollback updates it back."""

from . import settings

BEFORE, BETWEEN, AFTER, BACK = "before", "between", "after", "back"


# CONTROL_PLANES are the regions that those of global services are in. Source: AWS Fault
# Isolation Boundaries, "Global services".
CONTROL_PLANES = {"IAM": "us-east-1", "Route53": "us-east-1", "GlobalAccelerator": "us-west-2"}


def reach_control_plane(resource_type):
    """Fail where a resource's control plane is lost (rule 17)."""
    service = resource_type.split("::")[1]
    if settings.lost(CONTROL_PLANES.get(service, "")):
        raise RuntimeError(f"the control plane of {service} in {CONTROL_PLANES[service]} does not answer")


class Failed(RuntimeError):
    """A creation has failed. resource is what there is of it, to be deleted, or None."""

    def __init__(self, reason, resource=None):
        super().__init__(reason)
        self.resource = resource


def due(stack, logical_id, when):
    """Whether a resource fails here, which it does once. stack is an ARN."""
    for wanted in settings.get("failAt"):
        if (wanted["stack"], wanted["resource"], wanted["when"]) == (stack.split("/")[1], logical_id, when):
            settings.get("failAt").remove(wanted)
            return True
    return False


def fail(logical_id, when, resource=None):
    raise Failed(f"{logical_id} fails {when} its effect, as a test wants it", resource)


def at(stack, logical_id, when, resource=None):
    """Fail where that is due."""
    if due(stack, logical_id, when):
        fail(logical_id, when, resource)
