"""A server with REST for all of these tests, and a plain HTTP client."""

import http.client
import json
import socket

import pytest

from millrace.serving.flags import Options
from millrace.serving.server import ModelServer
from tests.serving.conftest import free_port

PREDICT = b"POST /v1/models/half:predict HTTP/1.1\r\nHost: x\r\n"


class Answer:
    """A response."""

    def __init__(self, response):
        self.status, self.headers = response.status, response.headers
        self.body = response.read()

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        """The HTTP status and the text of an error."""
        assert self.headers["Content-Type"] == "application/json"
        (text,) = self.json.values()
        assert list(self.json) == ["error"]
        return self.status, text


class Sent:
    """A request that was sent, complete or not, over its own connection."""

    def __init__(self, port, raw):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.socket.sendall(raw)

    def rest(self):
        """Everything that arrives until the server closes the connection."""
        with self.socket:
            return b"".join(iter(lambda: self.socket.recv(2**20), b""))

    def trickle(self, part):
        """What arrives first if `part` is sent ten times a second until then."""
        self.socket.settimeout(0.1)
        with self.socket:
            for _ in range(200):
                try:
                    return self.socket.recv(2**20)
                except TimeoutError:
                    self.socket.sendall(part)
        raise AssertionError("Neither an answer nor an end")


class Rest:
    """Sends requests to a REST port, each over its own connection."""

    def __init__(self, port):
        self.port, self.url = port, f"http://127.0.0.1:{port}"

    def ask(self, verb, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        raw = body if body is None or isinstance(body, bytes | str) else json.dumps(body)
        try:
            connection.request(verb, path, raw, headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def send(self, raw):
        """Send the bytes `raw`, and read nothing yet."""
        return Sent(self.port, raw)

    def send_predict(self, body):
        """Request a prediction, and read nothing yet."""
        raw = json.dumps(body).encode()
        length = b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(raw)
        return self.send(PREDICT + length + raw)

    def post(self, path, body, **headers):
        return self.ask("POST", f"/v1/models/{path}", body, headers)

    def get(self, path):
        return self.ask("GET", f"/v1/models{path}")


def serve_rest(half, folder, **options):
    """Start a server of versions 7 and 123 of the model `half`, 7 labelled `stable`."""
    base = folder / "half"
    base.mkdir()
    for version in ("7", "00000123"):
        (base / version).symlink_to(half)
    config, monitoring = folder / "models.config", folder / "monitoring.config"
    config.write_text(
        f'model_config_list {{ config {{ name: "half" base_path: "{base}" '
        'model_platform: "tensorflow" model_version_policy { all {} } '
        'version_labels { key: "stable" value: 7 } } }'
    )
    monitoring.write_text("prometheus_config { enable: true }")
    rest_port = free_port()
    server = ModelServer(
        Options(
            port=free_port(),
            rest_api_port=rest_port,
            model_config_file=str(config),
            monitoring_config_file=str(monitoring),
            **options,
        )
    )
    assert server.start()
    return server, Rest(rest_port)


@pytest.fixture(scope="session")
def narrow(half_plus_two, tmp_path_factory):
    """A REST server with one thread and low limits."""
    server, rest = serve_rest(
        half_plus_two,
        tmp_path_factory.mktemp("narrow"),
        rest_api_num_threads=1,
        rest_api_max_queued_requests=2,
        rest_api_max_body_bytes=2**20,
        rest_api_idle_timeout_seconds=1,
    )
    yield rest
    server.stop()


@pytest.fixture(scope="session")
def rest(half_plus_two, tmp_path_factory):
    server, rest = serve_rest(half_plus_two, tmp_path_factory.mktemp("rest"))
    yield rest
    server.stop()
