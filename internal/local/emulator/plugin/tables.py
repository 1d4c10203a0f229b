"""DynamoDB global tables: one table object that every replica's region serves."""

import copy
import functools
import threading

from moto.core.common_models import CloudFormationModel
from moto.dynamodb.exceptions import DeletionProtectedException, MockValidationException
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from . import failures, models, patches, settings


class GlobalTable(CloudFormationModel):
    def __init__(self, name, account_id, home, replicas=None):
        self.name, self.account_id, self.home = name, account_id, home
        self.replicas = replicas or {}  # what the template says of each, by its region
        self.fixed: tuple[list, str] = ([], "")  # what the template said of it when it was made or taken over

    @property
    def physical_resource_id(self):
        return self.name

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
        return self.name if attribute_name == "TableId" else self.table(self.home).get_cfn_attribute(attribute_name)

    def backend(self, region):
        return dynamodb_backends[self.account_id][region]

    def table(self, region):
        return self.backend(region).tables[self.name]

    @classmethod
    def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        properties = cloudformation_json["Properties"]
        wanted = {r["Region"]: r for r in properties["Replicas"]}
        Table.create_from_cloudformation_json(
            resource_name,
            {"Properties": properties | {"DeletionProtectionEnabled": wanted[region_name].get("DeletionProtectionEnabled", False)}},
            account_id,
            region_name,
        )
        created = cls(resource_name, account_id, region_name)
        created.fixed = fixed(properties)
        recover(created.table(region_name), wanted[region_name])
        setattr(created.table(region_name), "consistency", properties.get("MultiRegionConsistency", "EVENTUAL"))
        created.replicas[region_name] = wanted[region_name]
        failures.at(kwargs["StackId"], kwargs["LogicalId"], failures.BETWEEN, created)
        for region in wanted.keys() - {region_name}:
            created.add(region, wanted[region])
        return created

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name
    ):
        original_resource.place(cloudformation_json["Properties"])
        return original_resource

    def place(self, properties):
        """Serve the table in the regions of its replicas and in no other."""
        wanted = {r["Region"]: r for r in properties["Replicas"]}
        self.reach(wanted.keys() | self.replicas.keys() | served(self.account_id, self.name))
        moved = wanted.keys() ^ self.replicas.keys()
        if moved and properties.get("MultiRegionConsistency") == "STRONG":
            raise MockValidationException(f"{self.name}: the replicas of a table with strong consistency are fixed")
        if self.home not in wanted:  # Rule 18
            raise MockValidationException(f"{self.name}: the replica in the stack's own region, {self.home}, cannot be removed")
        key, consistency = fixed(properties)
        if key != self.fixed[0]:  # Rule R22: this one has the name that the other would get
            raise MockValidationException(
                "CloudFormation cannot update a stack when a custom-named resource requires replacing."
                f" Rename {self.name} and update the stack again."
            )
        if consistency != self.fixed[1]:
            raise MockValidationException(f"{self.name}: the consistency mode of a global table cannot be changed after creation")
        if len(moved) > 1:  # Rule 5
            raise MockValidationException(f"{self.name}: only one replica can be added or removed in an update, not {sorted(moved)}")
        for region in self.replicas.keys() - wanted.keys():
            self.backend(region).delete_table(self.name)
            del self.replicas[region]
        for region, replica in wanted.items():
            if region not in self.replicas:
                self.add(region, replica)
            # What was changed by a call meanwhile stays until the template changes.
            elif protected(replica) != protected(self.replicas[region]):
                self.table(region).deletion_protection_enabled = protected(replica)
            if recoverable(replica) != recoverable(self.replicas[region]):
                recover(self.table(region), replica)
            self.replicas[region] = replica

    def reach(self, regions):
        """Fail where a region is lost (rule 18b): a replica is made, changed and deleted by
        a call in its own region, as API_ReplicationGroupUpdate of DynamoDB says. That an
        update of another replica fails, too, and one of a template that does not name it,
        is the harder reading: the documents do not say."""
        if lost := sorted(filter(settings.lost, regions)):
            raise MockValidationException(f"{self.name}: its replica in {', '.join(lost)} does not answer")

    def add(self, region, replica):
        replicate(self.account_id, self.name, self.home, region, replica)
        self.replicas[region] = replica

    def believe(self, properties):
        """Take it that there are the replicas that a template has, as an import does
        (rule R9). It reads the table first, and whether it reads all replicas is not
        documented (rule 18c)."""
        if not settings.get("importReadsOneReplica"):
            self.reach(self.replicas)
        self.replicas = {r["Region"]: r for r in properties["Replicas"]}
        self.fixed = fixed(properties)

    def delete(self, account_id, region_name):
        self.reach(self.replicas)
        there = [region for region in self.replicas if region in served(account_id, self.name)]
        for region in there:
            if self.table(region).deletion_protection_enabled:
                raise DeletionProtectedException(self.name)
        for region in there:
            self.backend(region).delete_table(self.name)


