"""CloudFormation's stacks, where moto's differ from what the CDK CLI relies on."""

import copy
import re
import threading
import traceback

from moto.cloudformation import models as cloudformation
from moto.cloudformation import parsing
from moto.cloudformation.exceptions import AlreadyExistsException, CloudFormationError, ValidationError
from moto.cloudformation.responses import CloudFormationResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models import ec2_backends
from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateBackend
from moto.ec2.models.security_groups import SecurityGroup
from moto.ssm.models import ssm_backends

from . import failures, names, patches, played, schemas, settings, tables, updates


def install():
    patches.replace(
        parsing, clean_json=clean_json, parse_resource_and_generate_name=parse_resource, parse_and_update_resource=update_resource,
        parse_and_create_resource=create_resource,
    )
    patches.replace(
        parsing.ResourceMap,
        parse_ssm_parameter=parse_ssm_parameter,
        load_parameters=load_parameters,
        update=update_resources,
        delete=delete_resources,
    )
    patches.replace(cloudformation.ChangeSet, apply=apply)
    patches.replace(LaunchTemplate, latest_version=latest_version, get_version=get_version)
    patches.replace(LaunchTemplateBackend, describe_launch_template_versions=describe_versions)
    patches.replace(
        cloudformation.Stack, stack_parameters=property(stack_parameters), stack_resources=property(stack_resources)
    )
    patches.replace(cloudformation.CloudFormationBackend, delete_stack=delete_stack)
    patches.replace(
        CloudFormationResponse,
        create_change_set=create_change_set,
        describe_change_set=describe_change_set,
        delete_change_set=delete_change_set,
        execute_change_set=execute_change_set,
    )
    patches.add(
        CloudFormationResponse,
        update_termination_protection=update_termination_protection,
        continue_update_rollback=continue_update_rollback,
        cancel_update_stack=cancel_update_stack,
    )


_clean_json = parsing.clean_json


def clean_json(resource_json, resources_map):
    """Resolve Fn::GetAZs to the zones that the region has; moto takes a, b and c. Refuse to
    select what there is not, as CloudFormation does."""
    if isinstance(resource_json, dict) and "Fn::GetAZs" in resource_json:
        region = _clean_json(resource_json["Fn::GetAZs"], resources_map) or resources_map["AWS::Region"]
        zones = [zone.name for zone in ec2_backends[resources_map["AWS::AccountId"]][region].describe_availability_zones()]
        return list(settings.get("zones").get(region, zones))  # rule 10b: in any order
    if isinstance(resource_json, dict) and "Fn::Select" in resource_json:
        index, values = resource_json["Fn::Select"]
        if isinstance(values := clean_json(values, resources_map), list) and int(index) >= len(values):
            raise ValidationError(message=f"Template error: Fn::Select cannot select nonexistent value at index {index}")
    return _clean_json(resource_json, resources_map)


_parse_ssm_parameter = parsing.ResourceMap.parse_ssm_parameter


def parse_ssm_parameter(self, value, value_type):
    """Name the parameter that is missing, as CloudFormation does, read it for each update
    (rule 15), and remember what it was: a rollback takes that again, whatever the
    parameter says by then."""
    read = self.__dict__.setdefault("read_parameters", {})
    if not self.__dict__.get("rolling_back"):
        try:
            read[value] = _parse_ssm_parameter(self, value, value_type)
        except AttributeError:
            raise ValueError(f"Unable to fetch parameters [{value}] from parameter store for this account") from None
    return read[value]


_load_parameters = parsing.ResourceMap.load_parameters


def load_parameters(self):
    """Forget those that the template no longer has (rule R41); moto tells them for ever."""
    self.resolved_parameters = {}
    _load_parameters(self)


def stack_parameters(self):
    """The values as they were given; moto has what SSM parameters resolved to."""
    slots = self.template_dict.get("Parameters", {})
    return {name: self.parameters.get(name, slot.get("Default")) for name, slot in slots.items()}


