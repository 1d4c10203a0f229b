"""IAM: what is called with the credentials of an assumed role needs that role's
permission.

Looked at are the action and, for the services in RESOURCES, the resource, in the
role's own policies and in AWS's managed ones; a Deny overrules an Allow. A caller
with other credentials is an administrator. Of conditions, those on keys whose values
are known here are looked at: the first key of an item, the service that a role is
passed to, what a refresh launches, whose zonal shift is asked for, whether a parameter
is overwritten, and by which service a key decrypts. With another one an Allow allows,
and a Deny does not deny.

Source of the actions and their resources: AWS's Service Authorization Reference.
"""

import functools
import json
import re
from urllib.parse import unquote

import xmltodict
from moto.autoscaling.models import autoscaling_backends
from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.core.utils import get_service_model
from moto.dynamodb.models import dynamodb_backends
from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.exceptions import NotFoundException
from moto.iam.models import Role, iam_backends
from moto.logs.models import LogGroup
from moto.s3.exceptions import BucketAccessDeniedError, S3AccessDeniedError
from moto.s3.models import FakeKey
from moto.s3.responses import ACTION_MAP
from moto.secretsmanager.models import secretsmanager_backends
from moto.sts.models import sts_backends
from werkzeug.exceptions import HTTPException

from . import keys, patches, settings
from .clock import clock
from .keys import listed


def install():
    patches.replace(
        ActionAuthenticatorMixin,
        _authenticate_and_authorize_normal_action=authorize,
        _authenticate_and_authorize_s3_action=authorize_s3,
    )
    patches.replace(Role, create_from_cloudformation_json=classmethod(create_role), put_policy=put_policy)
    # As CloudFormation returns it, and as policies name what is in the group.
    patches.replace(LogGroup, get_cfn_attribute=lambda self, _: f"{self.arn}:*")
    for kind, methods in S3_ACTIONS.items():
        for method, actions in methods.items():
            ACTION_MAP[kind][method].update(actions)


# S3's actions that moto lacks, by what is asked for of a bucket or an object.
S3_ACTIONS = {
    "BUCKET": {
        "HEAD": {"DEFAULT": "ListBucket"},
        "GET": {
            "replication": "GetReplicationConfiguration",
            "encryption": "GetEncryptionConfiguration",
            "publicAccessBlock": "GetBucketPublicAccessBlock",
            "ownershipControls": "GetBucketOwnershipControls",
        },
        "PUT": {
            "replication": "PutReplicationConfiguration",
            "encryption": "PutEncryptionConfiguration",
            "publicAccessBlock": "PutBucketPublicAccessBlock",
            "ownershipControls": "PutBucketOwnershipControls",
        },
        "DELETE": {
            "replication": "PutReplicationConfiguration",
            "encryption": "PutEncryptionConfiguration",
            "publicAccessBlock": "PutBucketPublicAccessBlock",
            "ownershipControls": "PutBucketOwnershipControls",
        },
    },
    "KEY": {"DELETE": {"tagging": "DeleteObjectTagging"}},
}

# IAM's names of services that moto calls otherwise.
PREFIXES = {"awslambda": "lambda", "elbv2": "elasticloadbalancing", "service-quotas": "servicequotas", "stepfunctions": "states"}


class Denied(ServiceException):
    """What a service says; moto looks for a class's errors where the class is from."""


class Refused(HTTPException):
    """What moto answers with instead of making the call."""

    def __init__(self, status, body):
        super().__init__(body)
        self.code = status


def authorize(self, resource="*"):
    """Of every service but S3."""
    role = assumed_role(self)
    if not role:
        return
    service = PREFIXES.get(self.service_name or "", self.service_name)
    action = self._get_action()
    for need in RESOURCES.get(service or "", anything)(self, f"{service}:{action}"):
        if not permits(role, *need):
            protocol = str(get_service_model(self.boto3_service_name).protocol)
            error = Denied(DENIED.get(protocol, "AccessDenied"), refusal(role, *need))
            _, headers, body = self.serialized(ActionResult(error))
            self.response_headers.update(headers)
            raise Refused(400 if protocol == "json" else 403, body)


# How services say it, by the protocol they speak.
DENIED = {"json": "AccessDeniedException", "rest-json": "AccessDeniedException", "ec2": "UnauthorizedOperation"}


def refusal(role, action, resource, known={}):
    return f"{role} is not authorized to perform: {action} on resource: {resource or '*'}"


