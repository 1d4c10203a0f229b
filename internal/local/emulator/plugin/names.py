"""What exists by a name of its own: CloudFormation makes nothing a
second time, and takes over what it is told to.

Sources: AWS CloudFormation User Guide, "Import AWS resources into a CloudFormation
stack automatically", and the handlers' error code AlreadyExists.
"""

from moto.autoscaling.models import autoscaling_backends
from moto.awslambda.exceptions import UnknownFunctionException
from moto.awslambda.models import lambda_backends
from moto.cloudformation.models import cloudformation_backends
from moto.cloudwatch.models import cloudwatch_backends
from moto.dynamodb.models import dynamodb_backends
from moto.iam.models import iam_backends
from moto.logs.models import logs_backends
from moto.s3.models import s3_backends
from moto.sns.models import sns_backends

from . import alarms, dashboards, tables


class AlreadyExists(RuntimeError):
    def __init__(self, resource_type, name):
        super().__init__(f"Resource of type '{resource_type}' with identifier '{name}' already exists. (HandlerErrorCode: AlreadyExists)")


def function(account, region, name):
    try:
        return lambda_backends[account][region].get_function(name)
    except UnknownFunctionException:
        return None


def alarm(account, region, name):
    found = cloudwatch_backends[account][region].alarms.get(name)
    return found and alarms.Alarm(found)


def table(account, region, name):
    return tables.adopt(account, region, name) if name in dynamodb_backends[account][region].tables else None


def role(account, _, name):
    return next((r for r in iam_backends[account]["aws"].roles.values() if r.name == name), None)


def topic(account, region, name):
    return next((t for t in sns_backends[account][region].topics.values() if t.name == name), None)


# How what has a type is found, and the property that is its name.
FIND = {
    "AWS::AutoScaling::AutoScalingGroup": ("AutoScalingGroupName", lambda a, r, name: autoscaling_backends[a][r].autoscaling_groups.get(name)),
    "AWS::CloudWatch::Alarm": ("AlarmName", alarm),
    "AWS::CloudWatch::CompositeAlarm": ("AlarmName", alarm),
    dashboards.DASHBOARD: ("DashboardName", lambda _a, _r, name: dashboards.find(name)),
    "AWS::DynamoDB::GlobalTable": ("TableName", table),
    "AWS::IAM::Role": ("RoleName", role),
    "AWS::Lambda::Function": ("FunctionName", function),
    "AWS::Logs::LogGroup": ("LogGroupName", lambda a, r, name: logs_backends[a][r].groups.get(name)),
    "AWS::S3::Bucket": ("BucketName", lambda a, _, name: s3_backends[a]["aws"].buckets.get(name)),
    "AWS::SNS::Topic": ("TopicName", topic),
}


def find(resource_type, properties, account, region):
    """What exists by the name that a resource's properties have, with the name."""
    name_property, found = FIND.get(resource_type, ("", None))
    name = properties.get(name_property)
    return (found(account, region, name) if found and name else None), name


def may_import(resource_json):
    """Whether a resource may be taken over: one with a literal name that is retained."""
    name_property, _ = FIND.get(resource_json["Type"], ("", None))
    literal = isinstance(resource_json.get("Properties", {}).get(name_property), str)
    return literal and resource_json.get("DeletionPolicy") in ("Retain", "RetainExceptOnCreate")


def owner(resource_type, name, region):
    """The stack that a resource belongs to, or None."""
    for account in list(cloudformation_backends.values()):
        if region in account:
            for stack in list(account[region].stacks.values()):
                for resource in list(stack.resource_map._parsed_resources.values()):
                    if getattr(resource, "cf_resource_type", None) == resource_type and resource.physical_resource_id == name:
                        return stack
    return None
