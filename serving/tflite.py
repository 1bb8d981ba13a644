"""A loaded TFLite model, run as TensorFlow's model server runs one: `--prefer_tflite_model`.

Signatures are those that `SetSignatureDefMap` wrote into the file's metadata; a file without them
has one, `serving_default`, whose aliases are the names of its tensors. An interpreter runs one
request at a time, so each model has several. Source: tensorflow_serving/servables/tensorflow/
tflite_session.cc, tensorflow/lite/tools/signature/signature_def_util.cc.
"""

import queue
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from etils.epath import Path
from flatbuffers import flexbuffers  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError
from tensorflow.lite.python import schema_py_generated as schema

from millrace.serving import dtypes, regular_file
from millrace.serving.errors import InternalError, InvalidArgumentError, ModelLoadError
from millrace.serving.inference import RequestOptions
from millrace.serving.pool import blocked
from millrace.serving.protos import signature_pb2, tensor_pb2
from millrace.serving.signature import DEFAULT, PREDICT, Signature, from_proto

FILE = "model.tflite"
_METADATA = b"signature_defs_metadata"


class TfLiteModel:
    """A TFLite model and its interpreters; thread-safe."""

    def __init__(self, path: Path | str, *, interpreters: int = 1, threads: int = 1) -> None:
        """Load `model.tflite` in the folder `path`.

        Args:
            path: the folder.
            interpreters: requests that may run at the same time.
            threads: of each interpreter.

        Raises:
            ModelLoadError: there is no TFLite model, or its signatures do not match it.
        """
        self.path = Path(path)
        file = self.path / FILE
        try:
            regular_file.check_version(path)
            regular_file.check(file, regular_file.PROTO_BYTES)
            content = file.read_bytes()
            made = [_interpreter(content, threads) for _ in range(interpreters)]
            self.signatures = _signatures(content, made[0])
        except (OSError, RuntimeError, TypeError, ValueError, DecodeError) as error:
            raise ModelLoadError(
                f"{file}: expected a TFLite model. Received: {str(error).rstrip('.')}. "
                "Convert the model again."
            ) from error
        self._idle: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for interpreter in made:
            self._idle.put(interpreter)

    def run(
        self, feeds: Mapping[str, np.ndarray], fetches: Sequence[str], options: RequestOptions
    ) -> list[np.ndarray]:
        """Feed and fetch tensors by name, once an interpreter is idle.

        A run cannot be stopped: the timeout only limits the wait for an interpreter.

        Raises:
            InvalidArgumentError: an array does not match the model.
            InternalError: the interpreter fails, or none was idle in time.
        """
        with blocked():
            try:
                interpreter = self._idle.get(timeout=options.timeout)
            except queue.Empty as error:
                raise InternalError("Timed out waiting for a TFLite interpreter") from error
            try:
                return _run(interpreter, feeds, fetches)
            finally:
                self._idle.put(interpreter)

    def close(self) -> None:
        """Free the model's memory; it must not be run afterwards."""
        while not self._idle.empty():
            self._idle.get()


def _interpreter(content: bytes, threads: int) -> Any:
    warnings.filterwarnings("ignore", r"\s*Warning: tf\.lite\.Interpreter is deprecated")
    interpreter = tf.lite.Interpreter(model_content=content, num_threads=threads)
    interpreter.allocate_tensors()
    return interpreter


def _run(
    interpreter: Any, feeds: Mapping[str, np.ndarray], fetches: Sequence[str]
) -> list[np.ndarray]:
    inputs = {one["name"]: one for one in interpreter.get_input_details()}
    outputs = {one["name"]: one for one in interpreter.get_output_details()}
    try:
        for name, array in feeds.items():
            if tuple(inputs[name]["shape"]) != array.shape:
                interpreter.resize_tensor_input(inputs[name]["index"], array.shape)
        interpreter.allocate_tensors()
        for name, array in feeds.items():
            interpreter.set_tensor(inputs[name]["index"], array)
    except (RuntimeError, ValueError) as error:
        raise InvalidArgumentError(str(error).strip()) from error
    try:
        interpreter.invoke()
    except RuntimeError as error:
        raise InternalError(f"Failed to run interpreter: {str(error).strip()}") from error
    return [interpreter.get_tensor(outputs[name]["index"]) for name in fetches]


def _signatures(content: bytes, interpreter: Any) -> dict[str, Signature]:
    inputs = {one["name"]: one for one in interpreter.get_input_details()}
    outputs = {one["name"]: one for one in interpreter.get_output_details()}
    found = _from_metadata(content)
    for key, proto in found.items():
        for tensors, known in ((proto.inputs, inputs), (proto.outputs, outputs)):
            for alias in tensors:
                tensors[alias].name = _known_name(key, alias, tensors[alias].name, known)
    if not found:
        proto = signature_pb2.SignatureDef(method_name=PREDICT)
        for tensors, known in ((proto.inputs, inputs), (proto.outputs, outputs)):
            for name, details in known.items():
                _describe(tensors[name], details)
        found = {DEFAULT: proto}
    return {key: from_proto(key, found[key]) for key in sorted(found)}


def _from_metadata(content: bytes) -> dict[str, signature_pb2.SignatureDef]:
    model = schema.Model.GetRootAsModel(content, 0)
    for number in range(model.MetadataLength()):
        entry = model.Metadata(number)
        if entry.Name() == _METADATA:
            packed = model.Buffers(entry.Buffer()).DataAsNumpy().tobytes()
            found = flexbuffers.GetRoot(packed).AsMap
            return {
                key.AsKey: signature_pb2.SignatureDef.FromString(value.AsStringBytes)
                for key, value in zip(found.Keys, found.Values, strict=True)
            }
    return {}


def _known_name(key: str, alias: str, name: str, known: Mapping[str, Any]) -> str:
    """Returns `name` as in the file: older files leave out TensorFlow's `:0`."""
    for candidate in (name, name.partition(":")[0]):
        if candidate in known:
            return candidate
    raise ValueError(f"Signature {key}: {alias} references an unknown tensor: {name}")


def _describe(info: signature_pb2.TensorInfo, details: Mapping[str, Any]) -> None:
    dtype = np.dtype(details["dtype"])
    kind = "DT_STRING" if dtype.kind in "OSU" else dtypes.data_type(dtype)
    info.name = details["name"]
    info.dtype = tensor_pb2.DataType.Value(kind)  # type: ignore[assignment]
    info.tensor_shape.SetInParent()
    for size in details["shape_signature"]:
        info.tensor_shape.dim.add(size=int(size))
