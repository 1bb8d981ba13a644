"""Status and metadata of models as JSON, in the layout of the real server.

Source: ToJsonString in tensorflow_serving/model_servers/http_rest_api_util.cc.
"""

import json

from google.protobuf import json_format

from millrace.serving.errors import rpc_error
from millrace.serving.protos import model_service_pb2 as model_messages
from millrace.serving.protos import prediction_service_pb2 as messages
from millrace.serving.protos import signature_pb2

_STATE = model_messages.ModelVersionStatus.State


def status(response: model_messages.GetModelStatusResponse) -> bytes:
    """Returns the states of a model's versions; 64-bit numbers are strings in protobuf's JSON."""
    versions = [
        {
            "version": str(one.version),
            "state": _STATE.Name(one.state),
            "status": {
                "error_code": _code(one.status.error_code),
                "error_message": one.status.error_message,
            },
        }
        for one in response.model_version_status
    ]
    return _text({"model_version_status": versions}).encode()


def metadata(response: messages.GetModelMetadataResponse) -> bytes:
    """Returns the signatures of a model."""
    spec = {
        "name": response.model_spec.name,
        "signature_name": response.model_spec.signature_name,
        "version": str(response.model_spec.version.value),
    }
    packed = response.metadata["signature_def"].value
    signatures = json_format.MessageToDict(
        signature_pb2.SignatureDefMap.FromString(packed),
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
    )
    return (
        f'{{\n"model_spec":{_text(spec)},\n'
        f'"metadata": {{"signature_def": {_text(signatures, ordered=True)}}}\n}}\n'
    ).encode()


def _text(value: object, *, ordered: bool = False) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, sort_keys=ordered) + "\n"


def _code(number: int) -> str:
    return rpc_error(number, "").code if number else "OK"
