"""Policies of templates, which moto has only by calls, and what they do.

Target tracking: out when three minutes in a row are above the target, in when fifteen
are below 70 % of it, as EC2's alarms are seen to have it (docs/decisions.md), to the
number of instances at which the metric would be at its target. Source: EC2 Auto
Scaling User Guide, "Target tracking scaling policies".

Step scaling (rule R15): by an alarm's action, in each minute in which it is in ALARM.
"""

import math
from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.core.common_models import CloudFormationModel

from . import groups, models, refreshes
from .clock import clock

OUT_AFTER, IN_AFTER, IN_BELOW = 3, 15, 0.7


class Policy(CloudFormationModel):
    def __init__(self, name, policy):
        self.name, self.policy = name, policy

    @property
    def physical_resource_id(self):
        return self.policy.arn

    @staticmethod
    def cloudformation_name_type():
        return "PolicyName"

    @staticmethod
    def cloudformation_type():
        return "AWS::AutoScaling::ScalingPolicy"

    @classmethod
    def has_cfn_attr(cls, attr):
        return attr in ("Arn", "PolicyName")

    def get_cfn_attribute(self, attribute_name):
        return self.policy.arn if attribute_name == "Arn" else self.name

    @classmethod
    def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        return cls(resource_name, put(resource_name, cloudformation_json["Properties"], account_id, region_name))

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name
    ):
        original_resource.policy = put(
            original_resource.name, cloudformation_json["Properties"], account_id, region_name
        )
        return original_resource

    def delete(self, account_id, region_name):
        autoscaling_backends[account_id][region_name].delete_policy(self.name)


def put(name, properties, account_id, region_name):
    # moto's types know simple scaling only.
    arguments: dict[str, Any] = {
        "name": name,
        "policy_type": properties["PolicyType"],
        "as_name": properties["AutoScalingGroupName"],
        "target_tracking_config": properties.get("TargetTrackingConfiguration"),
        "metric_aggregation_type": None,
        "adjustment_type": properties.get("AdjustmentType"),
        "min_adjustment_magnitude": properties.get("MinAdjustmentMagnitude"),
        "scaling_adjustment": None,
        "cooldown": None,
        "step_adjustments": properties.get("StepAdjustments") or [],
        "estimated_instance_warmup": properties.get("EstimatedInstanceWarmup"),
        "predictive_scaling_configuration": {},
    }
    return autoscaling_backends[account_id][region_name].put_scaling_policy(**arguments)


def track(backend, group, metrics):
    """Set the count that a group's policies ask for: the largest of them. metrics
    are values minute by minute, the newest last, by the predefined metric."""
    wanted = []
    for policy in backend.describe_policies(group.name, policy_types=["TargetTrackingScaling"]):
        tracked = policy.target_tracking_configuration
        values = metrics.get(tracked.PredefinedMetricSpecification["PredefinedMetricType"], [])
        wanted.append(tracks(group.desired_capacity, values, float(tracked.TargetValue)))
    if not wanted or refreshes.active(group) and max(wanted) < group.desired_capacity:
        return
    if groups.suspended(group, "AlarmNotification"):
        return
    count = min(max(max(wanted), int(group.min_size)), int(group.max_size))
    if count != group.desired_capacity:
        group.set_desired_capacity(count)


def tracks(count, values, target):
    """How many instances a policy asks for where there are count."""
    needed = math.ceil(count * values[-1] / target) if values else count
    if len(values) >= OUT_AFTER and min(values[-OUT_AFTER:]) > target:
        return max(count, needed)
    if len(values) >= IN_AFTER and max(values[-IN_AFTER:]) < IN_BELOW * target:
        return min(count, needed)
    return count


def act(account, region, arn, above):
    """What an alarm that is so far above its threshold has a step policy do: only what
    it would add to the instances that have warmed up, so that a minute more in ALARM
    adds nothing to what it launched before."""
    backend = autoscaling_backends[account][region]
    policy: Any = next((p for p in list(backend.policies.values()) if p.arn == arn and p.policy_type == "StepScaling"), None)
    if not policy:
        return
    group: Any = backend.autoscaling_groups.get(policy.auto_scaling_group_name)
    tier: Any = next((t for t in policy.step_adjustments if covers(t, above)), None)
    if not group or not tier or groups.suspended(group, "AlarmNotification"):
        return
    began, warm = getattr(group, "stepped", (0, 0))
    if clock.seconds() - began >= float(policy.estimated_instance_warmup or 0):
        began, warm = clock.seconds(), group.desired_capacity
    by = float(tier["ScalingAdjustment"])
    if policy.adjustment_type == "PercentChangeInCapacity":
        part = warm * by / 100
        by = math.copysign(max(1, math.floor(abs(part)), int(policy.min_adjustment_magnitude or 0)), part)
    wanted = by if policy.adjustment_type == "ExactCapacity" else warm + by
    count = min(max(int(wanted), int(group.min_size)), int(group.max_size))
    if count > group.desired_capacity or by < 0 and count < group.desired_capacity and not refreshes.active(group):
        group.stepped = began, warm
        group.set_desired_capacity(count)


def covers(tier, above):
    """Whether a metric that is so far above the threshold is in a step adjustment."""
    lower, upper = tier.get("MetricIntervalLowerBound"), tier.get("MetricIntervalUpperBound")
    return (lower is None or above >= float(lower)) and (upper is None or above < float(upper))


def install():
    models.emulated["AWS::AutoScaling::ScalingPolicy"] = Policy
