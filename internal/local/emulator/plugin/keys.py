"""KMS: the tags of a key, which CloudFormation writes as all services but KMS do; and
what may be done only by those who may use a customer's key."""

import json

from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.ec2.responses import EC2Response
from moto.kms.models import Key, kms_backends

from . import patches

_create = Key.create_from_cloudformation_json.__func__

# The key of EBS that AWS makes.
AWS_KEY = "alias/aws/ebs"

# What Auto Scaling's role has to be allowed to launch instances whose volumes a
# customer's key encrypts. Source: Amazon EC2 Auto Scaling User Guide, "Required AWS KMS
# key policy for use with encrypted volumes".
LAUNCHING = {"Decrypt", "GenerateDataKeyWithoutPlaintext", "CreateGrant"}


def install():
    patches.replace(Key, create_from_cloudformation_json=classmethod(create))
    patches.add(EC2Response, get_ebs_default_kms_key_id=get_ebs_default_key)


def create(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
    properties = cloudformation_json["Properties"]
    tags = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in properties.get("Tags", [])]
    return _create(cls, resource_name, {"Properties": properties | {"Tags": tags}}, account_id, region_name, **kwargs)


def get_ebs_default_key(self):
    return ActionResult({"KmsKeyId": ebs_default(self.current_account, self.region)})


def ebs_default(account, region):
    """AWS's own, by its alias, until another one is set. Source: AWS CLI, the example of
    get-ebs-default-kms-key-id."""
    key = ec2_backends[account][region].default_kms_key_id
    made = kms_backends[account][region].keys.get(key.rsplit("/", 1)[-1])
    return key if made and AWS_KEY not in made.aliases else AWS_KEY


def auto_scaling(account):
    """The role by which Auto Scaling launches instances."""
    return f"arn:aws:iam::{account}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"


def refusal(account, region, template):
    """Why no instance of a launch template's data is launched, or "". Rule 13: Auto
    Scaling's role, whose policy nobody can change, may use a customer's key only where
    the key's own policy or a grant says so."""
    for device in template.get("BlockDeviceMappings", []):
        volume = device.get("Ebs", {})
        name = volume.get("KmsKeyId") or (ebs_default(account, region) if str(volume.get("Encrypted")).lower() == "true" else AWS_KEY)
        if name == AWS_KEY:
            continue
        key = usable(account, region, name)
        if not key or not LAUNCHING <= allowed(key, auto_scaling(account)):
            return (
                "Instance became unhealthy while waiting for instance to be in InService state."
                " Termination Reason: Client.InternalError: Client error on launch"
            )
    return ""


def usable(account, region, name):
    """The key of an id or ARN, unless it is disabled or to be deleted."""
    key = kms_backends[account][region].keys.get(name.rsplit("/", 1)[-1])
    return key if key and key.key_state == "Enabled" else None


def allowed(key, role):
    """What of LAUNCHING a key lets a role do that has no policies of its own."""
    grants = {o for g in key.grants.values() if g.grantee_principal == role for o in g.operations}
    for statement in listed(json.loads(key.policy or "{}").get("Statement", [])):
        if statement["Effect"] == "Allow" and principals(statement) & {role, "*"}:
            patterns = [a.removeprefix("kms:").rstrip("*") for a in listed(statement["Action"])]
            grants |= {o for o in LAUNCHING for p in patterns if o.startswith(p)}
    return grants


# NOBODY is what no role has of a key that cannot be used.
NOBODY = "nobody"


def needed(account, region, name, action="kms:Decrypt"):
    """What an action with a key needs of its caller, as an ARN, or None. Rule 13b: AWS's
    own keys, and a key whose policy lets everybody of the account, need nothing."""
    if not name or "alias/" in name:
        return None
    key = usable(account, region, name)
    if not key:
        return NOBODY
    if key.key_manager != "CUSTOMER" or any(a.startswith("alias/aws/") for a in key.aliases):
        return None
    everybody = [
        s
        for s in listed(json.loads(key.policy or "{}").get("Statement", []))
        if s["Effect"] == "Allow" and "*" in principals(s) and {"kms:*", action} & set(listed(s["Action"]))
    ]
    return None if everybody else key.arn


def of_bucket(backend, bucket_name):
    """How a bucket encrypts by default: an algorithm, and a key's id or ARN where it has one."""
    by = backend.get_bucket_encryption(bucket_name)["Rule"]["ApplyServerSideEncryptionByDefault"]
    return by["SSEAlgorithm"], by.get("KMSMasterKeyID")


def principals(statement):
    principal = statement.get("Principal", {})
    return set(listed(principal if isinstance(principal, str) else principal.get("AWS", [])))


def listed(value):
    return value if isinstance(value, list) else [value]
