"""Tables that refuse requests for being too many, where a test wants it, and the metrics of
it: one for a minute in which there were some.

Sources: Amazon DynamoDB Developer Guide, "Error handling" and "DynamoDB metrics and
dimensions"."""

import functools
from collections import Counter
from datetime import timedelta

from moto.cloudwatch.models import cloudwatch_backends
from moto.dynamodb.exceptions import ERROR_TYPE_PREFIX, DynamodbException
from moto.dynamodb.responses import DynamoHandler

from . import patches, settings
from .clock import clock

READS = ("get_item", "batch_get_item", "query", "scan", "transact_get_items")
WRITES = ("put_item", "update_item", "delete_item", "batch_write_item", "transact_write_items")

# _refused counts the minute's requests: by account, region, table, index, and metric.
_refused: Counter[tuple[str, str, str, str, str]] = Counter()


def install():
    for metric, names in ("ReadThrottleEvents", READS), ("WriteThrottleEvents", WRITES):
        patches.replace(DynamoHandler, **{name: limited(getattr(DynamoHandler, name), metric) for name in names})
    clock.every(60, publish)


def limited(call, metric):
    """A call that is refused, and counted, while its table takes no more (rule R27)."""

    @functools.wraps(call)
    def limited_call(self):
        for table in tables_of(self.body):
            if table in settings.get("throttled").get(self.region, []):
                _refused[self.current_account, self.region, table, self.body.get("IndexName", ""), metric] += 1
                raise DynamodbException(
                    f"{ERROR_TYPE_PREFIX}ThrottlingException",
                    "Throughput exceeds the current capacity of your table or index.",
                )
        return call(self)

    return limited_call


def tables_of(body):
    """The tables that a request names, by their names."""
    named = [body["TableName"]] if "TableName" in body else list(body.get("RequestItems", {}))
    named += [part["TableName"] for item in body.get("TransactItems", []) for part in item.values()]
    return {name.rsplit("/", 1)[-1] for name in named}


def publish():
    global _refused
    refused, _refused = _refused, Counter()
    for (account, region, table, index, metric), count in refused.items():
        dimensions = {"TableName": table} | ({"GlobalSecondaryIndexName": index} if index else {})
        datum = {
            "MetricName": metric, "Value": count, "Timestamp": clock.now() - timedelta(minutes=1),
            "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
        }
        cloudwatch_backends[account][region].put_metric_data("AWS/DynamoDB", [datum])
