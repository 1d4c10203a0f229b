"""Resources whose creation or update fails once, where a test wants it: before
anything has happened, when all has, or, of a table, between it and its replicas."""

from . import settings

BEFORE, BETWEEN, AFTER = "before", "between", "after"


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
