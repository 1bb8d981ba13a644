"""Parses the path of a request.

Paths are case-insensitive, except for names. Source: tensorflow_serving/model_servers/
http_rest_api_util.cc.
"""

import dataclasses
import re
import urllib.parse

from millrace.serving.errors import InvalidArgumentError
from millrace.serving.protos import prediction_service_pb2 as messages

_MODEL = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_INFERENCE = re.compile(
    rf"/v1/models/(?P<model>[^/:]+){_MODEL}:(?P<method>classify|regress|predict)", re.A | re.I
)
_DESCRIPTION = re.compile(
    rf"/v1/models(?:/(?P<model>[^/:]+))?{_MODEL}(?:/(?P<method>metadata))?", re.A | re.I
)
_LARGEST = 2**63 - 1


@dataclasses.dataclass(frozen=True)
class Target:
    """A model, or one version of it, and the method to call.

    `method` is `predict`, `classify`, `regress`, `metadata`, or empty for the status.
    """

    model: str
    method: str
    version: int | None = None
    label: str | None = None

    def spec(self, signature: str = "") -> messages.ModelSpec:
        """Returns the message."""
        spec = messages.ModelSpec(name=self.model, signature_name=signature)
        if self.version is not None:
            spec.version.value = self.version
        if self.label is not None:
            spec.version_label = self.label
        return spec


def is_api(path: str) -> bool:
    """Whether a path is below `/v1/`."""
    return path[:4].lower() == "/v1/"


def parse(verb: str, path: str) -> Target:
    """Parse the path of a request, with its query if it has one.

    Raises:
        InvalidArgumentError: the server has no such path.
    """
    pattern = {"POST": _INFERENCE, "GET": _DESCRIPTION}.get(verb)
    found = pattern.fullmatch(path) if pattern else None
    if found is None:
        raise InvalidArgumentError(f"Malformed request: {verb} {path}")
    if found["model"] is None:
        raise InvalidArgumentError("Missing model name in request.")
    return Target(
        _decode(found["model"]),
        (found["method"] or "").lower(),
        _version(found["version"]),
        found["label"] and _decode(found["label"]),
    )


def _version(text: str | None) -> int | None:
    if text is None:
        return None
    # Check the length first: int() refuses thousands of digits with another error.
    if len(text.lstrip("0")) > len(str(_LARGEST)) or int(text) > _LARGEST:
        raise InvalidArgumentError(f"Failed to convert version: {text} to numeric.")
    return int(text)


def _decode(text: str) -> str:
    raw = urllib.parse.unquote_to_bytes(text.encode(errors="surrogateescape"))
    return raw.decode(errors="replace")
