"""What moto works out slowly at each request, of which a deployment makes thousands."""

import functools
import json

from moto import backends
from moto.cloudformation.models import ChangeSet, Stack
from moto.core import loaders, responses, utils
from moto.core.common_models import BaseModel

from . import patches

_modules = backends.list_of_moto_modules
_loader = loaders.create_loader
_methods = utils.method_names_from_class
_parse = Stack.parse_template


def install():
    # Each looks through folders.
    patches.replace(backends, list_of_moto_modules=functools.cache(lambda: list(_modules())))
    patches.replace(utils, create_loader=functools.cache(_loader))
    # Looks at all members of a service's class, of EC2 some thousands.
    patches.replace(responses, method_names_from_class=functools.cache(_methods))
    # Keeps each item and each point of a metric, copies too, to list them: of a day, the
    # more the longer it lasts.
    patches.replace(BaseModel, __new__=staticmethod(lambda cls, *_, **__: object.__new__(cls)))
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
