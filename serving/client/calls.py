"""A gRPC client's calls, from numpy to messages and back; nothing is sent here.

Each function makes the `Call` that a client, synchronous or not, then sends.
"""

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, Literal, NamedTuple, TypeVar

import numpy as np
from google.protobuf.message import Message

from millrace.serving import example, values, wire
from millrace.serving.errors import FailedPreconditionError, RpcError, WireError
from millrace.serving.protos import health_pb2 as health_messages
from millrace.serving.protos import model_service_pb2 as model_messages
from millrace.serving.protos import prediction_service_pb2 as messages
from millrace.serving.protos import signature_pb2
from millrace.serving.signature import DEFAULT, Signature, from_proto

PREDICTION_SERVICE = "tensorflow.serving.PredictionService"
MODEL_SERVICE = "tensorflow.serving.ModelService"

ExampleLike = bytes | Mapping[str, example.Value]
Method = Literal["classify", "regress"]
Answer = TypeVar("Answer")

_VERSIONS = 2**63  # versions are non-negative int64
# TensorFlow's own text for an input of the wrong dtype.
_OTHER_TYPE = re.compile(r"Expects arg\[\d+\] to be \w+ but \w+ is provided")


@dataclasses.dataclass(frozen=True)
class Call(Generic[Answer]):
    """A request, the path of its RPC method, and how to read the response's bytes.

    `model` is the name of the model, for observers. `typed` is set if the call's inputs have
    dtypes that a server may refuse.
    """

    path: str
    request: Message
    read: Callable[[bytes], Answer]
    model: str = ""
    typed: "Typed[Answer] | None" = None


class Typed(NamedTuple, Generic[Answer]):
    """How to repeat a call after a server has refused the dtype of an input."""

    describe: Call["Metadata"]
    make: Callable[["Metadata"], Call[Answer]]


class Prediction(dict[str, np.ndarray]):
    """Outputs by alias, and the `version` of the model that computed them."""

    def __init__(self, outputs: Mapping[str, np.ndarray], version: int) -> None:
        super().__init__(outputs)
        self.version = version


class Class(NamedTuple):
    """One label of an example, and its score."""

    label: str
    score: float


Inference = list[list[Class]] | np.ndarray
"""The result of Classify, or that of Regress."""


@dataclasses.dataclass(frozen=True)
class Metadata:
    """The signatures, by name, of one version of a model."""

    version: int
    signatures: Mapping[str, Signature]


@dataclasses.dataclass(frozen=True)
class VersionStatus:
    """The state of one version: START, LOADING, AVAILABLE, UNLOADING or END.

    `error` says why it could not be loaded.
    """

    version: int
    state: str
    error: str = ""


@dataclasses.dataclass(frozen=True)
class Spec:
    """Which model to call: its latest version, or the one with this number or label."""

    model: str
    signature: str = ""
    version: int | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            WireError: both a version and a label are given, the version does not fit into a
                non-negative int64, or a name is not valid UTF-8.
        """
        if self.version is not None and self.label is not None:
            raise WireError(
                f"Model {self.model!r}: expected a version or a label. Received: version "
                f"{self.version} and label {self.label!r}. Leave one of them out."
            )
        if self.version is not None and not 0 <= self.version < _VERSIONS:
            raise WireError(
                f"Model {self.model!r}: expected a version from 0 to {_VERSIONS - 1}. Received: "
                f"{self.version}. `status(model)` lists those that exist."
            )
        values.utf8(self.model, "Model")
        values.utf8(self.signature, "Signature")
        values.utf8(self.label or "", "Label")

    def proto(self) -> messages.ModelSpec:
        """Returns the message."""
        spec = messages.ModelSpec(name=self.model, signature_name=self.signature)
        if self.version is not None:
            spec.version.value = self.version
        if self.label is not None:
            spec.version_label = self.label
        return spec


def predict(
    spec: Spec, inputs: Mapping[str, values.ArrayLike], output_filter: Sequence[str]
) -> Call[Prediction]:
    """Run a signature on `inputs` by alias; `output_filter` selects outputs, all if empty."""
    call = _predict(spec, inputs, output_filter)

    def make(described: Metadata) -> Call[Prediction]:
        return _predict(spec, typed(inputs, described, spec.signature), output_filter)

    return dataclasses.replace(call, typed=Typed(metadata(spec), make))


def _predict(
    spec: Spec, inputs: Mapping[str, values.ArrayLike], output_filter: Sequence[str]
) -> Call[Prediction]:
    for name in output_filter:
        values.utf8(name, "Output filter")
    request = messages.PredictRequest(model_spec=spec.proto(), output_filter=output_filter)
    for alias, value in values.named(inputs):
        wire.fill(request.inputs[alias], value, name=alias)
    return Call(f"/{PREDICTION_SERVICE}/Predict", request, _prediction, spec.model)


def is_of_other_type(error: RpcError) -> bool:
    """Whether a server refused the dtype of an input."""
    return _OTHER_TYPE.match(error.details) is not None


def typed(
    inputs: Mapping[str, values.ArrayLike], described: Metadata, signature: str
) -> dict[str, values.ArrayLike]:
    """Returns `inputs` in the dtypes of a model's `signature`; see `values.typed`."""
    found = described.signatures.get(signature or DEFAULT)
    tensors = {} if found is None else found.inputs
    return values.typed(inputs, {alias: tensor.dtype for alias, tensor in tensors.items()})


