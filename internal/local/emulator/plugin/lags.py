"""How long writes of a global table take to its other replicas, as a metric: of a minute in
which something was written, where it was. The items themselves are everywhere at once.

Source: Amazon DynamoDB Developer Guide, "DynamoDB metrics and dimensions"."""

import functools
from datetime import timedelta

from moto.cloudwatch.models import cloudwatch_backends
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.responses import DynamoHandler

from . import patches, settings, tables, throttles
from .clock import clock

# USUAL is how many seconds a write takes where a test says nothing.
USUAL = 1

# _written are the minute's tables: by account, region and name.
_written: set[tuple[str, str, str]] = set()


def install():
    patches.replace(DynamoHandler, **{name: noted(getattr(DynamoHandler, name)) for name in throttles.WRITES})
    clock.every(60, publish)


def noted(write):
    @functools.wraps(write)
    def noted_write(self):
        answer = write(self)
        _written.update((self.current_account, self.region, name) for name in throttles.tables_of(self.body))
        return answer

    return noted_write


def publish():
    """Rule R28: none to a region that is lost, where nothing arrives, and none of a table
    whose writes wait for the others."""
    global _written
    written, _written = _written, set()
    for account, region, name in written:
        table = dynamodb_backends[account][region].tables.get(name)
        strong = getattr(table, "consistency", "EVENTUAL") == "STRONG"
        for other in () if strong else sorted(tables.served(account, name) - {region}):
            if not settings.lost(other):
                datum = {
                    "MetricName": "ReplicationLatency", "Timestamp": clock.now() - timedelta(minutes=1),
                    "Value": 1000 * settings.get("tableLag").get(other, USUAL),
                    "Dimensions": [{"Name": "TableName", "Value": name}, {"Name": "ReceivingRegion", "Value": other}],
                }
                cloudwatch_backends[account][region].put_metric_data("AWS/DynamoDB", [datum])
