"""Health probes over HTTP: KServe's Open Inference Protocol, and Kubernetes' `/healthz`.

    /v2/health/live                                  {"live": true}
    /v2/health/ready                                 {"ready": true}
    /v2/models/M[/versions/V]/ready                  {"name": "M", "ready": true}
    /healthz                                         {"live": true}

The status is 200 if live or ready, 503 if not, and 404 for a model that is not served.
Source: github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md.
"""

import json
import re
import urllib.parse

from millrace.serving.errors import NotFoundError
from millrace.serving.rest.api import Reply, refusal
from millrace.serving.service import Service

_MODEL = re.compile(r"/v2/models/(?P<model>[^/?#]+)(/versions/(?P<version>[0-9]{1,19}))?/ready")
_VERBS = ("GET", "HEAD")


class Probes:
    """Answers probes, at once and without a token; thread-safe."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def answer(self, verb: str, path: str) -> Reply | None:
        """Returns the response to a probe; None for any other request."""
        if verb not in _VERBS:
            return None
        probed = path.partition("?")[0]
        if probed in ("/v2/health/live", "/healthz"):
            return Reply(200, _json(live=True))
        if probed == "/v2/health/ready":
            ready = self._service.is_ready()
            return Reply(200 if ready else 503, _json(ready=ready))
        found = _MODEL.fullmatch(probed)
        return self._model(found["model"], found["version"]) if found else None

    def _model(self, quoted: str, version: str | None) -> Reply:
        name = urllib.parse.unquote(quoted, errors="replace")
        number = int(version) if version else None
        try:
            ready = self._service.is_model_ready(name, number)
        except NotFoundError as error:
            return refusal(error)
        number_field = {"version": version} if version else {}
        return Reply(200 if ready else 503, _json(name=name, **number_field, ready=ready))


def _json(**fields: object) -> bytes:
    return json.dumps(fields).encode()
