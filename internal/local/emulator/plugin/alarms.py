"""CloudWatch alarms of templates, which moto has only by calls. What
evaluates them is in evaluation.py; SetAlarmState holds until then, as on AWS."""

from moto.cloudwatch.models import cloudwatch_backends
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.common_models import CloudFormationModel
from moto.core.responses import EmptyResult

from . import models, patches


class Alarm(CloudFormationModel):
    def __init__(self, alarm):
        self.alarm = alarm

    @property
    def physical_resource_id(self):
        return self.alarm.name

    @staticmethod
    def cloudformation_name_type():
        return "AlarmName"

    @staticmethod
    def cloudformation_type():
        return "AWS::CloudWatch::Alarm"

    @classmethod
    def has_cfn_attr(cls, attr):
        return attr == "Arn"

    def get_cfn_attribute(self, attribute_name):
        return self.alarm.alarm_arn

    @classmethod
    def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        properties = cloudformation_json["Properties"]
        # moto does not see the name of a composite one.
        return cls(put(properties.get("AlarmName", resource_name), properties, account_id, region_name))

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name
    ):
        before = original_resource.alarm
        alarm = put(before.name, cloudformation_json["Properties"], account_id, region_name)
        alarm.state_value, alarm.state_reason = before.state_value, before.state_reason
        original_resource.alarm = alarm
        return original_resource

    def delete(self, account_id, region_name):
        cloudwatch_backends[account_id][region_name].alarms.pop(self.alarm.name, None)


def put(name, properties, account_id, region_name):
    return cloudwatch_backends[account_id][region_name].put_metric_alarm(
        name=name,
        namespace=properties.get("Namespace"),
        metric_name=properties.get("MetricName"),
        comparison_operator=properties.get("ComparisonOperator"),
        evaluation_periods=properties.get("EvaluationPeriods"),
        period=properties.get("Period"),
        threshold=properties.get("Threshold"),
        statistic=properties.get("Statistic"),
        description=properties.get("AlarmDescription"),
        dimensions=properties.get("Dimensions", []),
        alarm_actions=properties.get("AlarmActions", []),
        rule=properties.get("AlarmRule"),
        metric_data_queries=properties.get("Metrics"),
        datapoints_to_alarm=properties.get("DatapointsToAlarm"),
        extended_statistic=properties.get("ExtendedStatistic"),
        treat_missing_data=properties.get("TreatMissingData"),
    )


class CompositeAlarm(Alarm):
    @staticmethod
    def cloudformation_type():
        return "AWS::CloudWatch::CompositeAlarm"


def switch(on):
    """A call that has alarms act, or not, which moto lacks. What the template has stays."""

    def call(self):
        for name in self._get_param("AlarmNames", []):
            if name in self.cloudwatch_backend.alarms:
                self.cloudwatch_backend.alarms[name].actions_enabled = on
        return EmptyResult()

    return call


def install():
    patches.replace(CloudWatchResponse, enable_alarm_actions=switch(True), disable_alarm_actions=switch(False))
    models.emulated["AWS::CloudWatch::Alarm"] = Alarm
    models.emulated["AWS::CloudWatch::CompositeAlarm"] = CompositeAlarm
