"""Writes of one item of a strong table that two regions make at once: the second one is
refused (rule 12).

Source: Amazon DynamoDB Developer Guide, "How DynamoDB global tables work", "Consistency
modes"; API Reference, "UpdateItem"."""

import functools
import json

from moto.dynamodb.exceptions import ERROR_TYPE_PREFIX, DynamodbException
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.responses import DynamoHandler

from . import patches, settings
from .clock import clock

# TAKES is how many seconds a write takes, where nothing else is set.
TAKES = 0.1

# _written is, by account, table and item, which region wrote it last, and when.
_written: dict[tuple[str, str, str], tuple[str, float]] = {}


def install():
    names = ("put_item", "update_item", "delete_item", "batch_write_item")
    patches.replace(DynamoHandler, **{name: alone(getattr(DynamoHandler, name)) for name in names})


def alone(call):
    @functools.wraps(call)
    def lone_call(self):
        now, takes = clock.seconds(), settings.get("strongWrite") or TAKES
        items = list(strong_items(self.current_account, self.region, self.body))
        for item in items:
            region, at = _written.get(item, (self.region, 0))
            if region != self.region and now < at + takes:
                raise DynamodbException(
                    f"{ERROR_TYPE_PREFIX}ReplicatedWriteConflictException",
                    "The request was rejected because one or more items in the request are being modified by a request in another Region.",
                )
        answer = call(self)
        _written.update({item: (self.region, now) for item in items})
        return answer

    return lone_call


def strong_items(account, region, body):
    """The items of strong tables that a request writes."""
    requests = body.get("RequestItems") or {body["TableName"]: [{"": body}]}
    for name, writes in requests.items():
        table = dynamodb_backends[account][region].tables.get(name.rsplit("/", 1)[-1])
        if table is None or getattr(table, "consistency", "EVENTUAL") != "STRONG":
            continue
        for write in writes:
            for part in write.values():
                item = part.get("Key") or part["Item"]
                key = [item.get(attribute) for attribute in (table.hash_key_attr, table.range_key_attr) if attribute]
                yield account, table.name, json.dumps(key, sort_keys=True)
