"""CloudFormation types that moto lacks.

A type that no module here emulates is accepted by a generic model: references
to it resolve, its properties can be read back, and it is listed, so that a
deployment shows what it left out.
"""

import traceback

from moto.cloudformation import models as cloudformation
from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.common_models import CloudFormationModel
from moto.core.responses import ActionResult, EmptyResult

# Emulated are classes of this plugin, by the CloudFormation type they emulate.
emulated: dict[str, type] = {}
# generics are the classes of the types that are accepted only.
generics: dict[str, type] = {}
# accepted are the resources of such types, by their physical id.
accepted: dict[str, "Generic"] = {}
# custom resolves "Custom::..." types; customs.py sets it.
custom = None


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


def class_of(resource_type):
    if resource_type in parsing.NULL_MODELS:
        return None
    if resource_type.startswith("Custom::"):
        return custom(resource_type)
    found = emulated.get(resource_type) or parsing.get_model_map().get(resource_type)
    if found:
        return found
    if resource_type not in generics:
        generics[resource_type] = type("Generic", (Generic,), {"resource_type": resource_type})
    return generics[resource_type]


def install():
    parsing.resource_class_from_type = class_of
    parsing.clean_json = clean_json
    CloudFormationResponse.describe_change_set = ChangeSets.describe
    CloudFormationResponse.delete_change_set = ChangeSets.delete
    CloudFormationResponse.execute_change_set = ChangeSets.execute
    cloudformation.CloudFormationBackend.delete_stack = delete_stack
    CloudFormationResponse.update_termination_protection = update_termination_protection
    parsing.ResourceMap.parse_ssm_parameter = parse_ssm_parameter


_clean_json = parsing.clean_json


def clean_json(resource_json, resources_map):
    """Resolve Fn::GetAZs of "" in the stack's region; moto takes us-east-1."""
    if isinstance(resource_json, dict) and resource_json.get("Fn::GetAZs") == "":
        resource_json = {"Fn::GetAZs": resources_map["AWS::Region"]}
    return _clean_json(resource_json, resources_map)


_parse_ssm_parameter = parsing.ResourceMap.parse_ssm_parameter


def parse_ssm_parameter(self, value, value_type):
    """Name the parameter that is missing, as CloudFormation does."""
    try:
        return _parse_ssm_parameter(self, value, value_type)
    except AttributeError:
        raise ValueError(f"Unable to fetch parameters [{value}] from parameter store for this account") from None


class ChangeSets:
    """The actions on a change set, which is named within its stack; moto takes any
    stack's of that name."""

    def find(self):
        name, stack = self._get_param("ChangeSetName"), self._get_param("StackName")
        for c in list(self.cloudformation_backend.change_sets.values()):
            if c.change_set_id == name or (c.change_set_name == name and stack in (c.stack_name, c.stack_id)):
                return c
        return None

    def describe(self):
        found = ChangeSets.find(self)
        if not found:
            raise ValidationError(message=f"ChangeSet [{self._get_param('ChangeSetName')}] does not exist")
        return ActionResult(found)

    def delete(self):
        found = ChangeSets.find(self)
        if found:
            del self.cloudformation_backend.change_sets[found.change_set_id]
        return EmptyResult()

    def execute(self):
        """Fail the stack when its change set fails: the CLI polls for ever otherwise."""
        change_set = ChangeSets.find(self)
        stack = change_set.stack
        try:
            self.cloudformation_backend.execute_change_set(change_set.change_set_id)
        except Exception as e:
            traceback.print_exc()
            creating = change_set.change_set_type == "CREATE"
            stack.status = "ROLLBACK_COMPLETE" if creating else "UPDATE_ROLLBACK_COMPLETE"
            stack._add_stack_event("CREATE_FAILED" if creating else "UPDATE_FAILED", f"{type(e).__name__}: {e}")
            stack._add_stack_event(stack.status)
            return EmptyResult()
        # moto keeps the parsed template and outputs of the stack's creation.
        stack._parse_template()
        stack.output_map = stack._create_output_map()
        stack.parameters = change_set.parameters
        return EmptyResult()


def update_termination_protection(self):
    stack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
    stack.enable_termination_protection = self._get_bool_param("EnableTerminationProtection")
    return ActionResult({"StackId": stack.stack_id})


_delete_stack = cloudformation.CloudFormationBackend.delete_stack


def delete_stack(self, name_or_stack_id):
    """Refuse to delete a protected stack, which moto only remembers."""
    for stack in self.stacks.values():
        if name_or_stack_id in (stack.name, stack.stack_id) and stack.enable_termination_protection:
            raise ValidationError(message=f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
    _delete_stack(self, name_or_stack_id)
