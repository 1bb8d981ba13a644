"""Predict against one loaded model: what is checked, what is run, what is answered.

Texts and their order are those of tensorflow_serving/servables/tensorflow/predict_util.cc and
tensorflow/cc/saved_model/util.cc. No gRPC and no TensorFlow here: a model is anything that can
`run`.
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
    """A caller that waits whatever comes."""
    return True


class Call(NamedTuple):
    """How one request is run, and how its answer is written.

    Attributes:
        timeout: seconds that it may take; None waits for ever.
        check_method_name: whether signatures must have the method name of the request's kind.
        tensor_content: whether numbers are answered as `tensor_content`, not in typed fields.
        is_active: whether the caller still waits; what nobody waits for need not run.
    """

    timeout: float | None = None
    check_method_name: bool = True
    tensor_content: bool = False
    is_active: Callable[[], bool] = always


class Runnable(Protocol):
    """A model in memory."""

    @property
    def signatures(self) -> Mapping[str, Signature]: ...

    def run(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str], call: Call
    ) -> list[np.ndarray]:
        """Feed and fetch tensors by their names in the graph."""
        ...


ONCE = Call()


def predict(
    model: Runnable, request: messages.PredictRequest, call: Call = ONCE
) -> messages.PredictResponse:
    """Answer Predict, without the model's name and version.

    Raises:
        RpcError: as the contract of PredictionService says.
    """
    name = request.model_spec.signature_name or DEFAULT
    signature = find_for_predict(model, name, call)
    feeds = feed(signature, request.inputs, wire.to_array)
    outputs = fetch(signature, request.output_filter)
    arrays = model.run(feeds, list(outputs.values()), call)
    response = messages.PredictResponse()
    response.model_spec.signature_name = name
    for alias, array in zip(outputs, arrays, strict=True):
        wire.fill(response.outputs[alias], array, name=alias, typed=not call.tensor_content)
    return response


def predict_arrays(
    model: Runnable, name: str, inputs: Mapping[str, np.ndarray], call: Call = ONCE
) -> dict[str, np.ndarray]:
    """Run the signature `name` on arrays by alias; gives arrays by alias.

    Raises:
        RpcError: as `predict`.
    """
    signature = find_for_predict(model, name, call)
    outputs = fetch(signature, ())
    arrays = model.run(feed(signature, inputs, np.asarray), list(outputs.values()), call)
    return dict(zip(outputs, arrays, strict=True))


def find_for_predict(model: Runnable, name: str, call: Call = ONCE) -> Signature:
    """The signature `name`, if Predict may call it."""
    if name not in model.signatures:
        raise FailedPreconditionError(f'Serving signature key "{name}" not found.')
    signature = model.signatures[name]
    if call.check_method_name and signature.method_name not in _METHODS:
        raise InternalError(
            "Expected prediction signature method_name to be one of "
            f"{{{', '.join(_METHODS)}}}. Was: {signature.method_name}"
        )
    return signature


def feed(
    signature: Signature, inputs: Mapping[str, Value], read: Callable[[Value], np.ndarray]
) -> dict[str, np.ndarray]:
    """Arrays by tensor name, from `inputs` by alias and the signature's defaults."""
    wanted = signature.inputs
    if len(inputs) > len(wanted) or (len(inputs) < len(wanted) and not signature.defaults):
        extra, missing = inputs.keys() - wanted.keys(), wanted.keys() - inputs.keys()
        raise InvalidArgumentError(
            f"input size does not match signature: {len(inputs)}!={len(wanted)} "
            f"len({_set(inputs)}) != len({_set(wanted)}). "
            f"Sent extra: {_set(extra)}. Missing but required: {_set(missing)}."
        )
    feeds, used = {}, 0
    for alias, tensor in wanted.items():
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
        unknown = inputs.keys() - wanted.keys()
        raise InvalidArgumentError(
            "Inputs contains invalid name. Used request inputs: "
            f"{','.join(sorted(inputs.keys() - unknown))}, "
            f"request input: {','.join(sorted(inputs))}"
        )
    return feeds


def fetch(signature: Signature, output_filter: Sequence[str]) -> dict[str, str]:
    """Tensor names by alias: the outputs in `output_filter`, or all of them."""
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