def stack_resources(self):
    """What there is; moto makes what there is not yet, even for one who looks."""
    resources = self.resource_map
    made = [resources._parsed_resources.get(logical_id) for logical_id in list(resources.resources)]
    return [resource for resource in made if resource is not None]


_create_resource = parsing.parse_and_create_resource


def create_resource(logical_id, resource_json, resources_map, account_id, region_name):
    """Make nothing a second time, but take over what is to be imported as it is (rules
    R8 and R9). Keep what there is of a resource whose creation has failed, to be deleted:
    of a custom one whatever there is, its function is asked."""
    properties = clean_json(resource_json.get("Properties", {}), resources_map)
    failures.at(resources_map.stack_id, logical_id, failures.BEFORE)
    failures.reach_control_plane(resource_json["Type"])
    existing, name = names.find(resource_json["Type"], properties, account_id, region_name)
    if existing:
        importing = resources_map.__dict__.get("importing") and names.may_import(resource_json)
        if not importing or names.owner(resource_json["Type"], name, region_name):
            raise names.AlreadyExists(resource_json["Type"], name)
        parse_resource(logical_id, resource_json, resources_map)
        existing.cf_resource_type, existing.logical_resource_id = resource_json["Type"], logical_id
        if isinstance(existing, tables.GlobalTable):
            existing.believe(properties)
        failures.at(resources_map.stack_id, logical_id, failures.AFTER)
        return existing
    try:
        created = _create_resource(logical_id, resource_json, resources_map, account_id, region_name)
        failures.at(resources_map.stack_id, logical_id, failures.AFTER, created)
        return created
    except failures.Failed as e:
        if e.resource:
            e.resource.cf_resource_type, e.resource.logical_resource_id = resource_json["Type"], logical_id
            resources_map._parsed_resources[logical_id] = e.resource
        raise


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
    resource, rolling_back = resources_map[logical_id], resources_map.__dict__.get("rolling_back")
    failures.reach_control_plane(resource_json["Type"])
    if rolling_back:
        failures.at(resources_map.stack_id, logical_id, failures.BACK)
    if isinstance(resource, LaunchTemplate) and rolling_back:
        if settings.get("rollbackKeepsVersion"):  # rule R13: the last of them is what the update made
            vars(resource).setdefault("taken_back", []).append(resource.versions[-1])
            parse_resource(logical_id, resource_json, resources_map)
            return resource
    if not rolling_back and failures.due(resources_map.stack_id, logical_id, failures.BEFORE):
        if not isinstance(resource, LaunchTemplate) or not settings.get("rollbackKeepsVersion"):
            parse_resource(logical_id, resource_json, resources_map)  # a rollback updates what failed, too
        failures.fail(logical_id, failures.BEFORE)
    if isinstance(resource, SecurityGroup) and set_tags(resource, made_of(resources_map)[logical_id], resource_json, resources_map):
        updated = parse_resource(logical_id, resource_json, resources_map) and resource
    else:
        updated = _update_resource(logical_id, resource_json, resources_map, account_id, region_name)
    if not rolling_back:
        failures.at(resources_map.stack_id, logical_id, failures.AFTER)
    if isinstance(updated, played.Played) and rolling_back:
        updated.rolled_back()
    return updated or resource


def latest_version(template):
    """The last one that no rollback took back. Such a one stays: EC2 gives no number
    twice, and instances may run it."""
    return next(v for v in reversed(template.versions) if v not in template.__dict__.get("taken_back", []))


_describe_versions = LaunchTemplateBackend.describe_launch_template_versions


def describe_versions(self, *args, **kwargs):
    """All of them: moto answers with the first 15 and says that there are no more."""
    return _describe_versions(self, *args, **(kwargs | {"max_results": 10_000}))


_get_version = LaunchTemplate.get_version


def get_version(template, number):
    return latest_version(template) if str(number).lower() == "$latest" else _get_version(template, number)


