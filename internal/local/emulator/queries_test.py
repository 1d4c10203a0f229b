"""Query against moto's own, over random tables. TestQueriesAreMotos runs it."""

import random
import unittest
from unittest import mock

import boto3
from moto import mock_aws
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models import table as models
from moto.dynamodb.models.dynamo_type import DynamoType

from plugin import queries

TABLE = {
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": name,
            "KeySchema": [{"AttributeName": "gpk", "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}],
            "Projection": projection,
        }
        for name, sort, projection in [
            ("all", "gsk", {"ProjectionType": "ALL"}),
            ("some", "number", {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["badges"]}),
        ]
    ],
    "LocalSecondaryIndexes": [
        {
            "IndexName": "local",
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "gsk", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ],
    "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, t in [("pk", "S"), ("sk", "S"), ("gpk", "S"), ("gsk", "S"), ("number", "N")]],
    "BillingMode": "PAY_PER_REQUEST",
}
KEYS = {None: ("pk", "sk"), "all": ("gpk", "gsk"), "some": ("gpk", "number"), "local": ("pk", "gsk")}


class Queries(unittest.TestCase):
    def setUp(self):
        self.enterContext(mock_aws())
        self.client = boto3.client("dynamodb", region_name="eu-west-1", aws_access_key_id="a", aws_secret_access_key="b")
        self.random = random.Random(0)

    def item(self, number):
        choose = self.random.choice
        item = {
            "pk": {"S": choose("ab")}, "sk": {"S": f"{choose('xyzé')}{number:03}"}, "gpk": {"S": choose("ab")}, "gsk": {"S": choose(["x", "xx", "y", "é"])},
            "number": {"N": choose(["9", "10", "2.5", "-1"])}, "badges": {"L": [{"S": b} for b in choose([[], ["linux"], ["linux", "apple"]])]},
            "more": {"M": {"name": {"S": "Zoë"}}}, "gone": {"NULL": True}, "text": {"S": choose(["", "a" * 40_000])}, "tags": {"SS": ["a", "b"]},
        }  # fmt: skip
        for name in self.random.sample(["gpk", "gsk", "number", "badges", "more"], 1):
            del item[name]
        return item

    def asked(self, index):
        choose, (hash_key, sort) = self.random.choice, KEYS[index]
        numbers = sort == "number"
        low, high = ({"N": "2"}, {"N": "9"}) if numbers else ({"S": choose(["x", "x0", "é"])}, {"S": choose(["xz", "y", "é9"])})
        condition, used = choose([
            ("", []), ("AND #sort = :low", [":low"]), ("AND #sort > :low", [":low"]), ("AND #sort <= :high", [":high"]),
            ("AND #sort BETWEEN :low AND :high", [":low", ":high"]), *([] if numbers else [("AND begins_with(#sort, :low)", [":low"])]),
        ])  # fmt: skip
        values = {":hash": {"S": choose("abc")}, ":low": low, ":high": high}
        names = {"#hash": hash_key} | ({"#sort": sort} if used else {})
        query = {"KeyConditionExpression": f"#hash = :hash {condition}", "ScanIndexForward": choose([True, False])}
        if index:
            query["IndexName"] = index
        if limit := choose([None, 1, 3, 7]):
            query["Limit"] = limit
        if choose([True, False]):
            query["FilterExpression"] = "attribute_exists(more)"
        if choose([True, False]):
            query["ProjectionExpression"] = "sk, badges"
        return query | {"ExpressionAttributeNames": names, "ExpressionAttributeValues": {n: values[n] for n in [":hash", *used]}}

    def pages(self, query):
        """All pages, as the keys that go on, and what they hold."""
        pages, start = [], {}
        while len(pages) < 200:
            page = self.client.query(TableName="t", **query, **start)
            pages.append({k: page.get(k) for k in ("Items", "Count", "ScannedCount", "LastEvaluatedKey")})
            if "LastEvaluatedKey" not in page:
                return pages
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        self.fail(f"{query} has no end")

    def test_they_are_motos(self):
        self.client.create_table(TableName="t", **TABLE)
        for number in range(40):
            self.client.put_item(TableName="t", Item=self.item(number))
        moved = 0
        for _ in range(40):
            query = self.asked(self.random.choice(list(KEYS)))
            with mock.patch.object(models.Table, "query", queries.query), mock.patch.object(queries, "_query", side_effect=AssertionError("it is left to moto")):
                got = self.pages(query)
            want = self.pages(query)
            moved += len(want) > 1
            self.assertEqual(got, want, query)
        self.assertGreater(moved, 5)

    def test_a_page_ends_at_a_megabyte(self):
        self.client.create_table(TableName="t", **TABLE)
        for number in range(30):
            self.client.put_item(TableName="t", Item={"pk": {"S": "a"}, "sk": {"S": f"{number:02}"}, "text": {"S": "é" * 45_000}})
        query = {"KeyConditionExpression": "pk = :a", "ExpressionAttributeValues": {":a": {"S": "a"}}}
        with mock.patch.object(models.Table, "query", queries.query):
            got = self.pages(query)
        self.assertEqual([page["Count"] for page in got], [11, 11, 8])
        self.assertEqual(got, self.pages(query))

    def test_what_it_leaves_to_moto_is_answered(self):
        self.client.create_table(TableName="t", **TABLE)
        for number in range(30):
            self.client.put_item(TableName="t", Item=self.item(number))
        query = {"KeyConditions": {"pk": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "a"}]}}, "QueryFilter": {"text": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": ""}]}}}
        with mock.patch.object(models.Table, "query", queries.query):
            got = self.pages(query)
            with self.assertRaises(self.client.exceptions.ClientError):
                self.pages(query | {"IndexName": "none"})
        self.assertEqual(got, self.pages(query))

    def test_an_answer_is_not_changed(self):
        self.client.create_table(TableName="t", **TABLE)
        self.client.put_item(TableName="t", Item={"pk": {"S": "a"}, "sk": {"S": "1"}, "l": {"L": [{"S": "x"}]}, "m": {"M": {"n": {"N": "1"}}}, "s": {"SS": ["x"]}, "n": {"N": "1"}})
        table = dynamodb_backends["123456789012"]["eu-west-1"].tables["t"]
        hash_key = DynamoType({"S": "a"})
        items, _, _ = queries.query(table, hash_key, None, [], None, None, True, None, hash_key_conditions=[("pk", hash_key)])
        before = str(items)
        self.client.update_item(
            TableName="t", Key={"pk": {"S": "a"}, "sk": {"S": "1"}}, UpdateExpression="SET l[0] = :y, m.n = :two ADD s :z, n :two",
            ExpressionAttributeValues={":y": {"S": "y"}, ":two": {"N": "2"}, ":z": {"SS": ["z"]}},
        )  # fmt: skip
        self.assertEqual(str(items), before)
        self.assertNotEqual(str(table.get_item(hash_key, DynamoType({"S": "1"}))), before[1:-1])
