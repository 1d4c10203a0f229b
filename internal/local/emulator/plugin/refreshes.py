"""Instance refreshes, which moto lacks: new instances are launched before old ones
end, and a refresh that fails rolls back if it was told to.

Warm-up, checkpoints and bake time only wait, and are not waited for; the alarms
are looked at all the time.
"""

import copy
import threading
import traceback
import uuid

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.responses import AutoScalingResponse
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.responses import ActionResult

from . import groups, patches
from .clock import clock

# A refresh gives up on an instance that is not healthy after so many seconds, or
# after a boot's time. AWS gives up after an hour without progress.
HEALTHY_WITHIN = 90

# HEALTHY ends the wait for instances well; any other end is a reason to stop.
HEALTHY = "healthy"

ACTIVE = ("Pending", "InProgress", "Cancelling", "RollbackInProgress")


def install():
    patches.add(
        AutoScalingResponse,
        start_instance_refresh=start_instance_refresh,
        describe_instance_refreshes=describe_instance_refreshes,
        cancel_instance_refresh=cancel_instance_refresh,
        rollback_instance_refresh=rollback_instance_refresh,
    )


class InstanceRefreshInProgress(AutoscalingClientError):
    code = "InstanceRefreshInProgress"
    message = "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh."


class ActiveInstanceRefreshNotFound(AutoscalingClientError):
    code = "ActiveInstanceRefreshNotFound"
    message = "No in progress or pending Instance Refresh found."


class IrreversibleInstanceRefresh(AutoscalingClientError):
    code = "IrreversibleInstanceRefresh"
    message = "The Instance Refresh has no desired configuration to roll back from."


def of(group):
    """The group's refreshes, the latest first."""
    return group.__dict__.setdefault("refreshes", [])


def active(group):
    """The refresh that is under way, or None."""
    return next((r for r in of(group) if r.status in ACTIVE), None)


