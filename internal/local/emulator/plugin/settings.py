"""What a test sets of an account, and which way AWS goes where its documents leave it
open. Every value's zero is AWS's default, or the harder reading."""

import copy
from typing import Any

from .clock import Refused

DEFAULTS: dict[str, Any] = {
    # Whether instance refreshes go on when instances are healthy and wait for
    # nothing else: AWS's minutes are not for a developer who tries a change.
    "hurry": False,
    # Fn::GetAtt of a custom resource in a rollback: what the function answers to the
    # rollback's own request, or what it had answered before.
    "rollbackReadsFormer": False,
    # A launch template in a rollback: a further version, or the former one again.
    "rollbackKeepsVersion": False,
    # CloudFormation writes a group's policy with any other property, or only when
    # the policy changes.
    "policyWrittenWhenChanged": False,
    # Whether the dry run behind StartInstanceRefresh has the key ec2:LaunchTemplate, and
    # whether a group is a resource of arc-zonal-shift:GetManagedResource.
    "dryRunNamesTemplate": False,
    "zonalShiftNamesGroup": False,
    # Whether an import of a table reads the replica in the stack's own region alone, so
    # that another one's region may be lost.
    "importReadsOneReplica": False,
    # After how many seconds a policy that a stack attaches holds for functions.
    "permissionDelay": 0.0,
    # Lambda's concurrent executions of an account and region; 0 is 1000, AWS's
    # default, though a new account may have 10.
    "concurrency": 0,
    # EC2's vCPUs of standard instances in a region; 0 means no limit.
    "vcpus": 0,
    # EC2's VPCs and Elastic IP addresses in a region; 0 means no limit, though AWS's default
    # is five of each.
    "vpcs": 0,
    "addresses": 0,
    # The regions that the account has not enabled.
    "notEnabled": [],
    # The zones of DNS that nothing delegates to the account, though it has a hosted zone.
    "notDelegated": [],
    # The zones of a region in the order in which they are told: {region: [zone]}.
    "zones": {},
    # The ids of zones where they are others than moto's: {zone: id}.
    "zoneIds": {},
    # Instance types that a zone does not have, and those of which it has no capacity
    # at this moment: {zone: [type]}.
    "notOffered": {},
    "noCapacity": {},
    # The tables that refuse every request for being too many: {region: [table]}.
    "throttled": {},
    # How many seconds a write of a strong table takes; 0 is 0.1.
    "strongWrite": 0.0,
    # How many seconds a table's writes take to a region, as its metric says: {region: seconds}.
    "tableLag": {},
    # What fails once, and is then no longer among them:
    # [{"stack": name, "resource": logical id, "when": as in failures.py}].
    "failAt": [],
    # The regions that are lost: none of their services answers, what is in them serves
    # nobody, and what replicates into them waits.
    "lost": [],
}

_values = copy.deepcopy(DEFAULTS)


def get(name: str) -> Any:
    return _values[name]


def replace(wanted: dict[str, Any]) -> dict[str, Any]:
    """Set these, and all others to their defaults."""
    unknown = wanted.keys() - DEFAULTS.keys()
    if unknown:
        raise Refused(f"there is no setting {', '.join(sorted(unknown))}: want some of {', '.join(DEFAULTS)}")
    _values.update(copy.deepcopy(DEFAULTS) | {name: value for name, value in wanted.items() if value is not None})
    return describe()


def lost(region: str) -> bool:
    return region in get("lost")


def describe() -> dict[str, Any]:
    return dict(_values)
