"""Auto Scaling groups: zones in turn, and instance types from the policy's
overrides."""

import copy
import threading
import uuid

from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup, InstanceState, autoscaling_backends
from moto.autoscaling.responses import AutoScalingResponse
from moto.core.responses import ActionResult

from . import keys, patches, quotas
from .clock import clock

# health is what the load balancers last said of each instance, by its id.
health: dict[str, str] = {}
# booted is when an instance's service was first started, by its id.
booted: dict[str, float] = {}
# AS_BOOTED is how many seconds a boot counts once it has ended, however long this
# machine took.
AS_BOOTED = 30

# launching is held while a group's instances are counted and changed.
launching = threading.RLock()
_launch = FakeAutoScalingGroup.replace_autoscaling_group_instances
_notify_terminate = AutoScalingBackend.notify_terminate_instances


def install():
    patches.replace(
        FakeAutoScalingGroup,
        instance_type=property(instance_type),
        replace_autoscaling_group_instances=launch,
        set_desired_capacity=set_desired_capacity,
    )
    patches.add(FakeAutoScalingGroup, choose=choose, trouble="")
    patches.add(FakeAutoScalingGroup, launch_template_version=property(launch_template_version, set_launch_template_version))
    patches.replace(
        AutoScalingBackend,
        notify_terminate_instances=notify_terminate_instances,
        update_attached_target_groups=update_attached_target_groups,
    )
    patches.replace(InstanceState, launch_template=property(launched_template))
    patches.replace(
        AutoScalingResponse,
        create_auto_scaling_group=create_auto_scaling_group,
        describe_scaling_activities=describe_scaling_activities,
    )
    clock.every(60, maintain)


_create_group = AutoScalingResponse.create_auto_scaling_group


def create_auto_scaling_group(self):
    """Keep what moto leaves out."""
    answer = _create_group(self)
    group = self.autoscaling_backend.autoscaling_groups[self._get_param("AutoScalingGroupName")]
    group.default_warm_up = self._get_int_param("DefaultInstanceWarmup")
    group.maintenance = self._get_param("InstanceMaintenancePolicy")
    return answer


# Within a thread that launches, a group is what it launches: while a refresh is
# under way that is the refresh's configuration, and the group's own stays what it
# was until the refresh succeeds.
_launches = threading.local()


def policy_of(group):
    return copy.deepcopy(getattr(_launches, "policy", None) or group.mixed_instances_policy)


def instance_type(self):
    for override in (policy_of(self) or {}).get("LaunchTemplate", {}).get("Overrides", []):
        return override["InstanceType"]
    if self.ec2_launch_template:
        return self.ec2_launch_template.get_version(self.launch_template_version).instance_type
    return self.launch_config.instance_type


def launch_template_version(self):
    policy = getattr(_launches, "policy", None)
    if policy:
        return launched_by(policy)[0]
    return self.__dict__["launch_template_version"]


def set_launch_template_version(self, version):
    self.__dict__["launch_template_version"] = version


def suspended(group, *processes):
    """Whether one of a group's processes is (rule R40)."""
    return any(p["ProcessName"] in processes for p in group.suspended_processes)


def update_attached_target_groups(self, group_name):
    """Register the group's instances, but for those that were launched while
    AddToLoadBalancer was suspended (rule R40)."""
    group = self.autoscaling_groups[group_name]
    added = [s.instance.id for s in group.instance_states if getattr(s.instance, "added", True)]
    for arn in group.target_group_arns:
        port = self.elbv2_backend.target_groups[arn].port
        self.elbv2_backend.register_targets(arn, [{"Id": i, "Port": port} for i in added])