def classify(
    spec: Spec, examples: Sequence[ExampleLike], context: ExampleLike | None
) -> Call[list[list[Class]]]:
    """Classify `examples`, each with the features of `context` if it is given."""
    request = messages.ClassificationRequest(
        model_spec=spec.proto(), input=_input(examples, context)
    )
    return Call(f"/{PREDICTION_SERVICE}/Classify", request, _classes, spec.model)


def regress(
    spec: Spec, examples: Sequence[ExampleLike], context: ExampleLike | None
) -> Call[np.ndarray]:
    """Run regression on `examples`, each with the features of `context` if it is given."""
    request = messages.RegressionRequest(model_spec=spec.proto(), input=_input(examples, context))
    return Call(f"/{PREDICTION_SERVICE}/Regress", request, _values, spec.model)


def multi_inference(
    spec: Spec,
    examples: Sequence[ExampleLike],
    tasks: Mapping[str, Method],
    context: ExampleLike | None,
) -> Call[dict[str, Inference]]:
    """Run several signatures on the same `examples`; `tasks` maps each to its method."""
    request = messages.MultiInferenceRequest(input=_input(examples, context))
    for signature, method in tasks.items():
        task = request.tasks.add(method_name=f"tensorflow/serving/{method}")
        task.model_spec.CopyFrom(dataclasses.replace(spec, signature=signature).proto())
    return Call(f"/{PREDICTION_SERVICE}/MultiInference", request, _inferences, spec.model)


def metadata(spec: Spec) -> Call[Metadata]:
    """Get the signatures."""
    request = messages.GetModelMetadataRequest(
        model_spec=spec.proto(), metadata_field=["signature_def"]
    )
    return Call(f"/{PREDICTION_SERVICE}/GetModelMetadata", request, _metadata, spec.model)


def status(spec: Spec) -> Call[list[VersionStatus]]:
    """Get the states of the versions."""
    request = model_messages.GetModelStatusRequest(model_spec=spec.proto())
    return Call(f"/{MODEL_SERVICE}/GetModelStatus", request, _statuses, spec.model)


def reload(request: model_messages.ReloadConfigRequest) -> Call[None]:
    """Serve other models instead, and wait for new ones."""
    return Call(f"/{MODEL_SERVICE}/HandleReloadConfigRequest", request, _nothing)


def health(service: str) -> Call[bool]:
    """Check the health of `service`."""
    request = health_messages.HealthCheckRequest(service=service)
    return Call("/grpc.health.v1.Health/Check", request, _is_serving)


def available(model: str, statuses: list[VersionStatus]) -> VersionStatus | None:
    """Returns the highest available version; None if one may still become available.

    Raises:
        FailedPreconditionError: every version failed to load.
    """
    for one in statuses:
        if one.state == "AVAILABLE":
            return one
    failed = [one for one in statuses if one.state == "END" and one.error]
    if failed and len(failed) == len(statuses):
        raise FailedPreconditionError(
            f"Model {model}, version {failed[0].version}: expected it to become available. "
            f"Received: {failed[0].error}. Export the model again."
        )
    return None


def _input(records: Sequence[ExampleLike], context: ExampleLike | None) -> messages.Input:
    encoded = [_encode(record) for record in records]
    if context is None:
        return messages.Input(example_list=messages.ExampleList(examples=encoded))
    shared = messages.ExampleListWithContext(examples=encoded, context=_encode(context))
    return messages.Input(example_list_with_context=shared)


def _encode(record: ExampleLike) -> bytes:
    return record if isinstance(record, bytes) else example.encode(record)


def _prediction(raw: bytes) -> Prediction:
    response = messages.PredictResponse.FromString(raw)
    outputs = {alias: wire.to_array(response.outputs[alias]) for alias in sorted(response.outputs)}
    return Prediction(outputs, response.model_spec.version.value)


def _classes(raw: bytes) -> list[list[Class]]:
    return _labelled(messages.ClassificationResponse.FromString(raw).result)


def _labelled(result: messages.ClassificationResult) -> list[list[Class]]:
    return [
        [Class(one.label, one.score) for one in classifications.classes]
        for classifications in result.classifications
    ]


def _values(raw: bytes) -> np.ndarray:
    return _valued(messages.RegressionResponse.FromString(raw).result)


def _valued(result: messages.RegressionResult) -> np.ndarray:
    return np.array([one.value for one in result.regressions], np.float32)


def _inferences(raw: bytes) -> dict[str, Inference]:
    found: dict[str, Inference] = {}
    for one in messages.MultiInferenceResponse.FromString(raw).results:
        is_classes = one.HasField("classification_result")
        found[one.model_spec.signature_name] = (
            _labelled(one.classification_result) if is_classes else _valued(one.regression_result)
        )
    return found


def _metadata(raw: bytes) -> Metadata:
    response = messages.GetModelMetadataResponse.FromString(raw)
    packed = response.metadata["signature_def"].value
    found = signature_pb2.SignatureDefMap.FromString(packed).signature_def
    signatures = {name: from_proto(name, found[name]) for name in sorted(found)}
    return Metadata(response.model_spec.version.value, signatures)


def _is_serving(raw: bytes) -> bool:
    answer = health_messages.HealthCheckResponse.FromString(raw)
    return answer.status == health_messages.HealthCheckResponse.SERVING


def _nothing(raw: bytes) -> None:
    del raw  # a failure is the call's own status


def _statuses(raw: bytes) -> list[VersionStatus]:
    response = model_messages.GetModelStatusResponse.FromString(raw)
    name_of = model_messages.ModelVersionStatus.State.Name
    return [
        VersionStatus(one.version, name_of(one.state), one.status.error_message)
        for one in response.model_version_status
    ]