def authorize_s3(self, bucket_name=None, key_name=None):
    role = assumed_role(self)
    if role and not all(permits(role, *need) for need in s3_needs(self, bucket_name, key_name)):
        raise BucketAccessDeniedError(bucket_name) if bucket_name else S3AccessDeniedError()


CREDENTIAL = re.compile(r"Credential=([^/]+)/")


def assumed_role(call):
    """The ARN of the role whose credentials signed a call, or the address that it
    was made by; None for other credentials."""
    signed = CREDENTIAL.search(call.headers.get("Authorization", ""))
    key = signed[1] if signed else call.querystring.get("X-Amz-Credential", [""])[0].split("/")[0]
    session = sts_backends[call.current_account]["aws"].get_assumed_role_from_access_key(key)
    return session and session.role_arn


def permits(role, action, resource, known={}):
    """Whether a role may do an action on a resource; None is one that is not known
    here, which every Allow of the action allows. known are the values of the
    condition keys that are known."""
    allowed = False
    for statement in statements(role):
        if names_action(statement, action) and names_resource(statement, resource) and all(conditions(statement, known)):
            if statement["Effect"] == "Deny":
                return False
            allowed = True
    return allowed


# COMPARED are the operators of conditions. Those of ARNs take wildcards, too. Source: IAM
# User Guide, "IAM JSON policy elements: Condition operators".
COMPARED = {
    "StringNotEquals": lambda wanted, value: value not in wanted,
    "StringEquals": lambda wanted, value: value in wanted,
    "StringLike": lambda wanted, value: matches(wanted, value),
    "ArnEquals": lambda wanted, value: matches(wanted, value),
    "ArnLike": lambda wanted, value: matches(wanted, value),
}


def conditions(statement, known):
    """Whether each condition holds."""
    for operator, keys in statement.get("Condition", {}).items():
        name = operator.removeprefix("ForAllValues:").removesuffix("IfExists")
        for key, wanted in keys.items():
            if key not in known or name not in COMPARED:
                yield statement["Effect"] == "Allow"
            elif not known[key]:  # the call does not have it
                yield name != operator
            else:
                yield all(COMPARED[name](listed(wanted), value) for value in known[key])


def names_action(statement, action):
    if "NotAction" in statement:
        return not matches(statement["NotAction"], action, re.IGNORECASE)
    return matches(statement["Action"], action, re.IGNORECASE)


def names_resource(statement, resource):
    if resource is None:
        return statement["Effect"] == "Allow" or "*" in listed(statement.get("Resource", []))
    if "NotResource" in statement:
        return not matches(statement["NotResource"], resource)
    return matches(statement["Resource"], resource)


def matches(patterns, text, flags=0):
    return any(pattern_of(p, flags).fullmatch(text) for p in listed(patterns))


@functools.cache
def pattern_of(text, flags):
    return re.compile(re.escape(text).replace(r"\*", ".*").replace(r"\?", "."), flags | re.DOTALL)


_put_policy = Role.put_policy


def put_policy(self, policy_name, policy_json):
    """Rule 5b: what changes holds after some seconds, if a test says so."""
    delay, before = settings.get("permissionDelay"), self.policies.get(policy_name)
    if delay and before != policy_json:
        self.__dict__.setdefault("pending", {})[policy_name] = before, clock.seconds() + delay
    _put_policy(self, policy_name, policy_json)


def in_force(role):
    """The documents of a role's own policies that hold now."""
    for name, document in role.policies.items():
        before, until = getattr(role, "pending", {}).get(name, (None, 0))
        if clock.seconds() < until:
            document = before
        if document:
            yield document


def statements(role_arn):
    try:
        role = iam_backends[role_arn.split(":")[4]]["aws"].get_role_by_arn(role_arn)
    except NotFoundException:
        return
    for document in in_force(role):
        yield from statements_of(document)
    for policy in role.managed_policies.values():
        yield from statements_of(next(v.document for v in policy.versions if v.is_default))
    for arn in getattr(role, "aws_policies", []):
        yield from listed(aws_policies()[arn.rsplit("/", 1)[-1]]["Document"]["Statement"])


def statements_of(document):
    return listed(json.loads(document)["Statement"])


@functools.cache
def aws_policies():
    """AWS's managed policies by their names, as moto brings them."""
    return json.loads(aws_managed_policies_data)