class Refresh:
    def __init__(self, backend, group, desired=None, preferences=None):
        self.backend, self.group, self.desired = backend, group, desired
        self.preferences = preferences or {}
        self.id = str(uuid.uuid4())
        self.status, self.reason, self.stop = "Pending", "", ""
        self.began, self.ended, self.rolled_back = clock.now(), None, None
        self.replaced, self.old = 0, []
        self.former = groups.policy_of(group)
        self.wanted = copy.deepcopy(desired["MixedInstancesPolicy"]) if desired else self.former
        self.skips = preferences and preferences.get("SkipMatching") in (True, "true")

    def start(self):
        with groups.launching:
            if active(self.group):
                raise InstanceRefreshInProgress()
            of(self.group).insert(0, self)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        if self.status == "Pending":
            self.status = "InProgress"
        self.old = [s for s in self.group.instance_states if not self.skips or not groups.matches(s, self.wanted)]
        failure = self.replace(self.wanted)
        if not failure:
            groups.adopt(self.group, self.wanted)
            self.end("Successful")
        elif self.status == "Cancelling":
            self.end("Cancelled", failure)
        elif self.desired and (self.preferences.get("AutoRollback") in (True, "true") or self.stop):
            self.status, self.reason, self.stop = "RollbackInProgress", failure, ""
            self.rolled_back = clock.now()
            self.old = [s for s in self.group.instance_states if not groups.matches(s, self.former)]
            again = self.replace(self.former, rolling_back=True)
            self.end("RollbackFailed" if again else "RollbackSuccessful", again or failure)
        else:
            self.end("Failed", failure)

    def end(self, status, reason=""):
        self.ended, self.reason = clock.now(), reason
        self.group.launches = None
        self.status = status

    def replace(self, policy, rolling_back=False):
        """Bring the group to policy. Returns why that failed, or ""."""
        self.group.launches = policy
        new = []
        try:
            while self.left():
                with groups.launching:
                    batch = self.left()[: self.surplus()]
                    new = groups.launch_pending(self.backend, self.group, len(batch))
                failure = self.await_healthy(new, rolling_back)
                if failure:
                    return failure
                with groups.launching:
                    groups.swap(self.backend, self.group, new, batch)
                new = []
            return self.stopped(rolling_back)
        except Exception as e:
            traceback.print_exc()
            return f"{type(e).__name__}: {e}"
        finally:
            for state in new:
                groups.terminate(self.backend, self.group, state.instance.id)

    def cancel(self, reason):
        if self.status in ("Pending", "InProgress"):
            self.status, self.stop = "Cancelling", reason

    def left(self):
        return [s for s in self.old if s in self.group.instance_states]

    def surplus(self):
        """How many instances may be there beyond the desired ones."""
        desired = self.group.desired_capacity
        return max(1, desired * int(self.preferences.get("MaxHealthyPercentage", 100)) // 100 - desired)

    def await_healthy(self, new, rolling_back):
        def waiting():
            return [
                s.instance.id
                for s in new
                if s in self.group.instance_states and groups.health.get(s.instance.id) != "healthy"
            ]

        def over():
            return self.stopped(rolling_back) if waiting() else HEALTHY

        within = clock.booting(HEALTHY_WITHIN)
        end = clock.wait_until(clock.seconds() + within, over)
        if not end:
            return f"{', '.join(waiting())} was not healthy within {within:g} s"
        return "" if end == HEALTHY else end

    def stopped(self, rolling_back):
        """Why the refresh may not go on, or "". Nothing but the group's end stops a
        rollback."""
        if self.group.name not in self.backend.autoscaling_groups:
            return "the group is gone"
        if rolling_back:
            return ""
        names = self.preferences.get("AlarmSpecification", {}).get("Alarms", [])
        alarms = cloudwatch_backends[self.group.account_id][self.group.region].alarms
        ringing = [n for n in names if n in alarms and alarms[n].state_value == "ALARM"]
        return f"the alarm {', '.join(ringing)} is in ALARM" if ringing else self.stop

    def describe(self):
        left = len(self.left())
        told = {
            "InstanceRefreshId": self.id,
            "AutoScalingGroupName": self.group.name,
            "Status": self.status,
            "StatusReason": self.reason or None,
            "StartTime": self.began,
            "EndTime": self.ended,
            "PercentageComplete": 100 if self.status == "Successful" else percent(self.old, left),
            "InstancesToUpdate": left,
            "Preferences": self.preferences,
            "DesiredConfiguration": self.desired,
            "Strategy": "Rolling",
        }
        if self.rolled_back:
            told["RollbackDetails"] = {
                "RollbackReason": self.reason,
                "RollbackStartTime": self.rolled_back,
                "PercentageCompleteOnRollback": percent(self.old, left),
                "InstancesToUpdateOnRollback": left,
            }
        return {name: value for name, value in told.items() if value is not None}


def percent(old, left):
    return 100 * (len(old) - left) // len(old) if old else 100


def group_of(response):
    name = response._get_param("AutoScalingGroupName")
    group = response.autoscaling_backend.autoscaling_groups.get(name)
    if not group:
        raise ValidationError(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
    return group


def start_instance_refresh(self):
    group = group_of(self)
    desired = self._get_param("DesiredConfiguration")
    if desired and "MixedInstancesPolicy" not in desired:
        raise ValidationError("The group has a mixed instances policy: the desired configuration needs one too.")
    refresh = Refresh(self.autoscaling_backend, group, desired, self._get_param("Preferences", {}))
    refresh.start()
    return ActionResult({"InstanceRefreshId": refresh.id})


def describe_instance_refreshes(self):
    ids = self._get_param("InstanceRefreshIds", [])
    most = self._get_int_param("MaxRecords", 50)
    chosen = [r.describe() for r in of(group_of(self)) if not ids or r.id in ids]
    return ActionResult({"InstanceRefreshes": chosen[:most]})


def going_on(response):
    refresh = active(group_of(response))
    if not refresh or refresh.status == "RollbackInProgress":
        raise ActiveInstanceRefreshNotFound()
    return refresh


def cancel_instance_refresh(self):
    refresh = going_on(self)
    refresh.cancel("Cancelled due to user request.")
    return ActionResult({"InstanceRefreshId": refresh.id})


def rollback_instance_refresh(self):
    refresh = going_on(self)
    if not refresh.desired:
        raise IrreversibleInstanceRefresh()
    refresh.stop = "Rolled back due to user request."
    return ActionResult({"InstanceRefreshId": refresh.id})