def fixed(properties):
    """What of a table stays for its life, as a template says it: its key and its consistency."""
    types = {a["AttributeName"]: a["AttributeType"] for a in properties["AttributeDefinitions"]}
    key = sorted((k["KeyType"], k["AttributeName"], types[k["AttributeName"]]) for k in properties["KeySchema"])
    return key, properties.get("MultiRegionConsistency", "EVENTUAL")


def replicate(account_id, name, home, region, replica):
    """Serve the same items in another region, which the account has to have enabled (rule
    11b)."""
    if region in settings.get("notEnabled"):
        raise MockValidationException(f"Failed to create a new replica of the table {name}: the region {region} is not enabled")
    if name in dynamodb_backends[account_id][region].tables:
        raise MockValidationException(
            f"Failed to create a new replica of the table {name}: one or more replicas already existed as tables ({region})"
        )
    table = copy.copy(dynamodb_backends[account_id][home].tables[name])
    table.region_name, table.table_arn = region, table.table_arn.replace(f":{home}:", f":{region}:")
    table.deletion_protection_enabled = protected(replica)
    recover(table, replica)
    dynamodb_backends[account_id][region].tables[name] = table


_describe = Table.describe


def describe(self, base_key="TableDescription"):
    """Tell of the replicas in other regions, which moto does not know."""
    answer = _describe(self, base_key)
    others = sorted(
        region
        for region, backend in list(dynamodb_backends[self.account_id].items())
        if region != self.region_name and self.name in backend.tables and backend.tables[self.name].items is self.items
    )
    if others:
        answer[base_key]["Replicas"] = [{"RegionName": region, "ReplicaStatus": "ACTIVE"} for region in others]
        answer[base_key]["GlobalTableVersion"] = "2019.11.21"
        answer[base_key]["MultiRegionConsistency"] = getattr(self, "consistency", "EVENTUAL")
    return answer


_update_table = DynamoHandler.update_table


def update_table(self):
    """Add and delete replicas and set a consistency mode, which moto ignores."""
    answer, name = _update_table(self), self.body["TableName"]
    if mode := self.body.get("MultiRegionConsistency"):
        setattr(dynamodb_backends[self.current_account][self.region].tables[name], "consistency", mode)
    for update in self.body.get("ReplicaUpdates", []):
        for region in served(self.current_account, name) | {change["RegionName"] for change in update.values()}:
            if settings.lost(region):  # rule 18b
                raise MockValidationException(f"{name}: its replica in {region} does not answer")
        if "Create" in update:
            replicate(self.current_account, name, self.region, update["Create"]["RegionName"], {})
        if "Delete" in update:
            dynamodb_backends[self.current_account][update["Delete"]["RegionName"]].delete_table(name)
    return answer


def adopt(account_id, region_name, name):
    """A table that exists, as an import takes it: with what is there of it, whatever
    the template says."""
    tables = dynamodb_backends[account_id]
    replicas = {region: {"DeletionProtectionEnabled": tables[region].tables[name].deletion_protection_enabled} for region in served(account_id, name)}
    return GlobalTable(name, account_id, region_name, replicas)


def served(account_id, name):
    """The regions in which there is a table of a name."""
    return {region for region, backend in list(dynamodb_backends[account_id].items()) if name in backend.tables}


def protected(replica):
    return replica.get("DeletionProtectionEnabled", False)


def recoverable(replica):
    return replica.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled", False)


def recover(table, replica):
    """Have the point-in-time recovery that a template says of a replica."""
    status = "ENABLED" if recoverable(replica) else "DISABLED"
    table.continuous_backups = {"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": status}}


# writing is held by one write at a time.
writing = threading.RLock()


def alone(write):
    """moto looks whether a condition holds, writes, and then answers with the item as it
    is, and its server has threads: without this, two of them may find the same condition
    to hold, or answer with what the later one wrote."""

    @functools.wraps(write)
    def one_at_a_time(*args, **kwargs):
        with writing:
            return write(*args, **kwargs)

    return one_at_a_time


def install():
    for name in ("put_item", "update_item", "delete_item", "transact_write_items"):
        patches.replace(DynamoDBBackend, **{name: alone(getattr(DynamoDBBackend, name))})
    for name in ("put_item", "update_item", "delete_item"):
        patches.replace(DynamoHandler, **{name: alone(getattr(DynamoHandler, name))})
    patches.replace(DynamoHandler, update_table=update_table)
    patches.replace(Table, describe=describe)
    models.emulated["AWS::DynamoDB::GlobalTable"] = GlobalTable