def set_tags(group, old, resource_json, resources_map):
    """Change a group's tags where nothing else of it changes; moto makes another group."""
    new = dict(clean_json(resource_json.get("Properties", {}), resources_map))
    if old | {"Tags": None} != new | {"Tags": None}:
        return False
    group.ec2_backend.tags.pop(group.id, None)
    group.add_tags({tag["Key"]: tag["Value"] for tag in new.get("Tags", [])})
    return True


def dependencies(value):
    """The logical ids, among others, that a part of a template refers to."""
    if isinstance(value, list):
        for child in value:
            yield from dependencies(child)
    elif isinstance(value, dict):
        for key, child in value.items():
            if key == "Ref":
                yield child
            elif key == "Fn::GetAtt":
                yield child[0] if isinstance(child, list) else child.split(".")[0]
            elif key == "DependsOn":
                yield from [child] if isinstance(child, str) else child
            else:
                if key == "Fn::Sub":
                    yield from re.findall(r"\$\{([^!.}]+)", child if isinstance(child, str) else child[0])
                yield from dependencies(child)


def in_order(resources):
    """The logical ids, each after those that it refers to."""
    order, seen = [], set()

    def visit(logical_id):
        if logical_id in resources and logical_id not in seen:
            seen.add(logical_id)
            for other in dependencies(resources[logical_id]):
                visit(other)
            order.append(logical_id)

    for logical_id in resources:
        visit(logical_id)
    return order


def update_resources(self, template, parameters=None):
    """Make and change what the template has, each after what it refers to, wait for
    instances to be replaced, then remove what it no longer has. What cannot be removed is left behind, and the
    update is complete all the same; moto removes first."""
    before = self._resource_json_map
    self._template, self._resource_json_map = template, template["Resources"]
    if parameters:
        self.input_parameters = parameters
    self.load_mapping()
    self.load_parameters()
    self.load_conditions()
    replaced = self.__dict__.setdefault("replaced", {})
    for logical_id in in_order(self._resource_json_map):
        if self.stack_id in played.cancelled:
            raise played.Cancelled
        resource_json, old = self._resource_json_map[logical_id], made_of(self).get(logical_id)
        if logical_id not in self._parsed_resources:
            self[logical_id]  # makes it
        elif old is not None and (new := clean_json(resource_json.get("Properties", {}), self)) != old:
            if is_replaced_by(resource_json["Type"], old, new):
                replaced[logical_id] = self._parsed_resources.pop(logical_id), old
                self[logical_id]
            else:
                try:
                    self._parsed_resources[logical_id] = update_resource(
                        logical_id, resource_json, self, account_id=self._account_id, region_name=self._region_name
                    )
                except Exception:
                    if self.__dict__.get("rolling_back"):
                        made_of(self)[logical_id] = old  # to be tried again
                    raise
    updates.await_refreshes(list(self._parsed_resources.values()))
    failures = []
    for logical_id in reversed(in_order(before)):
        if logical_id in replaced:
            remove(self, logical_id, replaced.pop(logical_id)[0], before[logical_id], "UpdateReplacePolicy", failures)
        elif logical_id not in self._resource_json_map and logical_id in self._parsed_resources:
            remove(self, logical_id, self._parsed_resources.pop(logical_id), before[logical_id], "DeletionPolicy", failures)
            made_of(self).pop(logical_id, None)
        elif isinstance(resource := self._parsed_resources.get(logical_id), played.Played):
            try:
                resource.clean_up()
            except Exception as e:
                failures.append((logical_id, resource.resource_type, f"{type(e).__name__}: {e}"))
    return failures


