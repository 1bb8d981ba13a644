"""Classify, Regress and MultiInference: requests that carry `tf.train.Example`s.

Error texts and the order of checks are those of
tensorflow_serving/servables/tensorflow/{classifier,regressor,multi_inference}.cc.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from millrace.serving import dtypes
from millrace.serving.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    UnimplementedError,
)
from millrace.serving.inference import DEFAULT_OPTIONS, RequestOptions, Runnable
from millrace.serving.protos import prediction_service_pb2 as messages
from millrace.serving.signature import CLASSIFY, DEFAULT, REGRESS, Signature

_INPUTS, _OUTPUTS, _CLASSES, _SCORES = "inputs", "outputs", "classes", "scores"


def classify(
    model: Runnable,
    request: messages.ClassificationRequest,
    options: RequestOptions = DEFAULT_OPTIONS,
) -> messages.ClassificationResponse:
    """Answer Classify; the caller adds the model's name and version."""
    signature = _find(model, request.model_spec)
    outputs = _classification_outputs(signature, options)
    count, arrays = _run(model, [signature], request.input, outputs.values(), options)
    response = messages.ClassificationResponse()
    response.model_spec.signature_name = signature.name
    _classifications(outputs, arrays, count, response.result)
    return response


def regress(
    model: Runnable, request: messages.RegressionRequest, options: RequestOptions = DEFAULT_OPTIONS
) -> messages.RegressionResponse:
    """Answer Regress; the caller adds the model's name and version."""
    signature = _find(model, request.model_spec)
    outputs = _regression_outputs(signature, options)
    count, arrays = _run(model, [signature], request.input, outputs.values(), options)
    response = messages.RegressionResponse()
    response.model_spec.signature_name = signature.name
    _regressions(outputs, arrays, count, response.result)
    return response


def multi_inference(
    model: Runnable,
    request: messages.MultiInferenceRequest,
    options: RequestOptions = DEFAULT_OPTIONS,
) -> messages.MultiInferenceResponse:
    """Answer MultiInference in one run; the caller adds the model's name and version.

    Every signature is fed the same examples.
    """
    plans = _plan_tasks(model, request.tasks, options)
    fetches = dict.fromkeys(name for _, outputs in plans for name in outputs.values())
    signatures = [signature for signature, _ in plans]
    count, arrays = _run(model, signatures, request.input, fetches, options)
    response = messages.MultiInferenceResponse()
    for task, (signature, outputs) in zip(request.tasks, plans, strict=True):
        result = response.results.add()
        result.model_spec.signature_name = signature.name
        if task.method_name == CLASSIFY:
            _classifications(outputs, arrays, count, result.classification_result)
        else:
            _regressions(outputs, arrays, count, result.regression_result)
    return response


def serialized_examples(source: messages.Input) -> list[bytes]:
    """Returns serialised Examples, each prefixed with the context's bytes if there are any."""
    if source.WhichOneof("kind") == "example_list_with_context":
        shared = source.example_list_with_context
        records = [shared.context + record for record in shared.examples]
    else:
        records = list(source.example_list.examples)
    if not records:
        raise InvalidArgumentError("Input is empty.")
    return records


def _find(model: Runnable, spec: messages.ModelSpec) -> Signature:
    name = spec.signature_name or DEFAULT
    if name not in model.signatures:
        raise InvalidArgumentError(f"No signature was found with the name: {name}")
    return model.signatures[name]


def _plan_tasks(
    model: Runnable, tasks: Sequence[messages.InferenceTask], options: RequestOptions
) -> list[tuple[Signature, dict[str, str]]]:
    """Returns each task's signature and outputs; the tasks must share one model."""
    plans: dict[str, tuple[Signature, dict[str, str]]] = {}
    for task in tasks:
        if not task.model_spec.name:
            raise InvalidArgumentError("Found ModelSpec with an empty model name.")
        if task.model_spec.name != tasks[0].model_spec.name:
            raise InvalidArgumentError(
                "All ModelSpecs in a MultiInferenceRequest must access the same model name."
            )
        name = task.model_spec.signature_name or DEFAULT
        if name in plans:
            raise InvalidArgumentError(f"Duplicate evaluation of signature: {name}")
        if name not in model.signatures:
            raise InvalidArgumentError(f"Requested signature not found in model graph: {name}")
        plans[name] = (model.signatures[name], _task_outputs(model.signatures[name], task, options))
    return list(plans.values())


def _task_outputs(
    signature: Signature, task: messages.InferenceTask, options: RequestOptions
) -> dict[str, str]:
    if task.method_name == CLASSIFY:
        return _classification_outputs(signature, options)
    if task.method_name == REGRESS:
        return _regression_outputs(signature, options)
    raise UnimplementedError(f"Unsupported signature method_name: {task.method_name}")


