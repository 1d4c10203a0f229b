"""CloudFormation types that moto lacks.

A type that no module here emulates is accepted by a generic model: references
to it resolve, its properties can be read back, and it is listed, so that a
deployment shows what it left out.
"""

from collections.abc import Callable

from moto.cloudformation import parsing
from moto.cloudformation.custom_model import CustomModel
from moto.core.common_models import CloudFormationModel

from . import patches

# Emulated are classes of this plugin, by the CloudFormation type they emulate.
emulated: dict[str, type] = {}
# generics are the classes of the types that are accepted only.
generics: dict[str, type] = {}
# accepted are the resources of such types, by their physical id.
accepted: dict[str, "Generic"] = {}
# custom resolves "Custom::..." types; customs.py sets it.
custom: Callable[[str], type] = lambda resource_type: CustomModel


class Generic(CloudFormationModel):
    """A resource that exists and does nothing."""

    resource_type = ""

    def __init__(self, name, properties, account_id, region):
        self.name, self.properties, self.region = name, properties, region
        service, noun = self.resource_type.split("::")[1:3]
        self.physical_resource_id = f"arn:aws:{service.lower()}:{region}:{account_id}:{noun.lower()}/{name}"
        accepted[self.physical_resource_id] = self

    @staticmethod
    def cloudformation_name_type():
        return ""

    @staticmethod
    def cloudformation_type():
        return ""

    @classmethod
    def has_cfn_attr(cls, attr):
        return True

    def get_cfn_attribute(self, attribute_name):
        if attribute_name.endswith(("Arn", "Id")):
            return self.physical_resource_id
        return f"{self.name}.{attribute_name}".lower()

    @classmethod
    def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        return cls(resource_name, cloudformation_json["Properties"], account_id, region_name)

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name
    ):
        original_resource.properties = cloudformation_json["Properties"]
        return original_resource

    def delete(self, account_id, region_name):
        accepted.pop(self.physical_resource_id, None)


def of_type(resource_type):
    """The resources of a type that is accepted only."""
    return [r for r in list(accepted.values()) if r.resource_type == resource_type]


def class_of(resource_type):
    if resource_type in parsing.NULL_MODELS:
        return None
    if resource_type.startswith("Custom::") or resource_type == "AWS::CloudFormation::CustomResource":
        return custom(resource_type)
    found = emulated.get(resource_type) or parsing.get_model_map().get(resource_type)
    if found:
        return found
    if resource_type not in generics:
        generics[resource_type] = type("Generic", (Generic,), {"resource_type": resource_type})
    return generics[resource_type]


def install():
    patches.replace(parsing, resource_class_from_type=class_of)
