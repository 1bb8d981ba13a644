"""PredictionService and ModelService: which model answers, and what; no gRPC.

Requests and answers are the messages of the wire; every refusal is an RpcError with the text of
`tensorflow_model_server`.
"""

import contextlib
from collections.abc import Iterator, Sequence

from serving import example_inference, inference
from serving.errors import InvalidArgumentError, NotFoundError, code_number
from serving.inference import Call
from serving.protos import model_service_pb2 as model_messages
from serving.protos import prediction_service_pb2 as messages
from serving.protos import signature_pb2
from serving.repository import Lease, Repository, VersionStatus

_SIGNATURE_DEF = "signature_def"
_TYPE_URL = "type.googleapis.com/tensorflow.serving.SignatureDefMap"


class Service:
    """Answers requests from the models in a repository."""

    def __init__(self, repository: Repository, *, check_method_name: bool = True) -> None:
        """Serve `repository`; `check_method_name` asks a signature's method name to fit."""
        self._repository = repository
        self._check_method_name = check_method_name

    def predict(
        self, request: messages.PredictRequest, timeout: float | None = None
    ) -> messages.PredictResponse:
        """Run one signature; `timeout` in seconds."""
        with self._lease(_spec(request)) as lease:
            response = inference.predict(lease.model, request, self._call(timeout))
            _name(response.model_spec, lease)
        return response

    def classify(
        self, request: messages.ClassificationRequest, timeout: float | None = None
    ) -> messages.ClassificationResponse:
        """Label Examples; `timeout` in seconds."""
        with self._lease(_spec(request)) as lease:
            response = example_inference.classify(lease.model, request, self._call(timeout))
            _name(response.model_spec, lease)
        return response

    def regress(
        self, request: messages.RegressionRequest, timeout: float | None = None
    ) -> messages.RegressionResponse:
        """Value Examples; `timeout` in seconds."""
        with self._lease(_spec(request)) as lease:
            response = example_inference.regress(lease.model, request, self._call(timeout))
            _name(response.model_spec, lease)
        return response

    def multi_inference(
        self, request: messages.MultiInferenceRequest, timeout: float | None = None
    ) -> messages.MultiInferenceResponse:
        """Label and value the same Examples in one run; `timeout` in seconds."""
        spec = request.tasks[0].model_spec if request.tasks else messages.ModelSpec()
        with self._lease(spec) as lease:
            response = example_inference.multi_inference(lease.model, request, self._call(timeout))
            for result in response.results:
                _name(result.model_spec, lease)
        return response

    def get_model_metadata(
        self, request: messages.GetModelMetadataRequest, timeout: float | None = None
    ) -> messages.GetModelMetadataResponse:
        """The signatures of a model."""
        del timeout  # nothing here waits
        spec = _spec(request)
        _check_fields(request.metadata_field)
        response = messages.GetModelMetadataResponse()
        with self._lease(spec) as lease:
            found = signature_pb2.SignatureDefMap()
            for name, signature in lease.model.signatures.items():
                found.signature_def[name].CopyFrom(signature.proto)
            _name(response.model_spec, lease)
        packed = response.metadata[_SIGNATURE_DEF]
        packed.type_url, packed.value = _TYPE_URL, found.SerializeToString()
        return response

    def get_model_status(
        self, request: model_messages.GetModelStatusRequest, timeout: float | None = None
    ) -> model_messages.GetModelStatusResponse:
        """The states of a model's versions, the highest first; labels are not looked at."""
        del timeout  # nothing here waits
        spec = _spec(request)
        statuses = self._repository.statuses(spec.name)
        if spec.HasField("version"):
            statuses = [status for status in statuses if status.version == spec.version.value]
        if not statuses:
            one = spec.HasField("version")
            what = f"version {spec.version.value}" if one else "any versions"
            raise NotFoundError(f"Could not find {what} of model {spec.name}")
        response = model_messages.GetModelStatusResponse()
        response.model_version_status.extend(map(_version_status, statuses))
        return response

    @contextlib.contextmanager
    def _lease(self, spec: messages.ModelSpec) -> Iterator[Lease]:
        if not spec.name:
            raise InvalidArgumentError("ModelSpec has no name specified.")
        version = spec.version.value if spec.HasField("version") else None
        label = spec.version_label if spec.HasField("version_label") else None
        with self._repository.lease(spec.name, version, label) as lease:
            yield lease

    def _call(self, timeout: float | None) -> Call:
        return Call(timeout, self._check_method_name)


_Named = (
    messages.PredictRequest
    | messages.ClassificationRequest
    | messages.RegressionRequest
    | messages.GetModelMetadataRequest
    | model_messages.GetModelStatusRequest
)


def _spec(request: _Named) -> messages.ModelSpec:
    if not request.HasField("model_spec"):
        raise InvalidArgumentError("Missing ModelSpec")
    return request.model_spec


def _name(spec: messages.ModelSpec, lease: Lease) -> None:
    """Say in an answer which model gave it."""
    spec.name, spec.version.value = lease.name, lease.version


def _check_fields(fields: Sequence[str]) -> None:
    if not fields:
        raise InvalidArgumentError(
            "GetModelMetadataRequest must specify at least one metadata_field"
        )
    for field in fields:
        if field != _SIGNATURE_DEF:
            # The real server's text, whose %s was never filled in.
            raise InvalidArgumentError(f"Metadata field %s is not supported{field}")


def _version_status(status: VersionStatus) -> model_messages.ModelVersionStatus:
    message = model_messages.ModelVersionStatus(version=status.version)
    message.state = status.state  # type: ignore[assignment]
    message.status.SetInParent()
    if status.error:
        message.status.error_code = code_number(status.error)
        message.status.error_message = str(status.error)
    return message
