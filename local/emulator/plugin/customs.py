"""Custom resources: what the Lambda functions behind them would do."""

import json
import re
import threading

import boto3
import botocore
from moto.cloudformation.custom_model import CustomModel
from moto.core.common_models import CloudFormationModel
from moto.ec2.models import ec2_backends
from moto.s3.models import s3_backends

from . import models

_clients = {}
_lock = threading.Lock()


def client(service, region):
    with _lock:
        if (service, region) not in _clients:
            _clients[service, region] = boto3.client(service, region_name=region)
        return _clients[service, region]


class Custom(CloudFormationModel):
    """A custom resource whose calls are made when CloudFormation would make them."""

    def __init__(self, name, properties, region):
        self.physical_resource_id, self.properties, self.region, self.data = name, properties, region, {}
        self.run("Create")

    @staticmethod
    def cloudformation_name_type():
        return ""

    @staticmethod
    def cloudformation_type():
        return ""

    @classmethod
    def has_cfn_attr(cls, attr):
        return True

    def get_cfn_attribute(self, attribute_name):
        return self.data.get(attribute_name)

    @classmethod
    def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        return cls(resource_name, cloudformation_json["Properties"], region_name)

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name
    ):
        original_resource.properties = cloudformation_json["Properties"]
        original_resource.run("Update")
        return original_resource

    def delete(self, account_id, region_name):
        self.run("Delete")

    def run(self, request):
        """Do what the function does on a request: "Create", "Update" or "Delete"."""


class AwsCall(Custom):
    """Custom::AWS, an AwsCustomResource of CDK."""

    def run(self, request):
        if request not in self.properties:
            return
        call = json.loads(self.properties[request])
        api = client(call["service"].lower(), call.get("region") or self.region)
        method = botocore.xform_name(call["action"][0].upper() + call["action"][1:])
        try:
            response = getattr(api, method)(**call.get("parameters", {}))
        except botocore.exceptions.ClientError as e:
            ignored = call.get("ignoreErrorCodesMatching")
            if not ignored or not re.search(ignored, e.response["Error"]["Code"]):
                raise
            response = {}
        self.data = dict(flatten(response))
        identifier = call.get("physicalResourceId", {})
        self.physical_resource_id = (
            identifier.get("id") or self.data.get(identifier.get("responsePath")) or self.physical_resource_id
        )


def flatten(value, path=""):
    """The leaves of a response by their dotted path, as AwsCustomResource returns them."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from flatten(child, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for i, child in enumerate(value):
            yield from flatten(child, f"{path}.{i}")
    else:
        yield path, value


class EmptyBucket(Custom):
    """Custom::S3AutoDeleteObjects."""

    def run(self, request):
        if request == "Delete":
            for account in s3_backends.values():
                bucket = account["aws"].buckets.get(self.properties["BucketName"])
                if bucket:
                    bucket.keys.clear()


class CloseDefaultSecurityGroup(Custom):
    """Custom::VpcRestrictDefaultSG."""

    def run(self, request):
        if request != "Delete":
            group = ec2_backends[self.properties["Account"]][self.region].get_security_group_from_id(
                self.properties["DefaultSecurityGroupId"]
            )
            group.ingress_rules.clear()
            group.egress_rules.clear()


CLASSES = {
    "Custom::AWS": AwsCall,
    "Custom::S3AutoDeleteObjects": EmptyBucket,
    "Custom::VpcRestrictDefaultSG": CloseDefaultSecurityGroup,
}


def install():
    models.custom = lambda resource_type: CLASSES.get(resource_type, CustomModel)
