"""S3: versioning as the template says, and replication with an adjustable delay."""

import functools

from moto.s3.models import FakeBucket, S3Backend

from . import patches, permissions, settings
from .clock import clock

_create = FakeBucket.create_from_cloudformation_json.__func__
_update = FakeBucket.update_from_cloudformation_json.__func__
_put_object = S3Backend.put_object
_delete_object = S3Backend.delete_object

# delay is how many seconds of the clock an object takes to the other buckets.
delay = 1.0


def install(seconds):
    global delay
    delay = seconds
    patches.replace(
        FakeBucket, create_from_cloudformation_json=classmethod(create), update_from_cloudformation_json=classmethod(update)
    )
    patches.replace(S3Backend, put_object=put_object, delete_object=delete_object)


def create(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
    bucket = _create(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs)
    set_versioning(bucket, cloudformation_json)
    return bucket


def update(cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name):
    bucket = _update(cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name)
    set_versioning(bucket, cloudformation_json)
    return bucket


def set_versioning(bucket, cloudformation_json):
    status = cloudformation_json.get("Properties", {}).get("VersioningConfiguration", {}).get("Status")
    if status:
        bucket.versioning_status = status


def put_object(self, bucket_name, key_name, value, *args, **kwargs):
    key = _put_object(self, bucket_name, key_name, value, *args, **kwargs)

    def replicate(destination):
        # An object's metadata is set after it was put, so it is read late. A
        # replica is put by moto's own method: it is not replicated again.
        replica = _put_object(self, destination, key_name, key.value)
        replica.set_metadata(key.metadata)

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
    """Run action for each bucket that bucket_name replicates to, after the delay, if
    the replication's role may do it now."""
    replication = backend.get_bucket_replication(bucket_name)
    for rule in (replication or {}).get("Rule", []):
        if rule["Status"] == "Enabled":
            destination = rule["Destination"]["Bucket"].rsplit(":", 1)[-1]
            from_object, to_object = needs
            wanted = [(need, permissions.s3_arn(bucket_name)) for need in BUCKET]
            wanted += [(need, permissions.s3_arn(bucket_name, key_name)) for need in from_object]
            wanted += [(need, permissions.s3_arn(destination, key_name)) for need in to_object]
            if all(permissions.permits(replication["Role"], *need) for need in wanted):
                clock.call_later(delay, functools.partial(arrive, backend, bucket_name, destination, action))


# waiting is what a lost region keeps from being replicated, in its order: S3 says of
# such an object that it is pending. Source: Amazon S3 User Guide, "Getting replication
# status information".
waiting = []


def arrive(backend, source, destination, action):
    """Run action for a bucket, or when its region and the source's are back."""
    if any(settings.lost(backend.get_bucket(name).region_name) for name in (source, destination)):
        waiting.append((backend, source, destination, action))
    else:
        action(destination)


def catch_up():
    """Replicate what no lost region keeps from it any more."""
    due, waiting[:] = list(waiting), []
    for one in due:
        arrive(*one)
