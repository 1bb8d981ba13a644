"""MLServer's side of `benchmarks.peer`: a runtime that runs this project's session."""

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse, RequestInput

from millrace.serving.model import LoadedModel


class Session(MLModel):
    """A SavedModel's default signature."""

    async def load(self) -> bool:
        self._model = LoadedModel(self.settings.parameters.uri)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        inputs = {one.name: _array(one) for one in payload.inputs}
        outputs = self._model.predict(inputs)
        return InferenceResponse(
            model_name=self.name,
            outputs=[NumpyCodec.encode_output(name, array) for name, array in outputs.items()],
        )


def _array(one: RequestInput) -> np.ndarray:
    if one.datatype == "BYTES":  # MLServer's codec needs strings of one length
        return np.array(list(one.data), object)
    return NumpyCodec.decode_input(one)
