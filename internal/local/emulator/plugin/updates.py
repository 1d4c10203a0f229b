"""What a stack's update does to an Auto Scaling group: it is changed in place, and an
instance refresh begins when that changes what is launched."""

from moto.autoscaling.models import FakeAutoScalingGroup, autoscaling_backends

from . import groups, patches, refreshes, settings


def install():
    patches.replace(
        FakeAutoScalingGroup,
        create_from_cloudformation_json=classmethod(create),
        update_from_cloudformation_json=classmethod(update),
    )


_create = FakeAutoScalingGroup.create_from_cloudformation_json.__func__


def create(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
    group = _create(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)
    return keep(group, cloudformation_json["Properties"])


def keep(group, properties):
    """Remember what moto leaves out."""
    warm_up = properties.get("DefaultInstanceWarmup")
    group.default_warm_up = None if warm_up is None else int(warm_up)
    group.maintenance = properties.get("InstanceMaintenancePolicy")
    return group


def update(cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name):
    """Update in place and refresh; moto would delete the group and make another."""
    properties, group = cloudformation_json["Properties"], original_resource
    policy, before = properties.get("MixedInstancesPolicy"), groups.launched_from(group)
    if policy and writes(group, policy):
        refreshes.refuse_write(group)
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
        mixed_instances_policy=policy,
    )
    keep(group, properties)
    move(autoscaling_backends[account_id][region_name], group, properties.get("TargetGroupARNs", []))
    policies = cloudformation_json.get("UpdatePolicy", {})
    if "AutoScalingInstanceRefresh" in policies and groups.launched_from(group) != before:
        preferences = policies["AutoScalingInstanceRefresh"].get("Preferences", {})
        # Rule 1b: a rollback comes here too.
        refresh = refreshes.Refresh(
            autoscaling_backends[account_id][region_name], group, preferences={"SkipMatching": True} | preferences
        )
        refresh.start()
        group.stacks_refresh = refresh
    return group


def writes(group, policy):
    """Whether an update writes the group's policy, which AWS's documents leave open
    where it stays what it is (rule 6b)."""
    changes = groups.launched_by(policy) != groups.launched_by(group.mixed_instances_policy)
    return changes or not settings.get("policyWrittenWhenChanged")


def move(backend, group, target_groups):
    """Register the instances with these target groups, and with no other."""
    for arn in set(group.target_group_arns) - set(target_groups):
        backend.elbv2_backend.deregister_targets(arn, [{"Id": s.instance.id} for s in group.instance_states])
    group.target_group_arns = target_groups
    backend.update_attached_target_groups(group.name)


def desired(group, properties):
    """A deployment without DesiredCapacity keeps the count, within the new bounds."""
    if "DesiredCapacity" in properties:
        return int(properties["DesiredCapacity"])
    return min(max(group.desired_capacity, int(properties["MinSize"])), int(properties["MaxSize"]))


def await_refreshes(resources):
    """Wait for the refreshes that a stack's update has started, as CloudFormation
    does, and fail where one fails."""
    for group in resources:
        refresh = vars(group).pop("stacks_refresh", None) if isinstance(group, FakeAutoScalingGroup) else None
        if refresh:
            refresh.finished.wait()
            if refresh.status != "Successful":
                raise RuntimeError(f"the instance refresh of {group.name} {refresh.status.lower()}: {refresh.reason}")


def cancel_refreshes(resources):
    """Cancel those that a stack's update has started and that nobody waited for."""
    for group in resources:
        refresh = vars(group).pop("stacks_refresh", None) if isinstance(group, FakeAutoScalingGroup) else None
        if refresh:
            refresh.cancel("the stack's update failed")
            refresh.finished.wait()
