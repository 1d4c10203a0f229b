"""CloudFormation's stacks, where moto's differ from what the CDK CLI relies on."""

import copy
import traceback

from moto.cloudformation import models as cloudformation
from moto.cloudformation import parsing
from moto.cloudformation.exceptions import CloudFormationError, ValidationError
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult, EmptyResult


def install():
    parsing.clean_json = clean_json
    parsing.parse_resource_and_generate_name = parse_resource
    parsing.parse_and_update_resource = update_resource
    parsing.ResourceMap.parse_ssm_parameter = parse_ssm_parameter
    parsing.ResourceMap.update = update_resources
    parsing.ResourceMap.build_resource_diff = build_resource_diff
    parsing.ResourceMap.delete = delete_resources
    cloudformation.Stack.stack_parameters = property(stack_parameters)
    cloudformation.CloudFormationBackend.delete_stack = delete_stack
    CloudFormationResponse.describe_change_set = ChangeSets.describe
    CloudFormationResponse.delete_change_set = ChangeSets.delete
    CloudFormationResponse.execute_change_set = ChangeSets.execute
    CloudFormationResponse.update_termination_protection = update_termination_protection


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


def stack_parameters(self):
    """The values as they were given; moto has what SSM parameters resolved to."""
    slots = self.template_dict.get("Parameters", {})
    return {name: self.parameters.get(name, slot.get("Default")) for name, slot in slots.items()}


_parse_resource = parsing.parse_resource_and_generate_name


def parse_resource(logical_id, resource_json, resources_map):
    """Remember what a resource was made of, references resolved."""
    parsed = _parse_resource(logical_id, resource_json, resources_map)
    if parsed:
        made_of(resources_map)[logical_id] = copy.deepcopy(parsed[1]["Properties"])
    return parsed


def made_of(resources_map):
    return resources_map.__dict__.setdefault("made_of", {})


_update_resource = parsing.parse_and_update_resource


def update_resource(logical_id, resource_json, resources_map, account_id, region_name):
    """Leave a resource as it is whose model cannot be updated; moto forgets it."""
    updated = _update_resource(logical_id, resource_json, resources_map, account_id, region_name)
    return updated or resources_map[logical_id]


_build_resource_diff = parsing.ResourceMap.build_resource_diff


def build_resource_diff(self, other_template, parameters=None):
    """Compare templates only: whether the value of a parameter changes a resource
    is seen when it is resolved, below. moto takes every parameter for changed
    that had its default before.

    Custom resources are made last and removed first: their functions' permissions
    are resources of their own, whose order moto does not keep."""
    names = _build_resource_diff(self, other_template)
    for action in "Add", "Modify":
        names[action].sort(key=lambda name: is_custom(other_template["Resources"][name]))
    names["Remove"].sort(key=lambda name: not is_custom(self._resource_json_map[name]))
    return names


def is_custom(resource_json):
    return resource_json["Type"].startswith("Custom::")


_delete_resources = parsing.ResourceMap.delete


def delete_resources(self):
    """Delete custom resources first, as above."""
    for name, resource_json in self._resource_json_map.items():
        if is_custom(resource_json) and resource_json.get("DeletionPolicy") != "Retain" and name in self._parsed_resources:
            self._delete_resource(self._parsed_resources.pop(name), resource_json)
    _delete_resources(self)


_update_resources = parsing.ResourceMap.update


def update_resources(self, template, parameters=None):
    """Update also what only refers to something that changed, as a group does to
    its launch template's version, and forget what was removed, so that it is made
    anew when it returns."""
    removed = [name for name in self._resource_json_map if name not in template["Resources"]]
    _update_resources(self, template, parameters)
    for logical_id in removed:
        self._parsed_resources.pop(logical_id, None)
        made_of(self).pop(logical_id, None)
    changed = True
    while changed:
        changed = False
        for logical_id, before in list(made_of(self).items()):
            resource_json = template["Resources"].get(logical_id)
            if resource_json and clean_json(resource_json.get("Properties", {}), self) != before:
                self._parsed_resources[logical_id] = update_resource(
                    logical_id, resource_json, self, account_id=self._account_id, region_name=self._region_name
                )
                changed = True


class ChangeSetNotFound(CloudFormationError):
    """What the CLI waits for after it deleted a change set; moto has another code."""

    code = "ChangeSetNotFound"


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
            raise ChangeSetNotFound(f"ChangeSet [{self._get_param('ChangeSetName')}] does not exist")
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
