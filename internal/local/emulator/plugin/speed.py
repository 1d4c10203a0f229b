"""What moto works out slowly at each request, of which a deployment makes thousands."""

import functools
import json

import xmltodict
from moto import backends
from moto.cloudformation.models import ChangeSet, Stack
from moto.core import loaders, responses, serialize, utils
from moto.core.common_models import BaseModel
from moto.ec2.models.instances import InstanceBackend

from . import patches

_modules = backends.list_of_moto_modules
_loader = loaders.create_loader
_methods = utils.method_names_from_class
_parse = Stack.parse_template
_keys_of = serialize.XFormedAttributePicker.get_possible_keys


def install():
    # Each looks through folders.
    patches.replace(backends, list_of_moto_modules=functools.cache(lambda: list(_modules())))
    patches.replace(utils, create_loader=functools.cache(_loader))
    # Looks at all members of a service's class, of EC2 some thousands.
    patches.replace(responses, method_names_from_class=functools.cache(_methods))
    # Keeps each item and each point of a metric, copies too, to list them: of a day, the
    # more the longer it lasts.
    patches.replace(BaseModel, __new__=staticmethod(lambda cls, *_, **__: object.__new__(cls)))
    patches.replace(serialize.XFormedAttributePicker, get_possible_keys=possible_keys)
    patches.replace(InstanceBackend, get_instance_by_id=get_instance_by_id)
    # Looks at each letter of each element's name, since xmltodict 1.0.
    if validate := getattr(xmltodict, "_validate_name", None):
        patches.replace(xmltodict, _validate_name=functools.cache(validate))
    patches.replace(Stack, parse_template=staticmethod(parse_template))
    patches.replace(ChangeSet, _parse_template=parse_change_set)


def parse_template(template):
    """JSON, which the CDK CLI sends, is YAML too: whose parser takes 800 times as long."""
    try:
        return json.loads(template)
    except ValueError:
        return _parse(template)


def parse_change_set(self):
    self.template_dict = parse_template(self.template)


_keys = {}


def possible_keys(self, context):
    """By which names an attribute may be found: they depend on the class of what has it and
    on its place in AWS's model, and moto works them out for each value of each answer."""
    shape = context.shape
    place = type(context.obj), shape, getattr(shape, "parent", None), context.key
    if place not in _keys:
        _keys[place] = tuple(_keys_of(self, context))
    return _keys[place]


def get_instance_by_id(self, instance_id):
    """Without a copy of each reservation there was: those of terminated instances stay."""
    for reservation in list(self.reservations.values()):
        for instance in reservation.instances:
            if instance.id == instance_id:
                return instance
    return None
