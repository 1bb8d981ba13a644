"""Predict on one loaded model: checks, feeds, fetches and the response.

Error texts and the order of checks are those of
tensorflow_serving/servables/tensorflow/predict_util.cc and tensorflow/cc/saved_model/util.cc.
There is no gRPC and no TensorFlow here: a model is anything that can `run`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from millrace.serving import wire
from millrace.serving.errors import (
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    WireError,
)
from millrace.serving.protos import prediction_service_pb2 as messages
from millrace.serving.signature import CLASSIFY, DEFAULT, PREDICT, REGRESS, Signature

Value = TypeVar("Value")
_METHODS = (PREDICT, CLASSIFY, REGRESS)
_INPUTS, _OUTPUTS, _CLASSES, _SCORES = "inputs", "outputs", "classes", "scores"


def always() -> bool:
    """The `is_active` of a caller that never cancels."""
    return True


class RequestOptions(NamedTuple):
    """How one request runs, and how its response is written.

    Attributes:
        timeout: seconds that it may take; None for no limit.
        check_method_name: whether a signature must have the method name of the request's type.
        tensor_content: whether numbers are returned in `tensor_content` instead of typed fields.
        is_active: whether the caller still waits; a request that nobody waits for need not run.
    """

    timeout: float | None = None
    check_method_name: bool = True
    tensor_content: bool = False
    is_active: Callable[[], bool] = always


class Runnable(Protocol):
    """A loaded model."""

    @property
    def signatures(self) -> Mapping[str, Signature]: ...

    def run(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str], options: RequestOptions
    ) -> list[np.ndarray]:
        """Feed and fetch tensors by their names in the graph."""
        ...


DEFAULT_OPTIONS = RequestOptions()


def predict(
    model: Runnable, request: messages.PredictRequest, options: RequestOptions = DEFAULT_OPTIONS
) -> messages.PredictResponse:
    """Answer Predict; the caller adds the model's name and version.

    Raises:
        RpcError: the request is invalid or the run fails.
    """
    name = request.model_spec.signature_name or DEFAULT
    signature = find_for_predict(model, name, options)
    feeds = feed(signature, request.inputs, wire.to_array)
    outputs = fetch(signature, request.output_filter)
    arrays = model.run(feeds, list(outputs.values()), options)
    response = messages.PredictResponse()
    response.model_spec.signature_name = name
    for alias, array in zip(outputs, arrays, strict=True):
        wire.fill(response.outputs[alias], array, name=alias, typed=not options.tensor_content)
    return response


def predict_arrays(
    model: Runnable,
    name: str,
    inputs: Mapping[str, np.ndarray],
    options: RequestOptions = DEFAULT_OPTIONS,
) -> dict[str, np.ndarray]:
    """Run the signature `name` on arrays by alias; returns arrays by alias.

    Raises:
        RpcError: see `predict`.
    """
    signature = find_for_predict(model, name, options)
    outputs = fetch(signature, ())
    arrays = model.run(feed(signature, inputs, np.asarray), list(outputs.values()), options)
    return dict(zip(outputs, arrays, strict=True))


def find_for_predict(
    model: Runnable, name: str, options: RequestOptions = DEFAULT_OPTIONS
) -> Signature:
    """Returns the signature `name`, if Predict may call it."""
    if name not in model.signatures:
        raise FailedPreconditionError(f'Serving signature key "{name}" not found.')
    signature = model.signatures[name]
    if options.check_method_name and signature.method_name not in _METHODS:
        raise InternalError(
            "Expected prediction signature method_name to be one of "
            f"{{{', '.join(_METHODS)}}}. Was: {signature.method_name}"
        )
    return signature


def feed(
    signature: Signature, inputs: Mapping[str, Value], read: Callable[[Value], np.ndarray]
) -> dict[str, np.ndarray]:
    """Returns arrays by tensor name, from `inputs` by alias and the signature's defaults."""
    expected = signature.inputs
    if len(inputs) > len(expected) or (len(inputs) < len(expected) and not signature.defaults):
        extra, missing = inputs.keys() - expected.keys(), expected.keys() - inputs.keys()
        raise InvalidArgumentError(
            f"input size does not match signature: {len(inputs)}!={len(expected)} "
            f"len({_set(inputs)}) != len({_set(expected)}). "
            f"Sent extra: {_set(extra)}. Missing but required: {_set(missing)}."
        )
    feeds, used = {}, 0
    for alias, tensor in expected.items():
        if alias in inputs:
            used += 1
            try:
                feeds[tensor.name] = read(inputs[alias])
            except WireError as error:
                raise InvalidArgumentError(f"tensor parsing error: {alias}") from error
        elif alias in signature.defaults:
            feeds[tensor.name] = signature.defaults[alias]
        else:
            raise InvalidArgumentError(
                f"Signature input alias: {alias}(feed name: {tensor.name}) not found in request "
                "and no default value provided. Inputs expected to be in the request "
                f"{_set(inputs)}, or default input alias set: "
                f"{','.join(sorted(signature.defaults))}"
            )
    if used < len(inputs):
        unknown = inputs.keys() - expected.keys()
        raise InvalidArgumentError(
            "Inputs contains invalid name. Used request inputs: "
            f"{','.join(sorted(inputs.keys() - unknown))}, "
            f"request input: {','.join(sorted(inputs))}"
        )
    return feeds


def fetch(signature: Signature, output_filter: Sequence[str]) -> dict[str, str]:
    """Returns tensor names by alias: the outputs in `output_filter`, or all of them."""
    outputs: dict[str, str] = {}
    for alias in output_filter:
        if alias not in signature.outputs:
            raise InvalidArgumentError(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {_set(signature.outputs)}."
            )
        if alias in outputs:
            raise InvalidArgumentError(f"duplicate output tensor alias: {alias}")
        outputs[alias] = signature.outputs[alias].name
    return outputs or {alias: tensor.name for alias, tensor in signature.outputs.items()}


def _set(names: Iterable[str]) -> str:
    return f"{{{','.join(sorted(names))}}}"
