"""Target tracking: policies of templates, which moto has only by calls, and what
they do: out when three minutes in a row are above the target, in when fifteen are
below 70 % of it, as EC2's alarms are seen to have it (docs/decisions.md), to the
number of instances at which the metric would be at its target. Source: EC2 Auto
Scaling User Guide, "Target tracking scaling policies"."""

import math
from typing import Any

from moto.autoscaling.models import autoscaling_backends
from moto.core.common_models import CloudFormationModel

from . import models, refreshes

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
        "adjustment_type": None,
        "min_adjustment_magnitude": None,
        "scaling_adjustment": None,
        "cooldown": None,
        "step_adjustments": [],
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


def install():
    models.emulated["AWS::AutoScaling::ScalingPolicy"] = Policy
