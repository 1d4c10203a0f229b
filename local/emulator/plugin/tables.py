"""DynamoDB global tables: one table object that every replica's region serves."""

import functools
import threading

from moto.core.common_models import CloudFormationModel
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.table import Table

from . import models


class GlobalTable(CloudFormationModel):
    def __init__(self, table, regions):
        self.table, self.regions = table, regions

    @property
    def physical_resource_id(self):
        return self.table.name

    @staticmethod
    def cloudformation_name_type():
        return "TableName"

    @staticmethod
    def cloudformation_type():
        return "AWS::DynamoDB::GlobalTable"

    @classmethod
    def has_cfn_attr(cls, attr):
        return attr in ("Arn", "StreamArn", "TableId")

    def get_cfn_attribute(self, attribute_name):
        return self.table.name if attribute_name == "TableId" else self.table.get_cfn_attribute(attribute_name)

    @classmethod
    def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        properties = cloudformation_json["Properties"]
        home = next(r for r in properties["Replicas"] if r["Region"] == region_name)
        table = Table.create_from_cloudformation_json(
            resource_name,
            {"Properties": properties | {"DeletionProtectionEnabled": home.get("DeletionProtectionEnabled", False)}},
            account_id,
            region_name,
        )
        created = cls(table, [])
        created.place(properties, account_id)
        return created

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name
    ):
        original_resource.place(cloudformation_json["Properties"], account_id)
        return original_resource

    def place(self, properties, account_id):
        """Serve the table in the regions of its replicas and in no other."""
        wanted = [r["Region"] for r in properties["Replicas"]]
        for region in set(self.regions) - set(wanted):
            dynamodb_backends[account_id][region].tables.pop(self.table.name, None)
        for region in wanted:
            dynamodb_backends[account_id][region].tables[self.table.name] = self.table
        self.regions = wanted

    def delete(self, account_id, region_name):
        for region in self.regions:
            dynamodb_backends[account_id][region].tables.pop(self.table.name, None)


# writing is held by one write at a time.
writing = threading.RLock()


def alone(write):
    """moto looks whether a condition holds and then writes, and its server has
    threads: without this, two of them may find the same condition to hold."""

    @functools.wraps(write)
    def one_at_a_time(*args, **kwargs):
        with writing:
            return write(*args, **kwargs)

    return one_at_a_time


def install():
    for name in ("put_item", "update_item", "delete_item", "transact_write_items"):
        setattr(DynamoDBBackend, name, alone(getattr(DynamoDBBackend, name)))
    models.emulated["AWS::DynamoDB::GlobalTable"] = GlobalTable
