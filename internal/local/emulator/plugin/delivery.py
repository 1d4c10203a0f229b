"""Policies of buckets, and what AWS's delivery of logs writes into them (rule R38): nothing
here is denied or allowed by one.

Source: Amazon CloudWatch Logs User Guide, "Logs sent to Amazon S3": what the bucket's
policy lacks of a statement is appended, or a policy made of it.
"""

import json

from moto.core.common_models import CloudFormationModel
from moto.ec2.models.flow_logs import FlowLogsBackend
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket, s3_backends
from moto.utilities.utils import get_partition

from . import models, patches

_create_flow_logs = FlowLogsBackend.create_flow_logs

DELIVERY = {"Service": "delivery.logs.amazonaws.com"}


class BucketPolicy(CloudFormationModel):
    def __init__(self, bucket):
        self.physical_resource_id = bucket

    @staticmethod
    def cloudformation_name_type():
        return "Bucket"

    @staticmethod
    def cloudformation_type():
        return "AWS::S3::BucketPolicy"

    @classmethod
    def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        properties = cloudformation_json["Properties"]
        bucket = s3_backends[account_id][get_partition(region_name)].get_bucket(properties["Bucket"])
        if bucket.policy:
            raise ValueError(f"The bucket policy already exists on bucket {bucket.name}.")
        bucket.policy = json.dumps(properties["PolicyDocument"]).encode()
        return cls(bucket.name)

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name
    ):
        """The whole policy is written: what somebody else had added is gone."""
        bucket = s3_backends[account_id][get_partition(region_name)].get_bucket(original_resource.physical_resource_id)
        bucket.policy = json.dumps(cloudformation_json["Properties"]["PolicyDocument"]).encode()
        return original_resource

    def delete(self, account_id, region_name):
        bucket = s3_backends[account_id][get_partition(region_name)].buckets.get(self.physical_resource_id)
        if bucket:
            bucket.policy = None


def create_flow_logs(self, *args, **kwargs):
    made, unsuccessful = _create_flow_logs(self, *args, **kwargs)
    for log in made:
        if log.log_destination_type == "s3":
            append(self.account_id, self.region_name, log.log_destination.split(":", 5)[5].partition("/")[0])
    return made, unsuccessful


def append(account, region, name):
    """Write what AWS's delivery needs, also where the policy says the same in other words."""
    partition = get_partition(region)
    bucket = s3_backends[account][partition].get_bucket(name)
    policy = json.loads(bucket.policy) if bucket.policy else {"Version": "2012-10-17", "Statement": []}
    source = {
        "StringEquals": {"aws:SourceAccount": account},
        "ArnLike": {"aws:SourceArn": f"arn:{partition}:logs:{region}:{account}:*"},
    }
    wanted = {
        "AWSLogDeliveryWrite1": ("s3:PutObject", f"arn:{partition}:s3:::{name}/AWSLogs/{account}/*"),
        "AWSLogDeliveryAclCheck1": ("s3:GetBucketAcl", f"arn:{partition}:s3:::{name}"),
    }
    for sid, (action, resource) in wanted.items():
        if all(statement.get("Sid") != sid for statement in policy["Statement"]):
            statement = {"Sid": sid, "Effect": "Allow", "Principal": DELIVERY, "Action": action, "Resource": resource}
            policy["Statement"].append(statement | {"Condition": source})
    bucket.policy = json.dumps(policy).encode()


def install():
    models.emulated["AWS::S3::BucketPolicy"] = BucketPolicy
    patches.replace(FlowLogsBackend, create_flow_logs=create_flow_logs)
    patches.replace(FakeBucket, get_permission=lambda self, action, resource: PermissionResult.NEUTRAL)
