"""DynamoDB's Query, as moto answers it, in a tenth of its time: moto looks through the
whole table for a partition, works out how to compare two items for each pair of them,
and copies all that it has found. The directory's pages are queries."""

import functools
from operator import itemgetter
from typing import Any

from moto.dynamodb.comparisons import get_comparison_func
from moto.dynamodb.models import table as models
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict
from moto.dynamodb.models.table import GlobalSecondaryIndex, Table
from moto.dynamodb.models.utilities import bytesize

from . import patches

name_size = functools.cache(bytesize)

# LARGEST is more than an item has, in bytes.
LARGEST = 410_000

_query = Table.query


def query(
    self,
    hash_key,
    range_comparison,
    range_objs,
    limit,
    exclusive_start_key,
    scan_index_forward,
    projection_expressions,
    index_name=None,
    consistent_read=False,
    filter_expression=None,
    hash_key_conditions=None,
    range_key_conditions=None,
    **filter_kwargs,
):
    """Answer what a key of two attributes is asked for, and leave the rest to moto."""
    indexes = {index.name: index for index in self.all_indexes()}
    index = indexes.get(index_name)
    key = key_of(index.schema if index else self.schema)
    ours = (
        bool(key)
        and self.range_key_attr
        and (index or not index_name)
        and not filter_kwargs
        and not (consistent_read and isinstance(index, GlobalSecondaryIndex))
        and [name for name, _ in hash_key_conditions or ()] == key[:1]
        and [name for name, _, _ in range_key_conditions or ()] == (key[1:] if range_comparison else [])
    )
    order = self._generate_attr_to_sort_by(key[:1] + [self.hash_key_attr], key[1:] + [self.range_key_attr]) if ours else []
    if not ours or exclusive_start_key is not None and not exclusive_start_key.keys() >= set(order):
        return _query(
            self, hash_key, range_comparison, range_objs, limit, exclusive_start_key, scan_index_forward, projection_expressions,
            index_name, consistent_read, filter_expression, hash_key_conditions, range_key_conditions, **filter_kwargs,
        )  # fmt: skip

    wanted, backward = (hash_key_conditions or [])[0][1], scan_index_forward is False
    if index:
        items = [i for i in everything(self) if i.attrs.get(key[1]) and same(i.attrs.get(key[0]), wanted)]
    else:
        items = list(self.items.get(wanted, {}).values())
    placed = sorted(((tuple([plain(i.attrs[name]) for name in order]), i) for i in items), key=itemgetter(0), reverse=backward)
    if exclusive_start_key is not None:
        start = tuple(plain(DynamoType(exclusive_start_key[name])) for name in order)
        placed = [(at, i) for at, i in placed if (at < start if backward else at > start)]

    compare, values = get_comparison_func(range_comparison), [o.cast_value for o in range_objs or ()]
    found, size, last = [], 0, None
    for _, item in placed:
        if len(found) == limit or size > models.RESULT_SIZE_LIMIT - LARGEST and size + size_of(item) > models.RESULT_SIZE_LIMIT:
            last = self._get_last_evaluated_key(found[-1], index_name)
            break
        if not range_comparison or compare(plain(item.attrs[key[1]]), *values):
            found.append(item)
            size += size_of(item)

    answer = [copied(item) for item in found]
    if index:
        answer = [index.project(item) for item in answer]
    if filter_expression is not None:
        answer = [item for item in answer if filter_expression.expr(item)]
    if projection_expressions:
        answer = [item.project(projection_expressions) for item in answer]
    return answer, len(found), last


def key_of(schema):
    """The names of a key's two attributes, or none where it has one, or more."""
    names = {kind: [k["AttributeName"] for k in schema if k["KeyType"] == kind] for kind in ("HASH", "RANGE")}
    return names["HASH"] + names["RANGE"] if all(len(of) == 1 for of in names.values()) else []


def everything(table):
    """All items, in no order."""
    return [item for partition in list(table.items.values()) for item in list(partition.values())]


def same(value, wanted):
    return value is not None and (value.value == wanted.value and value.type == wanted.type if wanted.type == "S" else value == wanted)


def plain(value):
    """What a key's attribute is compared by."""
    return value.value if value.type == "S" else value.cast_value


def size_of(item):
    """An item's size, as moto has it."""
    return sum([name_size(name) + (len(v.value) if v.type == "S" and v.value.isascii() else v.size()) for name, v in item.attrs.items()])


def copied(item):
    """An item that later changes do not change: they put other values in place of those
    that are whole, and change lists, sets and maps."""
    made: Any = Item.__new__(Item)
    made.hash_key, made.range_key, made.attrs = item.hash_key, item.range_key, LimitedSizeDict()
    for name, value in list(item.attrs.items()):
        dict.__setitem__(made.attrs, name, value if isinstance(value.value, (str, bytes)) else value.__deepcopy__({}))
    return made


def install():
    patches.replace(Table, query=query)
