"""Instance refreshes, which moto lacks, by AWS's rules, whose numbers are in the
comments here: docs/fidelity.md has them.

A refresh is played in ticks of the clock, so that a jump plays all of it.
"""

import copy
import math
import threading
import traceback
import uuid

from moto.autoscaling.exceptions import AutoscalingClientError, ValidationError
from moto.autoscaling.models import AutoScalingBackend
from moto.autoscaling.responses import AutoScalingResponse
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.responses import ActionResult

from . import groups, patches, settings
from .clock import clock

# TICK is how many seconds are between two looks, and LOOKS how many of them there are
# at most in a second of the machine's.
TICK, LOOKS = 1.0, 20

# PATIENCE is how many seconds a refresh goes on without progress (rule 7).
PATIENCE = 3600

# RETRY is after how many seconds a launch that failed is tried again.
RETRY = 60

# What AWS has where neither the refresh nor the group's maintenance policy says it.
# Source: EC2 Auto Scaling User Guide, "Understand the default values for an instance
# refresh".
MIN_HEALTHY, MAX_HEALTHY, CHECKPOINT_DELAY = 90, 100, 3600

ACTIVE = ("Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress")


def install():
    patches.add(
        AutoScalingResponse,
        start_instance_refresh=start_instance_refresh,
        describe_instance_refreshes=describe_instance_refreshes,
        cancel_instance_refresh=cancel_instance_refresh,
        rollback_instance_refresh=rollback_instance_refresh,
    )
    patches.replace(AutoScalingBackend, update_auto_scaling_group=update_auto_scaling_group)


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
        self.status, self.reason, self.stop, self.trouble = "Pending", "", "", ""
        self.began, self.ended, self.rolled_back = clock.now(), None, None
        self.finished = threading.Event()
        self.former = groups.policy_of(group)
        self.wanted = copy.deepcopy(desired["MixedInstancesPolicy"]) if desired else self.former
        self.skips = self.says("SkipMatching")
        self.old, self.kept, self.total, self.reached, self.until = [], [], 0, 0, 0.0
        self.progressed = clock.seconds()

    def says(self, preference):
        return self.preferences.get(preference) in (True, "true")

    def number(self, preference, default):
        return int(self.preferences.get(preference, default))

    def start(self):
        with groups.launching:
            if active(self.group):
                raise InstanceRefreshInProgress()
            self.check()
            of(self.group).insert(0, self)
        clock.call_later(0, self.tick)

    def check(self):
        """Refuse what AWS refuses."""
        if "MaxHealthyPercentage" in self.preferences:  # Rule R30
            least, most = self.number("MinHealthyPercentage", -1), self.number("MaxHealthyPercentage", 0)
            if not 100 <= most <= 200 or not 0 <= least <= 100 or most - least > 100:
                raise ValidationError(
                    "MaxHealthyPercentage must be from 100 to 200, and with it MinHealthyPercentage from 0 to 100 and at most"
                    " 100 less."
                )
        alarms = cloudwatch_backends[self.group.account_id][self.group.region].alarms
        for name in self.alarms():  # Rule 1
            if name not in alarms:
                raise ValidationError(f"The alarm {name} does not exist.")
            if alarms[name].state_value != "OK":
                raise ValidationError(
                    f"The instance refresh cannot start while the alarm {name} is in {alarms[name].state_value}."
                )
        if self.says("AutoRollback"):  # Rule R2
            if not self.desired:
                raise ValidationError("AutoRollback needs a desired configuration.")
            if not reversible(self.group):
                raise ValidationError(
                    "AutoRollback needs a group whose launch template has a numbered version, not $Latest or $Default."
                )

    def alarms(self):
        return self.preferences.get("AlarmSpecification", {}).get("Alarms", [])

    def tick(self):
        with groups.launching:
            try:
                if self.status in ACTIVE:
                    self.step()
            except Exception as e:
                traceback.print_exc()
                self.end("Failed", f"{type(e).__name__}: {e}")
        if self.status in ACTIVE:
            clock.call_later(TICK * max(1.0, clock.pace / LOOKS), self.tick)

    def step(self):
        if self.group.name not in self.backend.autoscaling_groups:
            return self.end("Failed", "the group is gone")
        if self.status == "Cancelling":
            self.drop_unused()
            return self.end("Cancelled", self.stop)
        if self.status == "Pending":
            self.status = "InProgress"
            self.begin(self.wanted, everything=not self.skips)
        failure = self.failure()
        if failure:
            return self.fail(failure)
        if clock.seconds() < self.until:
            self.progressed = clock.seconds()  # it waits because it was told to
            return None
        if self.status == "Baking" or self.replace():
            return self.pass_on()
        return None

    def begin(self, policy, everything):
        """Bring the group to policy from here on."""
        self.group.launches = policy
        self.old = [s for s in self.group.instance_states if everything or not groups.matches(s, policy)]
        self.kept = [s for s in self.group.instance_states if s not in self.old]
        self.total, self.progressed, self.until, self.trouble = len(self.old), clock.seconds(), 0.0, ""

    def failure(self):
        """Why the refresh may not go on, or ""."""
        if clock.seconds() - self.progressed > PATIENCE:  # Rule 7
            return f"no instance was replaced for {PATIENCE // 60} minutes. {self.trouble}".strip()
        if self.status == "RollbackInProgress":
            return ""
        alarms = cloudwatch_backends[self.group.account_id][self.group.region].alarms
        alarmed = [n for n in self.alarms() if n in alarms and alarms[n].state_value == "ALARM"]
        return f"the alarm {', '.join(alarmed)} is in ALARM" if alarmed else self.stop

    def fail(self, failure):
        """Roll back to what is saved on the group (rule R3), or leave it as it is."""
        if self.status == "RollbackInProgress":
            return self.end("RollbackFailed", failure)
        if self.desired and (self.says("AutoRollback") or self.stop):
            self.reason, self.stop, self.rolled_back = failure, "", clock.now()
            self.done, self.undone = self.total - len(self.left()), len(self.left())
            self.status = "RollbackInProgress"
            return self.begin(self.former, everything=False)
        self.drop_unused()
        return self.end("Failed", failure)

    def pass_on(self):
        """Go on from where everything that was to be replaced has been."""
        if self.status == "RollbackInProgress":
            return self.end("RollbackSuccessful", self.reason)
        # Rules R11 and R12.
        if self.checkpoints()[self.reached :] and self.total:
            self.reached += 1
            return self.wait(self.number("CheckpointDelay", CHECKPOINT_DELAY))
        if self.status == "InProgress" and self.number("BakeTime", 0) and self.total:
            self.status = "Baking"
            return self.wait(self.number("BakeTime", 0))
        groups.adopt(self.group, self.wanted)  # Rule R4
        return self.end("Successful")

    def wait(self, seconds):
        if not settings.get("hurry"):
            self.until = clock.seconds() + seconds

    def end(self, status, reason=""):
        self.ended, self.reason, self.group.launches, self.status = clock.now(), reason, None, status
        self.finished.set()
        clock.announce()

    def checkpoints(self):
        return [] if self.status == "RollbackInProgress" else [int(p) for p in self.preferences.get("CheckpointPercentages", [])]

    def target(self):
        """How many instances are to be replaced before the next checkpoint."""
        left = self.checkpoints()[self.reached :]
        if not left:
            return self.total if not self.checkpoints() else math.ceil(self.total * self.checkpoints()[-1] / 100)
        return math.ceil(self.total * left[0] / 100)

    def bounds(self):
        """How many instances are kept at least, and how many there may be."""
        policy, desired = getattr(self.group, "maintenance", None) or {}, int(self.group.desired_capacity)
        keep = math.ceil(desired * self.number("MinHealthyPercentage", policy.get("MinHealthyPercentage", MIN_HEALTHY)) / 100)
        percent = self.number("MaxHealthyPercentage", policy.get("MaxHealthyPercentage", MAX_HEALTHY))
        most = max(desired + (percent > 100), desired * percent // 100)
        return min(keep, desired - 1) if most == desired else keep, most

    def replace(self):
        """End old instances for which new ones are ready, and launch further ones.
        Returns whether all up to the next checkpoint are replaced."""
        old, (keep, most) = self.left(), self.bounds()
        if old and groups.suspended(self.group, "Launch", "Terminate", "InstanceRefresh"):  # Rule R40
            return False
        allowed = min(len(old), self.target() - (self.total - len(old)))
        ready = [s for s in self.group.instance_states if s not in old and self.is_ready(s)]
        for state in old[: max(0, min(allowed, len(old) + len(ready) - keep))]:
            groups.terminate(self.backend, self.group, state.instance.id)
            allowed -= 1
            self.progressed = clock.seconds()
        count, desired = len(self.group.instance_states), int(self.group.desired_capacity)
        coming = count - len(self.left()) - len(ready)
        missing = max(0, min(most - count, max(desired - count, allowed - coming)))
        if missing and not clock.seconds() < getattr(self, "again", 0.0):
            if groups.launch_pending(self.backend, self.group, missing) < missing:
                self.trouble, self.again = self.group.trouble, clock.seconds() + RETRY
        return not allowed and not missing and not coming

    def is_ready(self, state):
        """Rule 4: an instance counts when its warm-up is over and the group does not
        hold it for unhealthy, whatever a load balancer says before."""
        if state in self.kept:
            return True
        if settings.get("hurry"):
            return groups.health.get(state.instance.id) == "healthy"
        age = clock.seconds() - state.instance.launched_at
        warm = age >= self.warm_up()
        if warm and groups.health.get(state.instance.id) != "healthy":
            # One that this machine still boots is as old as on AWS when that ends.
            late = groups.grace(self.group, state.instance) - int(self.group.health_check_grace_period)
            warm = age >= self.warm_up() + late
        if warm and groups.is_unhealthy(self.group, state):
            self.trouble = f"{state.instance.id} is unhealthy."
            return False
        return warm

    def warm_up(self):
        default = getattr(self.group, "default_warm_up", None)
        return self.number("InstanceWarmup", self.group.health_check_grace_period if default is None else default)

    def drop_unused(self):
        """End what was launched and replaces nothing yet."""
        surplus = len(self.group.instance_states) - int(self.group.desired_capacity)
        new = [s for s in self.group.instance_states if s not in self.old and groups.matches(s, self.wanted)]
        for state in reversed(new[-surplus:] if surplus > 0 else []):
            groups.terminate(self.backend, self.group, state.instance.id)

    def cancel(self, reason):
        if self.status in ("Pending", "InProgress", "Baking"):
            self.status, self.stop = "Cancelling", reason

    def left(self):
        return [s for s in self.old if s in self.group.instance_states]

    def describe(self):
        left = len(self.left())
        told = {
            "InstanceRefreshId": self.id,
            "AutoScalingGroupName": self.group.name,
            "Status": self.status,
            "StatusReason": self.reason or self.trouble or None,
            "StartTime": self.began,
            "EndTime": self.ended,
            "PercentageComplete": 100 if self.status == "Successful" else percent(self.total, left),
            "InstancesToUpdate": left,
            "Preferences": self.preferences,
            "DesiredConfiguration": self.desired,
            "Strategy": "Rolling",
        }
        if self.rolled_back:
            told["PercentageComplete"] = percent(self.done + self.undone, self.undone)
            told["RollbackDetails"] = {
                "RollbackReason": self.reason,
                "RollbackStartTime": self.rolled_back,
                "PercentageCompleteOnRollback": percent(self.done + self.undone, self.undone),
                "InstancesToUpdateOnRollback": self.undone,
            }
        return {name: value for name, value in told.items() if value is not None}


def percent(total, left):
    return 100 * (total - left) // total if total else 100


def reversible(group):
    """Whether what is saved on the group names a version by its number."""
    return not str(group.launch_template_version).startswith("$")


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
    if not refresh or refresh.status in ("RollbackInProgress", "Cancelling"):
        raise ActiveInstanceRefreshNotFound()
    return refresh


def cancel_instance_refresh(self):
    refresh = going_on(self)
    refresh.cancel("Cancelled due to user request.")
    return ActionResult({"InstanceRefreshId": refresh.id})


def rollback_instance_refresh(self):
    refresh = going_on(self)
    if not refresh.desired or not reversible(refresh.group):
        raise IrreversibleInstanceRefresh()
    refresh.stop = "Rolled back due to user request."
    return ActionResult({"InstanceRefreshId": refresh.id})


_update_group = AutoScalingBackend.update_auto_scaling_group


def update_auto_scaling_group(self, name, **arguments):
    """Keep what is not written; moto takes a missing policy for none."""
    group = self.autoscaling_groups.get(name)
    if group and (arguments.get("mixed_instances_policy") or arguments.get("launch_template")):
        refuse_write(group)
    elif group:
        policy = arguments["mixed_instances_policy"] = copy.deepcopy(group.mixed_instances_policy)
        if policy:  # moto takes an id or a name
            policy["LaunchTemplate"]["LaunchTemplateSpecification"].pop("LaunchTemplateName", None)
    return _update_group(self, name=name, **arguments)


def refuse_write(group):
    """Rule 6: what a refresh with a desired configuration will write is its own."""
    refresh = active(group)
    if refresh and refresh.desired:
        raise ValidationError(
            "An active instance refresh with a desired configuration exists. All configuration options derived from the"
            " desired configuration are not available for update while the instance refresh is active."
        )
