"""Auto Scaling groups: zones in turn, instance types from the policy's
overrides, and an instance refresh when an update changes what is launched."""

import threading
import time
import traceback

from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup, autoscaling_backends

# A refresh gives up on an instance that is not healthy after so many seconds.
HEALTHY_WITHIN = 90

# health is what the load balancers last said of each instance, by its id.
health: dict[str, str] = {}
# refreshes are the last refresh of each group, by its name.
refreshes: dict[str, dict] = {}

_launching = threading.RLock()
_launch = FakeAutoScalingGroup.replace_autoscaling_group_instances
_notify_terminate = AutoScalingBackend.notify_terminate_instances


def install():
    FakeAutoScalingGroup.instance_type = property(instance_type)
    FakeAutoScalingGroup.replace_autoscaling_group_instances = launch
    FakeAutoScalingGroup.update_from_cloudformation_json = classmethod(update)
    AutoScalingBackend.notify_terminate_instances = notify_terminate_instances


def instance_type(self):
    for override in (self.mixed_instances_policy or {}).get("LaunchTemplate", {}).get("Overrides", []):
        return override["InstanceType"]
    if self.ec2_launch_template:
        return self.ec2_launch_template.get_version(self.launch_template_version).instance_type
    return self.launch_config.instance_type


def launch(self, count_needed, propagated_tags):
    """Launch into the subnet that has the fewest instances; moto uses only the first."""
    with _launching:
        subnets = self.vpc_zone_identifier
        if not subnets:
            return _launch(self, count_needed, propagated_tags)
        try:
            for _ in range(count_needed):
                used = [state.instance.subnet_id for state in self.instance_states]
                self.vpc_zone_identifier = min(subnets.split(","), key=used.count)
                _launch(self, 1, dict(propagated_tags))
                instance = self.instance_states[-1].instance
                instance.launched_from, instance.launched_at = launched_from(self), time.monotonic()
        finally:
            self.vpc_zone_identifier = subnets


def launched_from(group):
    """What an instance of the group is made from at this moment."""
    return str(group.launch_template_version), group.instance_type


def launched_type(instance):
    """The type an instance was launched with; moto forgets that of an override."""
    return getattr(instance, "launched_from", ("", ""))[1]


def notify_terminate_instances(self, instance_ids):
    """Register the replacements with the target groups too, not with classic balancers only."""
    _notify_terminate(self, instance_ids)
    for name in self.autoscaling_groups:
        self.update_attached_target_groups(name)


def report(states):
    """Take what load balancers say of instances; replace those that stay unhealthy."""
    health.update(states)
    for account in autoscaling_backends.values():
        for backend in account.values():
            for group in list(backend.autoscaling_groups.values()):
                if group.health_check_type == "ELB":
                    replace_unhealthy(backend, group)


def replace_unhealthy(backend, group):
    for state in list(group.instance_states):
        instance = state.instance
        age = time.monotonic() - instance.launched_at
        if health.get(instance.id) == "unhealthy" and age > group.health_check_grace_period:
            backend.ec2_backend.terminate_instances([instance.id])
            backend.notify_terminate_instances([instance.id])
            backend.elbv2_backend.notify_terminate_instances([instance.id])


def update(cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name):
    """Update in place and refresh; moto would delete the group and make another."""
    properties, group = cloudformation_json["Properties"], original_resource
    group.update(
        availability_zones=[],
        desired_capacity=desired(group, properties),
        max_size=int(properties["MaxSize"]),
        min_size=int(properties["MinSize"]),
        launch_config_name=properties.get("LaunchConfigurationName"),
        launch_template=properties.get("LaunchTemplate", {}),
        vpc_zone_identifier=",".join(properties.get("VPCZoneIdentifier", [])),
        health_check_period=int(properties.get("HealthCheckGracePeriod", 300)),
        health_check_type=properties.get("HealthCheckType"),
        mixed_instances_policy=properties.get("MixedInstancesPolicy"),
    )
    if any(getattr(s.instance, "launched_from", None) != launched_from(group) for s in group.instance_states):
        start_refresh(autoscaling_backends[account_id][region_name], group)
    return group


def desired(group, properties):
    """A deployment without DesiredCapacity keeps the count, within the new bounds."""
    if "DesiredCapacity" in properties:
        return int(properties["DesiredCapacity"])
    return min(max(group.desired_capacity, int(properties["MinSize"])), int(properties["MaxSize"]))


def start_refresh(backend, group):
    refresh = {"group": group.name, "region": group.region, "status": "InProgress", "reason": ""}
    refreshes[group.name] = refresh
    threading.Thread(target=run_refresh, args=(backend, group, refresh), daemon=True).start()


def run_refresh(backend, group, refresh):
    """Replace one instance after the other: launch, wait until healthy, terminate."""
    try:
        wanted = launched_from(group)
        for old in [s for s in group.instance_states if getattr(s.instance, "launched_from", None) != wanted]:
            group.replace_autoscaling_group_instances(1, group.get_propagated_tags())
            new = group.instance_states[-1].instance.id
            backend.update_attached_target_groups(group.name)
            deadline = time.monotonic() + HEALTHY_WITHIN
            while health.get(new) != "healthy":
                if time.monotonic() > deadline:
                    terminate(backend, group, new)
                    refresh.update(status="Failed", reason=f"{new} was not healthy within {HEALTHY_WITHIN} s")
                    return
                time.sleep(0.1)
            terminate(backend, group, old.instance.id)
        refresh["status"] = "Successful"
    except Exception as e:
        traceback.print_exc()
        refresh.update(status="Failed", reason=f"{type(e).__name__}: {e}")


def terminate(backend, group, instance_id):
    """Terminate without a replacement."""
    group.instance_states = [s for s in group.instance_states if s.instance.id != instance_id]
    for arn in group.target_group_arns:
        backend.elbv2_backend.deregister_targets(arn, [{"Id": instance_id}])
    backend.ec2_backend.terminate_instances([instance_id])