def roll_back(self, template, parameters, read_parameters):
    """Return to the template before an update that failed, and to what SSM
    parameters were then. One that failed itself can be done again."""
    self.read_parameters, self.rolling_back, self.also_deleted = read_parameters, True, EXCEPT_ON_CREATE
    self._resource_json_map = self.__dict__.setdefault("failed", self._resource_json_map)
    try:
        updates.cancel_refreshes(list(self._parsed_resources.values()))
        for logical_id, (resource, properties) in self.__dict__.pop("replaced", {}).items():
            replacement = self._parsed_resources.get(logical_id)
            self._parsed_resources[logical_id], made_of(self)[logical_id] = resource, properties
            if replacement:
                delete(self, replacement, self._resource_json_map[logical_id])
        failures = update_resources(self, template, parameters)
        del self.failed
        return failures
    finally:
        self.rolling_back, self.also_deleted = False, None


# EXCEPT_ON_CREATE is the policy that retains nothing that a rollback takes back.
EXCEPT_ON_CREATE = "RetainExceptOnCreate"


def is_replaced_by(resource_type, old, new):
    """Whether a resource is replaced when its properties change, as its schema says."""
    return any(old.get(name) != new.get(name) for name in schemas.create_only(resource_type))


def remove(self, logical_id, resource, resource_json, policy, failures):
    """Delete a resource unless the template retains it."""
    if resource_json.get(policy, "Delete") not in ("Delete", self.__dict__.get("also_deleted")):
        return
    try:
        delete(self, resource, resource_json)
    except Exception as e:
        failures.append((logical_id, resource_json["Type"], f"{type(e).__name__}: {e}"))


def delete(self, resource, resource_json):
    """moto takes an error within a deletion for one that it has no deletion for."""
    failures.reach_control_plane(resource_json["Type"])
    if hasattr(resource, "delete"):
        resource.delete(self._account_id, self._region_name)
    else:
        resource.delete_from_cloudformation_json(
            resource.physical_resource_id, resource_json, self._account_id, self._region_name
        )


def delete_resources(self):
    """Delete each resource after those that refer to it, and keep what one that
    cannot be deleted refers to; moto tries in any order. Returns what failed."""
    failures, needed = [], set()
    for logical_id in reversed(in_order(self._resource_json_map)):
        resource_json = self._resource_json_map[logical_id]
        if logical_id not in self._parsed_resources:
            continue
        failed = len(failures)
        if logical_id not in needed:
            remove(self, logical_id, self._parsed_resources[logical_id], resource_json, "DeletionPolicy", failures)
        if logical_id in needed or len(failures) > failed:
            needed.update(dependencies(resource_json))
        else:
            del self._parsed_resources[logical_id]
    return failures


class ChangeSetNotFound(CloudFormationError):
    """What the CLI waits for after it deleted a change set; moto has another code."""

    code = "ChangeSetNotFound"


def find_change_set(response):
    """The change set that is asked for, which is named within its stack; moto takes
    any stack's of that name."""
    name, stack = response._get_param("ChangeSetName"), response._get_param("StackName")
    for c in list(response.cloudformation_backend.change_sets.values()):
        if c.change_set_id == name or (c.change_set_name == name and stack in (c.stack_name, c.stack_id)):
            return c
    return None


def describe_change_set(self):
    found = find_change_set(self)
    if not found:
        raise ChangeSetNotFound(f"ChangeSet [{self._get_param('ChangeSetName')}] does not exist")
    return ActionResult(found)


def delete_change_set(self):
    found = find_change_set(self)
    if found:
        del self.cloudformation_backend.change_sets[found.change_set_id]
    return EmptyResult()


def execute_change_set(self):
    """Execute on its own: instances that are replaced take longer than a caller
    waits for an answer."""
    found = find_change_set(self)
    if not found:
        raise ChangeSetNotFound(f"ChangeSet [{self._get_param('ChangeSetName')}] does not exist")
    sets = self.cloudformation_backend.change_sets
    for other in [c for c in sets.values() if c.stack_name == found.stack_name and c is not found]:  # Rule R47
        del sets[other.change_set_id]
    found.stack.status = f"{found.change_set_type}_IN_PROGRESS"
    in_background(carry_out, self.cloudformation_backend, found)
    return EmptyResult()


