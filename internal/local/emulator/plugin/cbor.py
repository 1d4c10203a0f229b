"""Smithy's RPC v2 in CBOR, which the Go SDK speaks to CloudWatch and moto does not:
calls are handed on in JSON. Source: Smithy 2.0, "Smithy RPC v2 CBOR protocol"."""

import gzip
import io
import json
import re

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import JSONParser, RpcV2CBORParser
from botocore.serialize import RpcV2CBORSerializer

PATH = re.compile(r"^/service/([^/]+)/operation/([^/]+)$")

_model = ServiceModel(Loader().load_service_model("cloudwatch", "service-2"))


def wrap(app):
    def wrapped(environ, start_response):
        call = PATH.match(environ.get("PATH_INFO", ""))
        if not call:
            return app(environ, start_response)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        if environ.pop("HTTP_CONTENT_ENCODING", "") == "gzip":
            body = gzip.decompress(body)
        parser = RpcV2CBORParser()
        asked = parser.parse_data_item(parser.get_peekable_stream_from_bytes(body))
        status, answer = hand_on(app, environ, ".".join(call.groups()), asked)
        if status.startswith("2"):
            body = encode(answer, _model.operation_model(call[2]).output_shape)
        else:
            code = answer.get("__type", "InternalFailure").rsplit("#", 1)[-1]
            message = answer.get("message") or answer.get("Message") or ""
            body = encode_error(code, message)
        start_response(status, [("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor"), ("Content-Length", str(len(body)))])
        return [body]

    return wrapped


def hand_on(app, environ, target, asked):
    body = json.dumps(asked, default=lambda value: value.timestamp()).encode()
    told = {}
    parts = app(
        environ
        | {
            "PATH_INFO": "/",
            "RAW_URI": "/",
            "REQUEST_URI": "/",
            "CONTENT_TYPE": "application/x-amz-json-1.0",
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_LENGTH": str(len(body)),
            "HTTP_X_AMZ_TARGET": target,
            "wsgi.input": io.BytesIO(body),
        },
        lambda status, headers, exc_info=None: told.update(status=status),
    )
    return told["status"], json.loads(b"".join(parts) or b"{}")


def encode(answer, shape):
    """An answer in JSON as CBOR, its timestamps tagged."""
    serialized = bytearray()
    if shape:
        RpcV2CBORSerializer()._serialize_data_item(serialized, typed(answer, shape), shape)
    return bytes(serialized)


def typed(value, shape):
    return JSONParser()._parse_shape(shape, value)


def encode_error(code, message):
    serializer, serialized = RpcV2CBORSerializer(), bytearray([0xA2])  # a map of two
    for text in ("__type", code, "message", message):
        serializer._serialize_type_string(serialized, text, None, None)
    return bytes(serialized)