_create_role = Role.create_from_cloudformation_json.__func__


def create_role(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
    """Keep the managed policies, which moto leaves out, and the role's own as IAM
    gives them back."""
    role = _create_role(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)
    role.policies = {name: json.dumps(document) for name, document in role.policies.items()}
    role.aws_policies = [
        arn for arn in cloudformation_json["Properties"].get("ManagedPolicyArns", []) if ":iam::aws:policy/" in arn
    ]
    return role


# What each service's calls need: an action, a resource or None, and what is known.


def anything(call, action):
    yield action, None


def arn(call, service, resource):
    return f"arn:aws:{service}:{call.region}:{call.current_account}:{resource}"


def dynamodb(call, action):
    """An index is a resource of its own, and a transaction's parts are calls. A
    batch is an action by itself."""
    parts = call._get_param("TransactItems") or []
    for operation, part in (item for part in parts for item in part.items()):
        yield f"dynamodb:{operation}Item", table_arn(call, part["TableName"])
    if not parts:
        for table in call._get_param("RequestItems") or [call._get_param("TableName")]:
            yield action, table and table_arn(call, table, call._get_param("IndexName")), first_keys(call)


def first_keys(call):
    table = dynamodb_backends[call.current_account][call.region].tables.get(call._get_param("TableName"))
    item = call._get_param("Key") or call._get_param("Item")
    return {"dynamodb:LeadingKeys": list(item.get(table.hash_key_attr, {}).values())} if table and item else {}


def table_arn(call, table, index=None):
    table = table if table.startswith("arn:") else arn(call, "dynamodb", f"table/{table}")
    return f"{table}/index/{index}" if index else table


def ssm(call, action):
    names = listed(call._get_param("Names") or call._get_param("Name") or call._get_param("Path") or [])
    for name in names:
        if action == "ssm:GetParameter" and call._get_param("WithDecryption"):
            found = call.ssm_backend.get_parameter(name)
            yield from decryption(call, "ssm", found and found.keyid)
        known = {"ssm:Overwrite": [str(bool(call._get_param("Overwrite"))).lower()]} if action == "ssm:PutParameter" else {}
        yield action, name if name.startswith("arn:") else arn(call, "ssm", f"parameter/{name.split(':')[0].lstrip('/')}"), known
    if not names:
        yield action, None


def secretsmanager(call, action):
    """Of a secret that there is not only the name is known."""
    name = call._get_param("SecretId")
    secrets = secretsmanager_backends[call.current_account][call.region].secrets
    yield action, secrets[name].arn if name and name in secrets else name
    if action == "secretsmanager:GetSecretValue" and name in secrets:
        yield from decryption(call, "secretsmanager", getattr(secrets[name], "kms_key_id", None))  # a replica has its own


def decryption(call, service, key, action="kms:Decrypt"):
    """Rule 13b: who reads by a service what a customer's key encrypts needs to decrypt."""
    needed = keys.needed(call.current_account, call.region, key, action)
    if needed:
        yield action, needed, {"kms:ViaService": [f"{service}.{call.region}.amazonaws.com"]}


def logs(call, action):
    group, stream = call._get_param("logGroupName"), call._get_param("logStreamName")
    yield action, group and arn(call, "logs", f"log-group:{group}:log-stream:{stream or ''}")


def autoscaling(call, action):
    groups = autoscaling_backends[call.current_account][call.region].autoscaling_groups
    group = groups.get(call._get_param("AutoScalingGroupName"))
    yield action, group and group.arn
    if action == "autoscaling:StartInstanceRefresh" and group:
        yield from launching(call, group)


def launching(call, group):
    """Who starts a refresh needs what launching its instances takes. Source: EC2 Auto
    Scaling User Guide, "Control Amazon EC2 launch template usage". Rule 25: which keys
    the dry run has where the type is overridden is not documented; it names the launch
    template only with dryRunNamesTemplate."""
    template = group.ec2_launch_template
    data = template.get_version(group.launch_template_version).data
    resources = ["instance/*", "volume/*", "network-interface/*", f"launch-template/{template.id}"]
    resources += [f"security-group/{g}" for g in data.get("SecurityGroupIds", [])]
    resources += [f"subnet/{s}" for s in group.vpc_zone_identifier.split(",")]
    names = settings.get("dryRunNamesTemplate")
    known = {
        "ec2:LaunchTemplate": [arn(call, "ec2", f"launch-template/{template.id}")] if names else [],
        "ec2:IsLaunchTemplateResource": ["true"] if names else [],
    }
    for resource in resources:
        of_type = {"ec2:InstanceType": [launched_type(call, group)]} if resource == "instance/*" else {}
        yield "ec2:RunInstances", arn(call, "ec2", resource), known | of_type
    yield "ec2:RunInstances", f"arn:aws:ec2:{call.region}::image/{data['ImageId']}", known
    for resource in "instance/*", "volume/*":
        yield "ec2:CreateTags", arn(call, "ec2", resource), {"ec2:CreateAction": ["RunInstances"]}
    profile = iam_backends[call.current_account]["aws"].get_instance_profile_by_arn(data["IamInstanceProfile"]["Arn"])
    yield passing(profile.roles[0].arn, "ec2.amazonaws.com")


def launched_type(call, group):
    """The type that a refresh brings a group to."""
    desired = call._get_params().get("DesiredConfiguration") or {}
    overrides = desired.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {}).get("Overrides") or []
    return overrides[0]["InstanceType"] if overrides else group.instance_type


