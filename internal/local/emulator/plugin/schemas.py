"""CloudFormation's schemas of resource types, as cfn-lint brings them. It is also a
program, which prints those properties of types whose change replaces a resource."""

import functools
import importlib.util
import json
import pathlib
import sys


@functools.cache
def folder():
    """Where cfn-lint has the schemas: to import it takes a second."""
    spec = importlib.util.find_spec("cfnlint")
    if not spec or not spec.submodule_search_locations:
        raise ImportError("there is no cfn-lint")
    return pathlib.Path(spec.submodule_search_locations[0], "data", "schemas")


@functools.cache
def files():
    """The name of each type's schema, without its suffix."""
    spec = importlib.util.spec_from_file_location("us_east_1", folder() / "providers" / "us_east_1.py")
    assert spec and spec.loader
    providers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(providers)
    return providers.types


@functools.cache
def create_only(resource_type):
    """The properties of a type whose change replaces the resource."""
    if resource_type.startswith("Custom::"):
        resource_type = "AWS::CloudFormation::CustomResource"
    if resource_type not in files():
        return []  # newer than the schemas
    schema = json.loads((folder() / "resources" / f"{files()[resource_type]}.json").read_text(encoding="utf-8"))
    return [path.split("/")[2] for path in schema.get("createOnlyProperties", []) if path.count("/") == 2]


if __name__ == "__main__":
    print(json.dumps({resource_type: create_only(resource_type) for resource_type in sys.argv[1:]}))
