"""S3: versioning as the template says, and replication with an adjustable delay."""

import functools
from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from moto.cloudwatch.models import cloudwatch_backends
from moto.s3.exceptions import S3ClientError
from moto.s3.models import FakeBucket, S3Backend, s3_backends

from . import patches, permissions, settings
from .clock import clock

_create = FakeBucket.create_from_cloudformation_json.__func__
_update = FakeBucket.update_from_cloudformation_json.__func__
_delete = FakeBucket.delete_from_cloudformation_json.__func__
_put_object = S3Backend.put_object
_delete_object = S3Backend.delete_object
_put_replication = S3Backend.put_bucket_replication
_get_encryption = S3Backend.get_bucket_encryption

# BY_S3 is the encryption of a bucket of which nobody has said it. Source: Amazon S3 User
# Guide, "Setting default server-side encryption behavior for Amazon S3 buckets".
BY_S3 = {"Rule": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}}


class BucketNotEmpty(RuntimeError):
    """What CloudFormation's handler of buckets says of one that it cannot delete."""


# delay is how many seconds of the clock an object takes to the other buckets.
delay = 1.0


def install(seconds):
    global delay
    delay = seconds
    patches.replace(
        FakeBucket, create_from_cloudformation_json=classmethod(create), update_from_cloudformation_json=classmethod(update),
        delete_from_cloudformation_json=classmethod(delete),
    )
    patches.replace(
        S3Backend, put_object=put_object, delete_object=delete_object, put_bucket_replication=put_replication,
        get_bucket_encryption=get_encryption,
    )
    clock.every(60, publish)