def may_ask_for_shifts(authorization, resource):
    """Rule 24: whether who signed a call of ARC may ask for a resource's zonal shift.
    AWS's reference knows load balancers alone as this action's resources, so that of a
    group is any, "*"; with zonalShiftNamesGroup it is the group."""
    signed = CREDENTIAL.search(authorization)
    sessions = [b["aws"].get_assumed_role_from_access_key(signed[1]) for b in list(sts_backends.values())] if signed else []
    role = next((s.role_arn for s in sessions if s), None)
    named = ":loadbalancer/" in resource or settings.get("zonalShiftNamesGroup")
    return not role or permits(
        role, "arc-zonal-shift:GetManagedResource", resource if named else "*", {"arc-zonal-shift:ResourceIdentifier": [resource]}
    )


def ec2(call, action):
    group = call._get_param("GroupId") if "SecurityGroup" in action else None
    yield action, group and arn(call, "ec2", f"security-group/{group}")


def states(call, action):
    yield action, call._get_param("stateMachineArn") or call._get_param("executionArn")


def sts(call, action):
    if action != "sts:GetCallerIdentity":  # which nobody is denied
        yield action, call._get_param("RoleArn")


def cloudformation(call, action):
    """A stack is known by its name before it has the rest of its ARN."""
    stack = call._get_param("StackName")
    if stack and not stack.startswith("arn:"):
        stack = arn(call, "cloudformation", f"stack/{stack}/*")
    yield action, stack
    if call._get_param("RoleARN"):
        yield passing(call._get_param("RoleARN"), "cloudformation.amazonaws.com")


def passing(role, service):
    return "iam:PassRole", role, {"iam:PassedToService": [service]}


RESOURCES = {f.__name__: f for f in (dynamodb, ssm, secretsmanager, logs, autoscaling, ec2, states, sts, cloudformation)}


def s3_needs(call, bucket, key):
    """An object that is missing is reported only to those who may list the bucket."""
    action = f"s3:{call._get_action()}"
    if action == "s3:DeleteObject" and not key:
        for target in listed(xmltodict.parse(call.body)["Delete"]["Object"]):
            yield "s3:DeleteObjectVersion" if "VersionId" in target else action, s3_arn(bucket, target["Key"])
        return
    yield action, s3_arn(bucket or "*", key)
    if action == "s3:GetObject" and not isinstance(found := call.backend.get_object(bucket, key), FakeKey):
        yield "s3:ListBucket", s3_arn(bucket)
    elif action == "s3:GetObject":
        yield from decryption(call, "s3", found.kms_key_id)
    elif action == "s3:PutObject" and bucket in call.backend.buckets:
        yield from decryption(call, "s3", keys.of_bucket(call.backend, bucket)[1], "kms:GenerateDataKey")
    if action == "s3:PutReplicationConfiguration" and call.method == "PUT":
        yield passing(xmltodict.parse(call.body)["ReplicationConfiguration"]["Role"], "s3.amazonaws.com")
    if "x-amz-copy-source" in call.headers:
        yield "s3:GetObject", s3_arn(*unquote(call.headers["x-amz-copy-source"]).lstrip("/").split("/", 1))


def s3_arn(bucket, key=None):
    return f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"
