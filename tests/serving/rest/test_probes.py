"""Probes of KServe's protocol and of Kubernetes, over real sockets."""

import pytest

from tests.serving.conftest import until
from tests.serving.rest.conftest import serve_rest


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/healthz", 200, {"live": True}),
        ("/v2/health/live", 200, {"live": True}),
        ("/v2/health/ready", 200, {"ready": True}),
        ("/v2/health/ready?verbose=1", 200, {"ready": True}),
        ("/v2/models/half/ready", 200, {"name": "half", "ready": True}),
        ("/v2/models/h%61lf/ready", 200, {"name": "half", "ready": True}),
        *(
            (
                f"/v2/models/half/versions/{version}/ready",
                200,
                {"name": "half", "version": version, "ready": True},
            )
            for version in ("7", "123")
        ),
        (
            "/v2/models/half/versions/8/ready",
            404,
            {"error": "Could not find version 8 of model half"},
        ),
        (
            "/v2/models/none/ready",
            404,
            {"error": "Could not find any versions of model none"},
        ),
    ],
)
def test_a_probe_is_answered(rest, path, status, body):
    answer = rest.ask("GET", path)
    assert (answer.status, answer.json) == (status, body)
    assert answer.headers["Content-Type"] == "application/json"
    head = rest.ask("HEAD", path)
    assert (head.status, head.body) == (status, b"")


def test_other_paths_and_verbs_of_the_protocol_are_not_found(rest):
    for path in ("/v2", "/v2/models/half", "/v2/models/half/versions/x/ready", "/healthz/"):
        assert rest.ask("GET", path).status == 404
    assert rest.ask("POST", "/v2/health/live", "{}").status == 404


def test_neither_an_unloaded_model_nor_a_stopping_server_is_ready(half_plus_two, tmp_path):
    server, rest = serve_rest(half_plus_two, tmp_path)

    def statuses():
        paths = ("health/live", "health/ready", "models/half/ready", "models/half/versions/7/ready")
        return [rest.ask("GET", f"/v2/{path}").status for path in paths]

    try:
        assert statuses() == [200, 200, 200, 200]
        (tmp_path / "half" / "7").unlink()
        until(lambda: statuses() == [200, 200, 200, 503])
        (tmp_path / "half" / "00000123").unlink()
        until(lambda: statuses() == [200, 503, 503, 503])
        assert rest.ask("GET", "/v2/models/half/ready").json == {"name": "half", "ready": False}
        (tmp_path / "half" / "8").symlink_to(half_plus_two)
        until(lambda: statuses() == [200, 200, 200, 503])
        server._service.end()  # what SIGTERM does first
        assert statuses() == [200, 503, 503, 503]
    finally:
        server.stop()