def _run(
    model: Runnable,
    signatures: Iterable[Signature],
    source: messages.Input,
    fetches: Iterable[str],
    options: RequestOptions,
) -> tuple[int, dict[str, np.ndarray]]:
    """Returns the number of examples and the fetched arrays by tensor name."""
    records = serialized_examples(source)
    serialized = np.fromiter(records, object, len(records))
    names = list(fetches)
    feeds = {signature.inputs[_INPUTS].name: serialized for signature in signatures}
    arrays = model.run(feeds, names, options)
    return len(records), dict(zip(names, arrays, strict=True))


def _check_method_and_input(
    signature: Signature, kind: str, method: str, options: RequestOptions
) -> None:
    if options.check_method_name and signature.method_name != method:
        raise InvalidArgumentError(
            f"Expected {kind} signature method_name to be {method}. Was: {signature.method_name}"
        )
    if len(signature.inputs) != 1:
        raise InvalidArgumentError("Expected one input Tensor.")


def _check_input(signature: Signature, kind: str) -> None:
    if _INPUTS not in signature.inputs:
        raise FailedPreconditionError(f"No {kind} inputs found in SignatureDef: {signature.proto}")


def _classification_outputs(signature: Signature, options: RequestOptions) -> dict[str, str]:
    _check_method_and_input(signature, "classification", CLASSIFY, options)
    outputs = signature.outputs
    if len(outputs) not in (1, 2):
        raise InvalidArgumentError(f"Expected one or two output Tensors, found {len(outputs)}")
    _check_input(signature, "classification")
    found = {alias: outputs[alias].name for alias in (_CLASSES, _SCORES) if alias in outputs}
    if not found:
        raise FailedPreconditionError(
            "Expected classification signature outputs to contain at least one of "
            f'"{_CLASSES}" or "{_SCORES}". Signature was: {signature.proto}'
        )
    return found


def _regression_outputs(signature: Signature, options: RequestOptions) -> dict[str, str]:
    _check_method_and_input(signature, "regression", REGRESS, options)
    if len(signature.outputs) != 1:
        raise InvalidArgumentError("Expected one output Tensor.")
    _check_input(signature, "regression")
    if _OUTPUTS not in signature.outputs:
        raise FailedPreconditionError(
            f"No regression outputs found in SignatureDef: {signature.proto}"
        )
    return {_OUTPUTS: signature.outputs[_OUTPUTS].name}


def _classifications(
    outputs: Mapping[str, str],
    arrays: Mapping[str, np.ndarray],
    count: int,
    result: messages.ClassificationResult,
) -> None:
    """Fill `result` from `classes` string and `scores` float32, each `[count, classes]`."""
    found = {alias: arrays[name] for alias, name in outputs.items()}
    for alias, array in found.items():
        _check_class_output(alias, array, count)
    widths = [array.shape[1] for array in found.values()]
    if len(set(widths)) != 1:
        raise InvalidArgumentError(
            f"Tensors class and score should match in dim_size(1). Got {widths[0]} vs. {widths[1]}"
        )
    shape = (count, widths[0])
    labels = found.get(_CLASSES, np.full(shape, b"", object)).tolist()
    scores = found.get(_SCORES, np.zeros(shape, np.float32)).tolist()
    for row_labels, row_scores in zip(labels, scores, strict=True):
        classes = result.classifications.add().classes
        for label, score in zip(row_labels, row_scores, strict=True):
            classes.add(label=label.decode(errors="replace"), score=score)


def _check_class_output(alias: str, array: np.ndarray, count: int) -> None:
    if array.ndim != 2:
        raise InvalidArgumentError(
            f"Expected Tensor shape: [batch_size num_classes] but got {_shape(array)}"
        )
    name = "string" if alias == _CLASSES else "float"
    if array.dtype != (object if alias == _CLASSES else np.float32):
        raise InvalidArgumentError(
            f"Expected {alias} Tensor of DT_{name.upper()}. Got: {dtypes.data_type(array.dtype)}"
        )
    if len(array) != count:
        raise InvalidArgumentError(
            f"Expected {alias} output batch size of {count}. Got: {len(array)}"
        )


def _regressions(
    outputs: Mapping[str, str],
    arrays: Mapping[str, np.ndarray],
    count: int,
    result: messages.RegressionResult,
) -> None:
    """Fill `result` from float32 `[count]` or `[count, 1]`."""
    array = arrays[outputs[_OUTPUTS]]
    if array.ndim != 1 and not (array.ndim == 2 and array.shape[1] == 1):
        raise InvalidArgumentError(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] "
            f"but got {_shape(array)}"
        )
    if len(array) != count:
        raise InvalidArgumentError(
            f"Input batch size did not match output batch size: {count} vs. {len(array)}"
        )
    if array.dtype != np.float32:
        raise InvalidArgumentError(
            f"Expected output Tensor of DT_FLOAT.  Got: {dtypes.data_type(array.dtype)}"
        )
    for value in array.ravel().tolist():
        result.regressions.add(value=value)


def _shape(array: np.ndarray) -> str:
    """Returns the shape as `TensorShape::DebugString` does."""
    return f"[{','.join(map(str, array.shape))}]"