def create(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
    bucket = _create(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)
    set_versioning(bucket, cloudformation_json)
    return bucket


def update(cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name):
    bucket = _update(cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name)
    set_versioning(bucket, cloudformation_json)
    return bucket


def delete(cls, resource_name, cloudformation_json, account_id, region_name):
    """Rule R46: a bucket that is not empty stays; moto says nothing, and leaves it."""
    bucket = s3_backends[account_id]["aws"].buckets.get(resource_name)
    if bucket and bucket.keys:
        raise BucketNotEmpty(f"The bucket you tried to delete is not empty. You must delete all versions in the bucket: {resource_name}")
    _delete(cls, resource_name, cloudformation_json, account_id, region_name)


def set_versioning(bucket, cloudformation_json):
    status = cloudformation_json.get("Properties", {}).get("VersioningConfiguration", {}).get("Status")
    if status:
        bucket.versioning_status = status


def get_encryption(self, bucket_name):
    return _get_encryption(self, bucket_name) or BY_S3


def put_replication(self, bucket_name, replication):
    """Rule R23: both buckets keep versions."""
    rules = replication["Rule"] if isinstance(replication["Rule"], list) else [replication["Rule"]]
    if self.get_bucket(bucket_name).versioning_status != "Enabled":
        raise S3ClientError("InvalidRequest", "Versioning must be 'Enabled' on the bucket to apply a replication configuration")
    for rule in rules:
        destination = self.buckets.get(rule["Destination"]["Bucket"].rsplit(":", 1)[-1])
        if not destination or destination.versioning_status != "Enabled":
            raise S3ClientError("InvalidRequest", "Destination bucket must have versioning enabled.")
    _put_replication(self, bucket_name, replication)


def put_object(self, bucket_name, key_name, value, *args, **kwargs):
    key = _put_object(self, bucket_name, key_name, value, *args, **kwargs)

    def replicate(destination):
        # An object's metadata is set after it was put, so it is read late. A
        # replica is put by moto's own method: it is not replicated again.
        replica = _put_object(self, destination, key_name, key.value)
        replica.set_metadata(key.metadata)

    if not (key.encryption or "").startswith("aws:kms"):  # rule R45b
        later(self, bucket_name, key_name, OBJECT, replicate)
    return key


def delete_object(self, bucket_name, key_name, version_id=None, bypass=False):
    result = _delete_object(self, bucket_name, key_name, version_id, bypass)
    if version_id is None:
        later(self, bucket_name, key_name, DELETION, lambda destination: _delete_object(self, destination, key_name))
    return result


# What a replication's role needs in the bucket that an object comes from, of the
# object, and in the bucket that it goes to. Source: Amazon S3 User Guide, "Setting
# up permissions for live replication".
BUCKET = ("s3:GetReplicationConfiguration", "s3:ListBucket")
OBJECT = (
    ("s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"),
    ("s3:ReplicateObject", "s3:ReplicateTags"),
)
DELETION = ((), ("s3:ReplicateDelete",))


def later(backend, bucket_name, key_name, needs, action):
    """Run action for each bucket that bucket_name replicates key_name to, after the
    delay, if the replication's role may do it now."""
    replication = backend.get_bucket_replication(bucket_name)
    for rule in (replication or {}).get("Rule", []):
        if rule["Status"] == "Enabled" and key_name.startswith((rule.get("Filter") or {}).get("Prefix") or ""):
            destination = destination_of(rule)
            from_object, to_object = needs
            wanted = [(need, permissions.s3_arn(bucket_name)) for need in BUCKET]
            wanted += [(need, permissions.s3_arn(bucket_name, key_name)) for need in from_object]
            wanted += [(need, permissions.s3_arn(destination, key_name)) for need in to_object]
            may = all(permissions.permits(replication["Role"], *need) for need in wanted)
            operation = Operation(backend, bucket_name, rule["ID"], destination, action if may else None, clock.seconds())
            pending.append(operation)
            clock.call_later(delay, functools.partial(arrive, operation))


def destination_of(rule):
    return rule["Destination"]["Bucket"].rsplit(":", 1)[-1]


class Operation(NamedTuple):
    """An object or a deletion on its way to another bucket. Without an action the role may
    not do it."""

    backend: S3Backend
    source: str
    rule: str
    destination: str
    action: Callable[[str], object] | None
    began: float


# pending are the operations on their way. waiting are those of them that a lost region
# keeps, in their order: S3 says of such an object that it is pending. Source: Amazon S3
# User Guide, "Getting replication status information".
pending: list[Operation] = []
waiting: list[Operation] = []

# _ended are the minute's operations that have ended: whether each has failed, by the
# source and its rule.
_ended: dict[tuple[str, str], list[bool]] = {}


def arrive(operation):
    """Run an operation's action, or when its region and the source's are back. It fails
    for good where the role may not, or where the destination is gone or keeps no
    versions. Source: Amazon S3 User Guide, "Amazon S3 replication failure reasons"."""
    buckets = operation.backend.buckets
    ends = [buckets[name] for name in (operation.source, operation.destination) if name in buckets]
    if any(settings.lost(bucket.region_name) for bucket in ends):
        waiting.append(operation)
        return
    pending.remove(operation)
    keeps = operation.destination in buckets and buckets[operation.destination].versioning_status == "Enabled"
    _ended.setdefault((operation.source, operation.rule), []).append(not (operation.action and keeps))
    if operation.action and keeps:
        operation.action(operation.destination)


def catch_up():
    """Replicate what no lost region keeps from it any more."""
    due, waiting[:] = list(waiting), []
    for operation in due:
        arrive(operation)


def publish():
    """Rules 9 and 9b: the minute's metrics of each rule that has them: how far the destination is behind,
    where that is, even if there is nothing to replicate; and how many operations failed,
    in the source's region and only if there were some. Source: Amazon S3 User Guide, "Using
    S3 Replication metrics"; that it has zeros is believed."""
    for account, by_partition in list(s3_backends.items()):
        for backend in list(by_partition.values()):
            for bucket in list(backend.buckets.values()):
                for rule in (backend.get_bucket_replication(bucket.name) or {}).get("Rule", []):
                    if rule["Destination"].get("Metrics", {}).get("Status") == "Enabled":
                        publish_rule(account, backend, bucket, rule)


def publish_rule(account, backend, bucket, rule):
    destination = backend.buckets.get(destination_of(rule))
    of_rule = {"SourceBucket": bucket.name, "DestinationBucket": destination_of(rule), "RuleId": rule["ID"]}
    dimensions = [{"Name": name, "Value": value} for name, value in of_rule.items()]
    minute = clock.now() - timedelta(minutes=1)

    def put(region, name, value):
        datum = {"MetricName": name, "Dimensions": dimensions, "Value": value, "Timestamp": minute}
        cloudwatch_backends[account][region].put_metric_data("AWS/S3", [datum])

    if destination:
        began = [o.began for o in pending if (o.source, o.rule) == (bucket.name, rule["ID"])]
        put(destination.region_name, "ReplicationLatency", clock.seconds() - min(began, default=clock.seconds()))
    ended = _ended.pop((bucket.name, rule["ID"]), None)
    if ended:
        put(bucket.region_name, "OperationsFailedReplication", sum(ended))
