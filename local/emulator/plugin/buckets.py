"""S3: versioning as the template says, and replication with an adjustable delay."""

import threading

from moto.s3.models import FakeBucket, S3Backend

_create = FakeBucket.create_from_cloudformation_json.__func__
_update = FakeBucket.update_from_cloudformation_json.__func__
_put_object = S3Backend.put_object
_delete_object = S3Backend.delete_object

# delay is how many seconds an object takes to the other buckets.
delay = 1.0


def install(seconds):
    global delay
    delay = seconds
    FakeBucket.create_from_cloudformation_json = classmethod(create)
    FakeBucket.update_from_cloudformation_json = classmethod(update)
    S3Backend.put_object = put_object
    S3Backend.delete_object = delete_object


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

    later(self, bucket_name, replicate)
    return key


def delete_object(self, bucket_name, key_name, version_id=None, bypass=False):
    result = _delete_object(self, bucket_name, key_name, version_id, bypass)
    if version_id is None:
        later(self, bucket_name, lambda destination: _delete_object(self, destination, key_name))
    return result


def later(backend, bucket_name, action):
    """Run action for each bucket that bucket_name replicates to, after the delay."""
    replication = backend.get_bucket_replication(bucket_name)
    for rule in (replication or {}).get("Rule", []):
        if rule["Status"] == "Enabled":
            destination = rule["Destination"]["Bucket"].rsplit(":", 1)[-1]
            timer = threading.Timer(delay, action, [destination])
            timer.daemon = True
            timer.start()
