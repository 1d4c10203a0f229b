"""Schedules of templates, which moto has only by calls. The program that plays the
functions invokes what they say."""

from typing import Any

from moto.core.common_models import CloudFormationModel
from moto.scheduler.models import scheduler_backends

from . import models, settings


class Schedule(CloudFormationModel):
    def __init__(self, name, group):
        self.physical_resource_id, self.group, self.arn = name, group, ""

    @staticmethod
    def cloudformation_name_type():
        return "Name"

    @staticmethod
    def cloudformation_type():
        return "AWS::Scheduler::Schedule"

    @classmethod
    def has_cfn_attr(cls, attr):
        return attr == "Arn"

    def get_cfn_attribute(self, attribute_name):
        return self.arn

    @classmethod
    def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        properties = cloudformation_json["Properties"]
        schedule = cls(resource_name, properties.get("GroupName", "default"))
        made = scheduler_backends[account_id][region_name].create_schedule(
            group_name=schedule.group, name=resource_name, action_after_completion=None, **arguments(properties)
        )
        schedule.arn = made.arn
        return schedule

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name
    ):
        scheduler_backends[account_id][region_name].update_schedule(
            group_name=original_resource.group,
            name=original_resource.physical_resource_id,
            **arguments(cloudformation_json["Properties"]),
        )
        return original_resource

    def delete(self, account_id, region_name):
        scheduler_backends[account_id][region_name].delete_schedule(self.group, self.physical_resource_id)


def arguments(properties):
    return {
        "description": properties.get("Description"),
        "end_date": None,
        "flexible_time_window": properties["FlexibleTimeWindow"],
        "kms_key_arn": None,
        "schedule_expression": properties["ScheduleExpression"],
        "schedule_expression_timezone": properties.get("ScheduleExpressionTimezone"),
        "start_date": None,
        "state": properties.get("State"),
        "target": properties["Target"],
    }


def schedules():
    """Those that are on, with how many seconds are between their invocations."""
    for by_region in list(scheduler_backends.values()):
        for region, backend in list(by_region.items()):
            if settings.lost(region):
                continue
            groups: dict[str, Any] = backend.schedule_groups
            for group in list(groups.values()):
                for schedule in list(group.schedules.values()):
                    if schedule.state == "ENABLED":
                        yield {
                            "arn": schedule.arn,
                            "region": region,
                            "every": every(schedule.schedule_expression),
                            "target": schedule.target["Arn"],
                            "input": schedule.target.get("Input", "{}"),
                        }


UNITS = {"minute": 60, "hour": 3600, "day": 86400}


def every(expression):
    """The seconds of a rate: "rate(5 minutes)"."""
    number, unit = expression.removeprefix("rate(").removesuffix(")").split()
    return int(number) * UNITS[unit.removesuffix("s")]


def install():
    models.emulated["AWS::Scheduler::Schedule"] = Schedule
