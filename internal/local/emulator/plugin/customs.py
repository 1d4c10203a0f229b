"""Custom resources: what the Lambda functions behind them would do, each with the
role of its function."""

import json
import re
import threading
from typing import Any

import boto3
import botocore
from botocore.exceptions import ClientError
from moto.awslambda.models import lambda_backends
from moto.core.common_models import CloudFormationModel
from moto.s3.models import s3_backends

from . import models
from .clock import clock

_clients = {}
_lock = threading.Lock()


def client(service, region, role):
    with _lock:
        if (service, region, role) not in _clients:
            session = boto3.client("sts", region_name=region).assume_role(RoleArn=role, RoleSessionName="custom-resource")["Credentials"]
            _clients[service, region, role] = boto3.client(
                service,
                region_name=region,
                aws_access_key_id=session["AccessKeyId"],
                aws_secret_access_key=session["SecretAccessKey"],
                aws_session_token=session["SessionToken"],
            )
        return _clients[service, region, role]


# made are the custom resources that exist.
made: list["Custom"] = []


class Custom(CloudFormationModel):
    """A custom resource whose calls are made when CloudFormation would make them."""

    def __init__(self, name, properties, region):
        self.physical_resource_id, self.properties, self.region, self.data = name, properties, region, {}
        self.run("Create")
        made.append(self)

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
        made.remove(self)

    def client(self, service, region):
        """A client with the role of the function that makes the resource's calls."""
        return client(service, region, self.function().role)

    def function(self):
        token = self.properties["ServiceToken"]
        account, region = token.split(":")[4], token.split(":")[3]
        return lambda_backends[account][region].get_function(token)

    def run(self, request):
        """Do what the function does on a request: "Create", "Update" or "Delete"."""

    def again(self, request):
        """Do it again, with a role whose permissions are not new."""
        self.run(request)


# PATIENCE is for how many seconds a function whose code is in the template repeats what is
# denied, as that of constructs/internal/awscall does: CDK's own, an asset, fails at once.
PATIENCE = 100


class AwsCall(Custom):
    """Custom::AWS, an AwsCustomResource of CDK."""

    def again(self, request):
        self.run(request, patience=0)

    def run(self, request, patience=PATIENCE):
        if request not in self.properties:
            return
        call = json.loads(self.properties[request])
        api = self.client(call["service"].lower(), call.get("region") or self.region)
        method = botocore.xform_name(call["action"][0].upper() + call["action"][1:])
        until = clock.seconds() + (patience if "ZipFile" in self.function().code else 0)
        response = None
        while response is None:
            try:
                response = getattr(api, method)(**call.get("parameters", {}))
            except ClientError as e:
                code, ignored = e.response["Error"]["Code"], call.get("ignoreErrorCodesMatching")
                if ignored and re.search(ignored, code):
                    response = {}
                elif not code.startswith("AccessDenied") or clock.seconds() >= until:
                    raise
                else:
                    clock.sleep(2)
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
        """Take the rules away that EC2 gives the group, or give them back."""
        group = self.properties["DefaultSecurityGroupId"]
        api = self.client("ec2", self.region)
        inside = {"IpProtocol": "-1", "UserIdGroupPairs": [{"UserId": self.properties["Account"], "GroupId": group}]}
        outside = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        verb = "authorize" if request == "Delete" else "revoke"
        for direction, rule in ("ingress", inside), ("egress", outside):
            try:
                getattr(api, f"{verb}_security_group_{direction}")(GroupId=group, IpPermissions=[rule])
            except ClientError as e:
                if e.response["Error"]["Code"] not in ("InvalidPermission.NotFound", "InvalidPermission.Duplicate"):
                    raise


CLASSES = {
    "Custom::AWS": AwsCall,
    "Custom::S3AutoDeleteObjects": EmptyBucket,
    "Custom::VpcRestrictDefaultSG": CloseDefaultSecurityGroup,
}


# fallback is the class of all other custom resources; played.py sets it.
fallback: Any = Custom


def install():
    models.custom = lambda resource_type: CLASSES.get(resource_type, fallback)
