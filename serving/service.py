"""PredictionService and ModelService, without gRPC: finds the model and answers the request.

Requests and responses are the messages on the wire; every refusal is an RpcError with the text of
`tensorflow_model_server`.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from millrace.serving import config, example_inference, inference
from millrace.serving.errors import (
    InvalidArgumentError,
    NotFoundError,
    ServerError,
    UnavailableError,
    code_number,
)
from millrace.serving.inference import RequestOptions
from millrace.serving.lifecycle import VersionState
from millrace.serving.metered import MeteredModel
from millrace.serving.peers import Peers
from millrace.serving.protos import model_service_pb2 as model_messages
from millrace.serving.protos import prediction_service_pb2 as messages
from millrace.serving.protos import signature_pb2
from millrace.serving.repository import Lease, Repository, VersionSnapshot
from millrace.serving.request_log import RequestLog
from millrace.serving.signature import DEFAULT, TensorInfo

IsActive = Callable[[], bool]  # whether the caller still waits
_SIGNATURE_DEF = "signature_def"
_TYPE_URL = "type.googleapis.com/tensorflow.serving.SignatureDefMap"


class Service:
    """Answers requests with the models in a repository."""

    def __init__(
        self,
        repository: Repository,
        options: RequestOptions = inference.DEFAULT_OPTIONS,
        *,
        log: RequestLog | None = None,
        peers: Peers | None = None,
    ) -> None:
        """Serve `repository`.

        Args:
            repository: the models.
            options: how each request runs; the timeout comes from the request.
            log: logs a sample of the requests, if a model's configuration enables it.
            peers: the processes that share a port with this one.
        """
        self._repository = repository
        self._log = log or RequestLog()
        self._peers = peers
        self._each = options
        self._is_ending = False

    def end(self) -> None:
        """Refuse new requests from now on; running ones continue."""
        self._is_ending = True

    def predict(
        self,
        request: messages.PredictRequest,
        timeout: float | None = None,
        is_active: IsActive = inference.always,
    ) -> messages.PredictResponse:
        """Run one signature; `timeout` in seconds."""
        with self._lease(_spec(request)) as lease:
            model = MeteredModel(lease.model, lease.name, "Predict")
            response = inference.predict(model, request, self._request_options(timeout, is_active))
            _name(response.model_spec, lease)
            self._log.offer(lease, request, response)
        return response

    def predict_arrays(
        self,
        spec: messages.ModelSpec,
        read: Callable[[Mapping[str, TensorInfo]], Mapping[str, np.ndarray]],
        timeout: float | None = None,
        is_active: IsActive = inference.always,
    ) -> dict[str, np.ndarray]:
        """Run one signature on arrays instead of messages.

        Args:
            spec: the model, version or label, and signature.
            read: returns the arrays by alias, given the inputs of the signature.
            timeout: seconds.
            is_active: whether the caller still waits.

        Returns:
            Arrays by alias, strings as object arrays of `bytes`.
        """
        name = spec.signature_name or DEFAULT
        with self._lease(spec) as lease:
            if name not in lease.model.signatures:
                raise InvalidArgumentError(
                    f'Serving signature name: "{name}" not found in signature def'
                )
            inputs = read(lease.model.signatures[name].inputs)
            options = self._request_options(timeout, is_active)
            model = MeteredModel(lease.model, lease.name, "Predict")
            outputs = inference.predict_arrays(model, name, inputs, options)
            self._log.offer_arrays(lease, name, inputs, outputs)
        return outputs

    def classify(
        self,
        request: messages.ClassificationRequest,
        timeout: float | None = None,
        is_active: IsActive = inference.always,
    ) -> messages.ClassificationResponse:
        """Classify Examples; `timeout` in seconds."""
        with self._lease(_spec(request)) as lease:
            model = MeteredModel(lease.model, lease.name, "Classify")
            response = example_inference.classify(
                model, request, self._request_options(timeout, is_active)
            )
            _name(response.model_spec, lease)
            self._log.offer(lease, request, response)
        return response

    def regress(
        self,
        request: messages.RegressionRequest,
        timeout: float | None = None,
        is_active: IsActive = inference.always,
    ) -> messages.RegressionResponse:
        """Run regression on Examples; `timeout` in seconds."""
        with self._lease(_spec(request)) as lease:
            model = MeteredModel(lease.model, lease.name, "Regress")
            response = example_inference.regress(
                model, request, self._request_options(timeout, is_active)
            )
            _name(response.model_spec, lease)
            self._log.offer(lease, request, response)
        return response

    def multi_inference(
        self,
        request: messages.MultiInferenceRequest,
        timeout: float | None = None,
        is_active: IsActive = inference.always,
    ) -> messages.MultiInferenceResponse:
        """Run classification and regression on the same Examples at once; `timeout` in seconds."""
        spec = request.tasks[0].model_spec if request.tasks else messages.ModelSpec()
        with self._lease(spec) as lease:
            model = MeteredModel(lease.model, lease.name, "MultiInference")
            options = self._request_options(timeout, is_active)
            response = example_inference.multi_inference(model, request, options)
            for result in response.results:
                _name(result.model_spec, lease)
            self._log.offer(lease, request, response)
        return response

    def get_model_metadata(
        self,
        request: messages.GetModelMetadataRequest,
        timeout: float | None = None,
        is_active: IsActive = inference.always,
    ) -> messages.GetModelMetadataResponse:
        """Returns the signatures of a model."""
        del timeout, is_active  # nothing here waits
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
        self,
        request: model_messages.GetModelStatusRequest,
        timeout: float | None = None,
        is_active: IsActive = inference.always,
    ) -> model_messages.GetModelStatusResponse:
        """Returns the states of a model's versions, highest first; a label is ignored."""
        del timeout, is_active  # nothing here waits
        spec = _spec(request)
        version = spec.version.value if spec.HasField("version") else None
        statuses = self._found(spec.name, version)
        response = model_messages.GetModelStatusResponse()
        response.model_version_status.extend(map(_version_status, statuses))
        return response

    def is_ready(self) -> bool:
        """Whether every configured model can be called."""
        return not self._is_ending and self._repository.is_ready()

    def is_model_ready(self, name: str, version: int | None) -> bool:
        """Whether a version of a model can be called; any version if None.

        Raises:
            NotFoundError: no such model or version was ever seen.
        """
        available = [
            status.state is VersionState.AVAILABLE for status in self._found(name, version)
        ]
        return not self._is_ending and any(available)

    def handle_reload_config(
        self,
        request: model_messages.ReloadConfigRequest,
        timeout: float | None = None,
        is_active: IsActive = inference.always,
    ) -> model_messages.ReloadConfigResponse:
        """Serve other models instead, and wait for new ones; `timeout` in seconds."""
        del is_active  # a reload that has begun is completed
        if request.config.WhichOneof("config") != "model_config_list":
            raise InvalidArgumentError(
                "ServerModelConfig type not supported by HandleReloadConfigRequest."
                " Only ModelConfigList is currently supported"
            )
        if self._peers is None:
            self.reload(request, timeout)
        else:
            self._peers.reload(request, timeout, self.reload)
        response = model_messages.ReloadConfigResponse()
        response.status.SetInParent()
        return response

    def reload(self, request: model_messages.ReloadConfigRequest, timeout: float | None) -> None:
        """Serve the models in `request` in this process; `timeout` in seconds."""
        try:
            configs = config.from_proto(request.config.model_config_list)
        except ServerError as error:
            raise InvalidArgumentError(str(error)) from error
        self._repository.reload(configs, timeout=timeout)

    def _lease(self, spec: messages.ModelSpec) -> contextlib.AbstractContextManager[Lease]:
        """Lease the model that `spec` names."""
        if self._is_ending:
            raise UnavailableError("The server is shutting down")
        if not spec.name:
            raise InvalidArgumentError("ModelSpec has no name specified.")
        version = spec.version.value if spec.HasField("version") else None
        label = spec.version_label if spec.HasField("version_label") else None
        return self._repository.lease(spec.name, version, label)

    def _request_options(self, timeout: float | None, is_active: IsActive) -> RequestOptions:
        each = self._each
        return RequestOptions(timeout, each.check_method_name, each.tensor_content, is_active)

    def _found(self, name: str, version: int | None) -> list[VersionSnapshot]:
        statuses = self._repository.statuses(name)
        if version is not None:
            statuses = [status for status in statuses if status.version == version]
        if not statuses:
            what = "any versions" if version is None else f"version {version}"
            raise NotFoundError(f"Could not find {what} of model {name}")
        return statuses


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
    """Set the name and version of the model that answered."""
    spec.name, spec.version.value = lease.name, lease.version


def _check_fields(fields: Sequence[str]) -> None:
    if not fields:
        raise InvalidArgumentError(
            "GetModelMetadataRequest must specify at least one metadata_field"
        )
    for field in fields:
        if field != _SIGNATURE_DEF:
            # The real server's text, which never fills in its %s.
            raise InvalidArgumentError(f"Metadata field %s is not supported{field}")


def _version_status(status: VersionSnapshot) -> model_messages.ModelVersionStatus:
    message = model_messages.ModelVersionStatus(version=status.version)
    message.state = status.state  # type: ignore[assignment]
    message.status.SetInParent()
    if status.error:
        message.status.error_code = code_number(status.error)
        message.status.error_message = str(status.error)
    return message
