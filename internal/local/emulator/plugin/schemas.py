"""CloudFormation's schemas of resource types, as cfn-lint brings them. It is also a
program, which prints those properties of types whose change replaces a resource."""

import json
import sys


def create_only(resource_type):
    """The properties of a type whose change replaces the resource."""
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER, ResourceNotFoundError  # takes a second

    try:
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema
    except ResourceNotFoundError:
        return []  # newer than the schemas
    return [path.split("/")[2] for path in schema.get("createOnlyProperties", []) if path.count("/") == 2]


if __name__ == "__main__":
    print(json.dumps({resource_type: create_only(resource_type) for resource_type in sys.argv[1:]}))