# Most executions end within so many seconds: the CLI then sees the end at once.
ANSWER_WITHIN = 10


def carry_out(backend, change_set):
    """Roll back a change set that fails: the CLI polls for ever otherwise."""
    stack, resources = change_set.stack, change_set.stack.resource_map
    creating = change_set.change_set_type == "CREATE"
    stack.before = resources._template, resources.input_parameters, dict(resources.__dict__.get("read_parameters", {}))
    for resource in resources._parsed_resources.values():
        if isinstance(resource, played.Played):
            resource.begin()
    resources.importing = getattr(change_set, "imports", False)
    try:
        backend.execute_change_set(change_set.change_set_id)
    except Exception as e:
        traceback.print_exc()
        stack._add_stack_event("CREATE_FAILED" if creating else "UPDATE_FAILED", f"{type(e).__name__}: {e}")
        if creating:
            take_back(stack)
        else:
            go_back(stack)
        return
    finally:
        resources.importing = False
        played.cancelled.discard(stack.stack_id)
    # moto keeps the parsed template and outputs of the stack's creation.
    stack._parse_template()
    stack.output_map = stack._create_output_map()
    stack.parameters = change_set.parameters


def take_back(stack):
    """Roll a creation back: what was made is deleted, the last first (rules 2 and R6)."""
    resources = stack.resource_map
    stack.status, resources.also_deleted = "ROLLBACK_IN_PROGRESS", EXCEPT_ON_CREATE
    try:
        failures = delete_resources(resources)
    except Exception as e:
        traceback.print_exc()
        failures = [(stack.name, stack.cloudformation_type(), f"{type(e).__name__}: {e}")]
    finally:
        resources.also_deleted = None
    add_events(stack, "DELETE_FAILED", failures)
    end(stack, "ROLLBACK_FAILED" if failures else "ROLLBACK_COMPLETE")


def go_back(stack):
    """Roll an update back to the template before it (rule 3)."""
    stack.status = "UPDATE_ROLLBACK_IN_PROGRESS"
    played.cancelled.discard(stack.stack_id)
    try:
        failures = roll_back(stack.resource_map, *stack.before)
    except Exception as e:
        traceback.print_exc()
        add_events(stack, "UPDATE_FAILED", [(stack.name, stack.cloudformation_type(), f"{type(e).__name__}: {e}")])
        return end(stack, "UPDATE_ROLLBACK_FAILED")
    # What a rollback cannot remove it leaves behind, and is complete.
    add_events(stack, "DELETE_FAILED", failures)
    return end(stack, "UPDATE_ROLLBACK_COMPLETE")


def end(stack, status):
    stack.status = status
    stack._add_stack_event(status)


def in_background(action, *arguments):
    """Most take so few seconds that a caller sees the end at once."""
    thread = threading.Thread(target=action, args=arguments, daemon=True)
    thread.start()
    thread.join(ANSWER_WITHIN)


def continue_update_rollback(self):
    """Go on with a rollback that failed, when what was in its way is gone."""
    stack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
    if stack.status != "UPDATE_ROLLBACK_FAILED":
        raise ValidationError(message=f"Stack [{stack.stack_id}] is in {stack.status} state and can not continue its rollback.")
    in_background(go_back, stack)
    return EmptyResult()


def cancel_update_stack(self):
    """Roll back an update that goes on, without waiting for what it waits for (rule R36)."""
    stack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
    if stack.status != "UPDATE_IN_PROGRESS":
        raise ValidationError(message="CancelUpdateStack cannot be called from current stack status")
    played.cancel(stack.stack_id)
    return EmptyResult()


_create_change_set = CloudFormationResponse.create_change_set

# From these an update may begin.
STABLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")