def launch(self, count_needed, propagated_tags):
    """Launch into the subnet that has the fewest instances; moto uses only the first.
    What cannot be launched is told as a scaling activity, and tried again later."""
    if suspended(self, "Launch"):
        return
    with launching:
        subnets, zones, _launches.policy = self.vpc_zone_identifier, self.availability_zones, getattr(self, "launches", None)
        try:
            for _ in range(count_needed):
                place = self.choose(subnets, zones)
                if not place:
                    note(self, "Launching a new EC2 instance", "Failed", self.trouble)
                    break
                self.vpc_zone_identifier, self.availability_zones = place
                _launch(self, 1, dict(propagated_tags))
                state = self.instance_states[-1]
                state.instance.launched_from, state.instance.launched_at = launched_from(self), clock.seconds()
                state.instance_type, state.instance.added = self.instance_type, not suspended(self, "AddToLoadBalancer")
                note(self, f"Launching a new EC2 instance: {state.instance.id}", "Successful")
        finally:
            self.vpc_zone_identifier, self.availability_zones, _launches.policy = subnets, zones, None


def choose(self, subnets, zones):
    """Where to launch, a subnet and its zone, or a zone: of those that have the type the
    one with the fewest instances, or None. Rule 10: another zone takes over."""
    used = [s.instance.subnet_id if subnets else s.instance.placement.zone for s in self.instance_states]
    places = subnets.split(",") if subnets else zones
    template = self.ec2_launch_template
    if template:
        data = template.get_version(self.launch_template_version).data
        self.trouble = keys.refusal(self.account_id, self.region, data) or quotas.mismatch(
            self.account_id, self.region, data.get("ImageId", ""), self.instance_type
        )
        if self.trouble:
            return None
    for place in sorted(places, key=used.count):
        zone = self.ec2_backend.get_subnet(place).availability_zone if subnets else place
        self.trouble = quotas.refusal(self.account_id, self.region, zone, self.instance_type)
        if not self.trouble:
            return (place, [zone]) if subnets else (None, [zone])
    return None


def launch_pending(backend, group, count):
    """Launch instances, and return how many could be launched. Rule R5: they are in
    service when EC2 runs them, whatever runs on them."""
    before = len(group.instance_states)
    group.replace_autoscaling_group_instances(count, group.get_propagated_tags())
    backend.update_attached_target_groups(group.name)
    return len(group.instance_states) - before


def note(group, description, status, message=None):
    """Remember a scaling activity."""
    at = clock.now()
    activity = {
        "ActivityId": str(uuid.uuid4()), "AutoScalingGroupName": group.name, "Description": description,
        "Cause": f"At {at.isoformat(timespec='seconds')}Z the group was brought to its desired capacity.",
        "StartTime": at, "EndTime": at, "StatusCode": status, "StatusMessage": message, "Progress": 100,
    }
    activities = group.__dict__.setdefault("activities", [])
    activities.insert(0, {name: value for name, value in activity.items() if value is not None})
    del activities[100:]


def describe_scaling_activities(self):
    """The newest first; moto has none."""
    name, most = self._get_param("AutoScalingGroupName"), self._get_int_param("MaxRecords", 100)
    every = [a for g in self.autoscaling_backend.autoscaling_groups.values() if name in (None, g.name) for a in getattr(g, "activities", [])]
    return ActionResult({"Activities": every[:most]})


def adopt(group, policy):
    """Make policy the group's own."""
    with launching:
        if group.mixed_instances_policy:
            group.mixed_instances_policy = copy.deepcopy(policy)
            group.launch_template_version = launched_by(policy)[0]


def launched_from(group):
    """What an instance of the group is made from at this moment."""
    return str(group.launch_template_version), group.instance_type


def launched_by(policy):
    """What a policy launches: the template's version and the instance types."""
    template = policy["LaunchTemplate"]
    version = template["LaunchTemplateSpecification"].get("Version") or "$Default"
    return str(version), [o["InstanceType"] for o in template.get("Overrides", [])]


def matches(state, policy):
    """Whether an instance is one that policy launches."""
    if not policy:
        return state.instance.launched_from == launched_from(state.auto_scaling_group)
    version, types = launched_by(policy)
    return state.instance.launched_from[0] == version and state.instance.launched_from[1] in types


def launched_type(instance):
    """The type an instance was launched with; moto forgets that of an override."""
    return getattr(instance, "launched_from", ("", ""))[1]


