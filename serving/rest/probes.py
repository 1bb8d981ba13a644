"""What probes ask over HTTP: KServe's Open Inference Protocol, and Kubernetes' `/healthz`.

    /v2/health/live                                  {"live": true}
    /v2/health/ready                                 {"ready": true}
    /v2/models/M[/versions/V]/ready                  {"name": "M", "ready": true}
    /healthz                                         {"live": true}

200 where it is so; 503 where it is not yet or no more; 404 for a model that is not served.
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
    """Answers probes, at once and without a secret; from any thread."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def answer(self, verb: str, path: str) -> Reply | None:
        """The answer to a request that is a probe; None for any other."""
        if verb not in _VERBS:
            return None
        asked = path.partition("?")[0]
        if asked in ("/v2/health/live", "/healthz"):
            return Reply(200, _json(live=True))
        if asked == "/v2/health/ready":
            ready = self._service.is_ready()
            return Reply(200 if ready else 503, _json(ready=ready))
        found = _MODEL.fullmatch(asked)
        return self._model(found["model"], found["version"]) if found else None

    def _model(self, quoted: str, version: str | None) -> Reply:
        name = urllib.parse.unquote(quoted, errors="replace")
        number = int(version) if version else None
        try:
            ready = self._service.is_model_ready(name, number)
        except NotFoundError as error:
            return refusal(error)
        told = {"version": version} if version else {}
        return Reply(200 if ready else 503, _json(name=name, **told, ready=ready))


def _json(**fields: object) -> bytes:
    return json.dumps(fields).encode()
