"""KMS: the tags of a key, which CloudFormation writes as all services but KMS do."""

from moto.kms.models import Key

from . import patches

_create = Key.create_from_cloudformation_json.__func__


def install():
    patches.replace(Key, create_from_cloudformation_json=classmethod(create))


def create(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
    properties = cloudformation_json["Properties"]
    tags = [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in properties.get("Tags", [])]
    return _create(cls, resource_name, {"Properties": properties | {"Tags": tags}}, account_id, region_name, **kwargs)