def launched_template(self):
    """The version an instance was launched from; moto names the template's default one."""
    template = self.auto_scaling_group.ec2_launch_template
    return template and {
        "LaunchTemplateId": template.id,
        "LaunchTemplateName": template.name,
        # One that is being launched at this moment does not say yet.
        "Version": getattr(self.instance, "launched_from", [""])[0],
    }


def set_desired_capacity(self, new_capacity):
    """Shrink by the oldest instance of the zone that has most; moto takes any, and
    leaves them registered. What a refresh has launched beyond the desired count stays."""
    with launching:
        wanted = int(self.min_size if new_capacity is None else new_capacity)
        extra = 0
        if getattr(self, "launches", None):
            extra = max(0, len(self.active_instances()) - int(self.desired_capacity))
        while len(serving := self.active_instances()) - extra > wanted and not suspended(self, "Terminate"):
            zones = [s.instance.placement.zone for s in serving]
            oldest = next(s for s in serving if zones.count(s.instance.placement.zone) == max(map(zones.count, zones)))
            terminate(self.autoscaling_backend, self, oldest.instance.id)
        self.desired_capacity = wanted
        missing = wanted + extra - len(serving)
        if missing > 0:
            self.replace_autoscaling_group_instances(missing, self.get_propagated_tags())
        if self.name in self.autoscaling_backend.autoscaling_groups:
            self.autoscaling_backend.update_attached_target_groups(self.name)


def notify_terminate_instances(self, instance_ids):
    """Register the replacements with the target groups too, not with classic balancers only."""
    with launching:
        _notify_terminate(self, instance_ids)
    for name in self.autoscaling_groups:
        self.update_attached_target_groups(name)


def report(states, started):
    """Take what load balancers say of instances, and whose service was started; replace
    those that stay unhealthy."""
    health.update(states)
    for instance in started:
        booted.setdefault(instance, clock.seconds())
    clock.announce()
    for backend, group in every_group():
        replace_unhealthy(backend, group)


def every_group():
    for account in list(autoscaling_backends.values()):
        for backend in list(account.values()):
            for group in list(backend.autoscaling_groups.values()):
                yield backend, group


def is_unhealthy(group, state):
    """Rules 4 and R1: what a load balancer says counts only when the grace period is
    over, and is then a reason to replace."""
    if group.health_check_type != "ELB" or health.get(state.instance.id) != "unhealthy":
        return False
    return clock.seconds() - state.instance.launched_at > grace(group, state.instance)


def grace(group, instance):
    """How many seconds after its launch an instance is judged. One that this machine
    took long to boot is as old as on AWS when that ends."""
    period = int(group.health_check_grace_period)
    if instance.id not in booted:
        return clock.booting(period)
    late = booted[instance.id] - instance.launched_at - AS_BOOTED
    return clock.settling(period + max(0, late))


def replace_unhealthy(backend, group):
    if suspended(group, "HealthCheck", "ReplaceUnhealthy", "Terminate"):
        return
    for state in group.active_instances():
        if is_unhealthy(group, state):
            instance = state.instance
            note(group, f"Terminating EC2 instance: {instance.id} - unhealthy by a load balancer", "Successful")
            backend.ec2_backend.terminate_instances([instance.id])
            backend.notify_terminate_instances([instance.id])
            backend.elbv2_backend.notify_terminate_instances([instance.id])


def maintain():
    """What a group does in each minute: judge its instances, and launch those it lacks."""
    for backend, group in every_group():
        replace_unhealthy(backend, group)
        with launching:
            missing = int(group.desired_capacity or 0) - len(group.active_instances())
            if missing > 0 and group.name in backend.autoscaling_groups:
                launch_pending(backend, group, missing)


def terminate(backend, group, instance_id):
    """Terminate without a replacement."""
    with launching:
        group.instance_states = [s for s in group.instance_states if s.instance.id != instance_id]
    for arn in group.target_group_arns:
        backend.elbv2_backend.deregister_targets(arn, [{"Id": instance_id}])
    note(group, f"Terminating EC2 instance: {instance_id}", "Successful")
    backend.ec2_backend.terminate_instances([instance_id])