def create_change_set(self):
    """Refuse what CloudFormation refuses before it has changed anything (rules R7, R47 and 22)."""
    backend, name = self.cloudformation_backend, self._get_param("StackName")
    stacks = [s for s in list(backend.stacks.values()) if name in (s.name, s.stack_id)]
    if self._get_param("ChangeSetType", "CREATE") == "UPDATE":
        for stack in stacks:
            if stack.status not in STABLE:
                raise ValidationError(message=f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated.")
            for p in self._get_param("Parameters", []):  # Rule R41
                if p.get("UsePreviousValue") and p["ParameterKey"] not in stack.stack_parameters:
                    raise ValidationError(
                        message=f"Invalid input for parameter key {p['ParameterKey']}. Cannot specify usePreviousValue as true for"
                        " a parameter key not in the previous template"
                    )
    if find_change_set(self):  # Rule R47
        raise AlreadyExistsException(f"ChangeSet {self._get_param('ChangeSetName')} already exists")
    for stack in stacks:
        if self._get_param("ChangeSetType", "CREATE") == "CREATE":
            if stack.status != "REVIEW_IN_PROGRESS":
                raise ValidationError(message=f"Stack [{stack.name}] already exists and cannot be created again with the changeSet.")
            del backend.stacks[stack.stack_id]  # moto would make another of the same name
    answer = _create_change_set(self)
    made = find_change_set(self)
    assert made
    missing = list(missing_parameters(made))
    if missing:
        del backend.change_sets[made.change_set_id]
        raise ValidationError(message=f"Unable to fetch parameters [{','.join(missing)}] from parameter store for this account.")
    made.imports = self._get_bool_param("ImportExistingResources", False)
    return answer


def missing_parameters(change_set):
    """The parameters of Systems Manager that a template names and that there are not."""
    resources = change_set.stack.resource_map
    parameters = ssm_backends[resources._account_id][resources._region_name]
    for name, slot in change_set.template_dict.get("Parameters", {}).items():
        value = change_set.parameters.get(name, slot.get("Default"))
        if str(slot.get("Type")).startswith("AWS::SSM::Parameter::Value") and not parameters.get_parameter(value):
            yield value


def apply(self):
    """Apply a change set, and say what it left behind."""
    add_events(self.stack, "DELETE_FAILED", self.stack.resource_map.update(self.template_dict, self.parameters))


def add_events(stack, status, failures):
    for logical_id, resource_type, reason in failures:
        stack.events.append(
            cloudformation.Event(
                stack_id=stack.stack_id,
                stack_name=stack.name,
                logical_resource_id=logical_id,
                physical_resource_id="",
                resource_type=resource_type,
                resource_status=status,
                resource_status_reason=reason,
                resource_properties=None,
            )
        )


def update_termination_protection(self):
    stack = self.cloudformation_backend.get_stack(self._get_param("StackName"))
    stack.enable_termination_protection = self._get_bool_param("EnableTerminationProtection")
    return ActionResult({"StackId": stack.stack_id})


def delete_stack(self, name_or_stack_id):
    """Refuse to delete a protected stack, which moto only remembers, and leave one
    that still has something (rule 2)."""
    for stack in list(self.stacks.values()):
        if name_or_stack_id not in (stack.name, stack.stack_id):
            continue
        if stack.enable_termination_protection:
            raise ValidationError(message=f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
        stack.status = "DELETE_IN_PROGRESS"
        in_background(delete_all, self, stack)


def delete_all(backend, stack):
    failures = delete_resources(stack.resource_map)
    add_events(stack, "DELETE_FAILED", failures)
    reason = f"The following resource(s) failed to delete: [{', '.join(f[0] for f in failures)}]." if failures else None
    stack._add_stack_event("DELETE_FAILED" if failures else "DELETE_COMPLETE", reason)
    if not failures:
        for change_set in [c for c in backend.change_sets.values() if c.stack_id == stack.stack_id]:
            del backend.change_sets[change_set.change_set_id]
        backend.deleted_stacks[stack.stack_id] = backend.stacks.pop(stack.stack_id)
    stack.status = "DELETE_FAILED" if failures else "DELETE_COMPLETE"
