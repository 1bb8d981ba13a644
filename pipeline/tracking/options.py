"""Where else a run is logged: `--set tracking=mlflow`. No step's option, and part of no key."""

import dataclasses
import importlib.util
import os
from typing import Literal

from millrace.pipeline.errors import UsageError

ADDRESS = "MLFLOW_TRACKING_URI"


@dataclasses.dataclass(frozen=True)
class Tracking:
    """A server of experiments.

    Attributes:
        kind: `mlflow`, or none.
        uri: its address, such as `http://127.0.0.1:5000`; empty takes MLFLOW_TRACKING_URI.
        experiment: the name there; empty takes the model's.
        model: whether the exported model is uploaded as well.
    """

    kind: Literal["none", "mlflow"] = "none"
    uri: str = ""
    experiment: str = ""
    model: bool = True

    @property
    def address(self) -> str:
        """Of the server."""
        return self.uri or os.environ.get(ADDRESS, "")

    def check_usable(self) -> None:
        """Refuse before the first step what could log nothing.

        Raises:
            UsageError: MLflow is not installed, or nothing says where its server is.
        """
        if self.kind == "none":
            return
        if importlib.util.find_spec("mlflow") is None:
            raise UsageError(
                "--set tracking=mlflow: expected the package mlflow-skinny. Received: none. "
                "`pip install mlflow-skinny`, or install millrace with its extra `mlflow`."
            )
        if not self.address:
            raise UsageError(
                "--set tracking=mlflow: expected the address of an MLflow server. Received: none. "
                f"Set {ADDRESS}, or add --set tracking.uri=http://127.0.0.1:5000."
            )


NOWHERE = Tracking()
