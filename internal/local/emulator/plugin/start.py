"""What moto reads when it is imported and nothing here asks for, or asks for later: it
takes half of the start, and each test that has an emulator waits for that."""

import contextlib
import importlib
import os
import sys
import types
from unittest import mock

import boto3.session

from . import patches


def load():
    """Import the parts of moto that read much, without what is not needed."""
    with without_validator(), regions_once(), offerings_later():
        importlib.import_module("moto.apigateway.models")
        importlib.import_module("moto.ec2.models.instance_types")


@contextlib.contextmanager
def regions_once():
    """moto asks for EC2's regions three times, by a session each, and each reads the
    model of EC2, megabytes, to learn that its endpoints are called ec2."""
    session = boto3.session.Session()
    within, regions = session._session, session.get_available_regions
    read = within.get_service_data

    def service_data(name):
        return {"metadata": {"endpointPrefix": "ec2"}} if name == "ec2" else read(name)

    with (
        mock.patch.object(within, "get_service_data", service_data),
        mock.patch.object(boto3.session.Session, "get_available_regions", lambda _, *a, **k: regions(*a, **k)),
    ):
        yield


class Offerings(dict):
    """EC2's offerings at locations of a kind, by region: each region's are read when they
    are asked for."""

    def __init__(self, kind, files, read):
        super().__init__()
        self.kind, self.files, self.read = kind, {name.split(".")[0]: name for name in files}, read

    def __contains__(self, region):
        return region in self.files

    def __missing__(self, region):
        offerings = self.read(f"{self.kind}/{self.files[region]}")
        for offering in offerings:
            offering["LocationType"] = self.kind
        self[region] = offerings
        return offerings

    def get(self, region, default=None):
        return self[region] if region in self else default


@contextlib.contextmanager
def offerings_later():
    """Have moto see no files of offerings, and then read each when it is needed."""
    listdir = os.listdir

    def without_offerings(path="."):
        return [] if str(path).endswith("instance_type_offerings") else listdir(path)

    with mock.patch.object(os, "listdir", without_offerings):
        yield
    module = importlib.import_module("moto.ec2.models.instance_types")
    folder = module.root / module.offerings_path
    if module.INSTANCE_TYPE_OFFERINGS or not folder.is_dir():
        raise AttributeError("EC2's offerings are elsewhere: moto has changed")
    patches.replace(module, listdir=listdir)
    for kind in listdir(folder):
        module.INSTANCE_TYPE_OFFERINGS[kind] = Offerings(
            kind, listdir(folder / kind), lambda file: module.load_resource(module.__name__, f"{module.offerings_path}/{file}")
        )


@contextlib.contextmanager
def without_validator():
    """Spare the validator of API Gateway's documents, of which nothing here has one."""
    names = ["openapi_spec_validator", "openapi_spec_validator.validation", "openapi_spec_validator.validation.exceptions"]
    stubs = {name: types.ModuleType(name) for name in names}
    setattr(stubs[names[0]], "validate", refuse)
    setattr(stubs[names[2]], "OpenAPIValidationError", type("OpenAPIValidationError", (ValueError,), {}))
    sys.modules.update(stubs)
    yield
    for name in names:
        del sys.modules[name]


def refuse(_):
    raise NotImplementedError("documents of API Gateway are not validated here")
