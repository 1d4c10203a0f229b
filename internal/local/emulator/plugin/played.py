"""Custom resources whose function is one of ours: the program that plays functions
runs it, and CloudFormation waits for what it puts to the response URL (rule R10).

Source: AWS CloudFormation User Guide, "Custom resource request and response
reference"; AWS Lambda Developer Guide, "Asynchronous invocation".
"""

import json
import os
import threading
import uuid
from typing import Any

from moto.awslambda.models import lambda_backends

from . import customs, models, settings
from .clock import clock
from .failures import Failed

# TIMEOUT is how many seconds CloudFormation waits at most, which is the default too.
TIMEOUT = 3600

# LARGEST is how many bytes a response may have.
LARGEST = 4096

_lock = threading.Lock()
_due: list[dict[str, str]] = []  # invocations that nobody has taken
_responses: dict[str, dict[str, Any]] = {}  # what was put to a response URL first
_waiting: set[str] = set()
cancelled: set[str] = set()  # the ids of stacks whose update is


def install():
    customs.fallback = Played


def invoke(function, payload):
    """Have a function invoked as soon as somebody takes the invocation."""
    with _lock:
        _due.append({"id": str(uuid.uuid4()), "function": function, "payload": json.dumps(payload)})


def take(_):
    """The invocations that are due, each of them once."""
    with _lock:
        taken, _due[:] = list(_due), []
        return taken


def respond(token, body):
    """Take what a function puts to its response URL; what comes later is ignored."""
    with _lock:
        if token in _waiting and token not in _responses:
            _responses[token] = read(body)
    clock.announce()
    return 200, {}


def read(body):
    if len(body) > LARGEST:
        return {"Status": "FAILED", "Reason": "Response object is too long."}
    try:
        response = json.loads(body)
        return response if isinstance(response, dict) else {"Status": "FAILED", "Reason": "Invalid response object."}
    except ValueError:
        return {"Status": "FAILED", "Reason": "Invalid response object."}


class Cancelled(Failed):
    def __init__(self, resource=None):
        super().__init__("Resource update cancelled", resource)


def cancel(stack):
    cancelled.add(stack)
    clock.announce()


class Played(customs.Custom):
    """A custom resource that a function of ours makes."""

    def __init__(self, name, properties, region, logical_id, stack_id, resource_type):
        self.logical_id, self.stack_id, self.resource_type = logical_id, stack_id, resource_type
        self.left = []  # physical ids that an update has replaced
        self.former = {}
        super().__init__(name, properties, region)

    @classmethod
    def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **kwargs):
        return cls(
            resource_name, cloudformation_json["Properties"], region_name, kwargs["LogicalId"], kwargs["StackId"], kwargs["ResourceType"]
        )

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name
    ):
        before, original_resource.properties = original_resource.properties, cloudformation_json["Properties"]
        original_resource.run("Update", before)
        return original_resource

    def get_cfn_attribute(self, attribute_name):
        if attribute_name not in self.data:
            raise ValueError(f"Vendor response doesn't contain {attribute_name} key in object {self.physical_resource_id}")
        return self.data[attribute_name]

    def run(self, request, before=None):
        """Send a request to the function and wait for its response."""
        account, region = self.properties["ServiceToken"].split(":")[4], self.properties["ServiceToken"].split(":")[3]
        lambda_backends[account][region].get_function(self.properties["ServiceToken"])
        token = str(uuid.uuid4())
        event = {
            "RequestType": request,
            "ServiceToken": self.properties["ServiceToken"],
            "ResponseURL": f"{os.environ['AWS_ENDPOINT_URL']}/archipelago/response/{token}",
            "StackId": self.stack_id,
            "RequestId": str(uuid.uuid4()),
            "LogicalResourceId": self.logical_id,
            "ResourceType": self.resource_type,
            "ResourceProperties": as_text(self.properties),
        }
        if request != "Create":
            event["PhysicalResourceId"] = self.physical_resource_id
        if request == "Update":
            event["OldResourceProperties"] = as_text(before)
        with _lock:
            _waiting.add(token)
        try:
            invoke(self.properties["ServiceToken"], event)
            within = min(TIMEOUT, int(self.properties.get("ServiceTimeout", TIMEOUT)))
            response = clock.wait_until(
                clock.seconds() + within, lambda: _responses.get(token) or self.stack_id in cancelled
            )
        finally:
            with _lock:
                _waiting.discard(token)
                _responses.pop(token, None)
        if response is True:
            raise Cancelled(self)
        self.take(request, event, response)

    def take(self, request, event, response):
        if not response:
            raise Failed(
                f"CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId [{event['RequestId']}].",
                self,
            )
        if response.get("Status") == "SUCCESS":
            for field in "RequestId", "StackId", "LogicalResourceId":
                if response.get(field) != event[field]:
                    raise Failed(f"Invalid response object: its {field} is not the request's", self)
            if not response.get("PhysicalResourceId"):
                raise Failed("Invalid PhysicalResourceId", self)
        if request != "Delete" and response.get("PhysicalResourceId", self.physical_resource_id) != self.physical_resource_id:
            if request == "Update":
                self.left.append(self.physical_resource_id)
            self.physical_resource_id = response["PhysicalResourceId"]
        if response.get("Status") != "SUCCESS":
            reason = response.get("Reason") or "the function gave no reason"
            raise Failed(f"Received response status [{response.get('Status')}] from custom resource. Message returned: {reason}", self)
        if request != "Delete":
            self.data = response.get("Data") or {}

    def begin(self):
        """Remember what a deployment begins with."""
        self.former = self.data

    def rolled_back(self):
        """What Fn::GetAtt says after the rollback's own request, which is not documented (rule R10b)."""
        if settings.get("rollbackReadsFormer"):
            self.data = self.former

    def clean_up(self):
        """Delete what an update has replaced."""
        now = self.physical_resource_id
        for replaced in [i for i in self.left if i != now]:
            self.physical_resource_id = replaced
            try:
                self.run("Delete")
            finally:
                self.physical_resource_id, self.left = now, []

    def delete(self, account_id, region_name):
        self.run("Delete")
        if self in customs.made:
            customs.made.remove(self)


def as_text(value):
    """Properties as CloudFormation sends them: every leaf is text."""
    if isinstance(value, dict):
        return {k: as_text(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [as_text(v) for v in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
