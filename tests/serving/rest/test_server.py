"""The REST server over a real socket: paths, codes, encodings, flags, lifecycle."""

import gzip
import http.client
import json
import socket
import threading
import time
import urllib.parse

import pytest

from millrace.serving import cores, flags
from millrace.serving.client import Client
from millrace.serving.errors import RpcError, ServerError
from millrace.serving.flags import Options
from millrace.serving.grpc_server import listening
from millrace.serving.rest import bodies, codes
from millrace.serving.server import ModelServer
from tests.serving.conftest import free_port
from tests.serving.rest.conftest import Rest, serve_rest

# Paths, codes, encodings


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        *(("GET", "/v1/models/half:predict"), ("POST", "/v1/models/half"), ("PUT", "/v1/models/h")),
        *(("POST", "/v1/models/half:predict?a=1"), ("GET", "/v1/"), ("DELETE", "/V1/x")),
        *(("OPTIONS", "/v1/models/half"), ("POST", "/v1/models/half:multiInference")),
    ],
)
def test_a_malformed_path_is_reported(rest, verb, path):
    assert rest.ask(verb, path).error == (400, f"Malformed request: {verb} {path}")


def test_head_has_a_status_and_no_body(rest):
    answer = rest.ask("HEAD", "/v1/models/half")
    assert (answer.status, answer.body) == (400, b"")


def test_any_other_path_is_not_found(rest):
    for path in ("/", "/v1", "/v2/models/half", "/monitoring"):
        answer = rest.ask("GET", path)
        assert (answer.status, answer.headers["Content-Type"].split(";")[0]) == (404, "text/html")
        assert "<TITLE>404 Not Found</TITLE>" in answer.text


HTTP = {
    **dict.fromkeys(["INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE"], 400),
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    **dict.fromkeys(["ABORTED", "ALREADY_EXISTS"], 409),
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    **dict.fromkeys(["UNKNOWN", "INTERNAL", "DATA_LOSS"], 500),
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}


@pytest.mark.parametrize("kind", [RpcError, *RpcError.__subclasses__()], ids=lambda kind: kind.code)
def test_each_code_has_its_http_status(kind):
    assert codes.status_of(kind("x")) == HTTP[kind.code]
    assert HTTP[codes.error_of(HTTP[kind.code], "x").code] == HTTP[kind.code]


def test_a_gzip_body_is_decompressed(rest):
    body = gzip.compress(json.dumps({"instances": [1.0]}).encode())
    answer = rest.post("half:predict", body, **{"Content-Encoding": "gzip"})
    assert answer.json == {"predictions": [2.5]}


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(b'{"instances": [1]}', mtime=0)[:-9]])
def test_a_damaged_gzip_body_counts_as_empty(rest, body):
    answer = rest.post("half:predict", body, **{"Content-Encoding": "gzip"})
    assert answer.error == (400, "JSON Parse error: The document is empty")


def test_a_gzip_bomb_is_refused_before_it_is_decompressed(rest, monkeypatch):
    monkeypatch.setattr(bodies, "MAX_DECOMPRESSED_BYTES", 1000)
    body = gzip.compress(b" " * 100_000)
    answer = rest.post("half:predict", body, **{"Content-Encoding": "gzip"})
    assert answer.error == (413, "Received a decompressed body larger than max (1000 bytes)")


def test_a_long_response_is_compressed_for_clients_that_accept_it(rest):
    values = [1.0] * 1000
    plain = rest.post("half:predict", {"instances": values})
    packed = rest.post("half:predict", {"instances": values}, **{"Accept-Encoding": "br, gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < len(plain.body) / 10
    for refused in ({}, {"Accept-Encoding": "gzip;q=0"}, {"Accept-Encoding": "br"}):
        answer = rest.post("half:predict", {"instances": values}, **refused)
        assert answer.headers["Content-Encoding"] is None
    short = rest.post("half:predict", {"instances": [1.0]}, **{"Accept-Encoding": "gzip"})
    assert short.headers["Content-Encoding"] is None


def raw_answer(port, request):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_request_that_is_not_http_gets_an_error_in_the_usual_form(rest):
    answer = raw_answer(rest.port, b"\x16\x03\x01 hello\r\n\r\n")
    assert answer.partition(b"\r\n")[0] in (
        b"HTTP/1.0 400 Bad Request",
        b"HTTP/1.1 400 Bad Request",
    )
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"].startswith("Malformed HTTP: ")


def test_a_client_that_expects_100_continue_gets_it(rest):
    body = b'{"instances": [1.0]}'
    head = (
        b"POST /v1/models/half:predict HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    with socket.create_connection(("127.0.0.1", rest.port), timeout=10) as connection:
        connection.sendall(head)
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"[2.5\n" in answer


# Flags


def test_flags_have_the_real_servers_defaults():
    options = flags.parse(["--model_base_path=/models/half"])
    assert (options.rest_api_port, options.rest_api_timeout_in_ms) == (0, 30_000)
    assert options.rest_api_num_threads == 4 * cores.available()
    assert not options.rest_api_enable_cors_support


def test_limits_beyond_the_real_servers_have_generous_defaults():
    options = flags.parse(["--model_base_path=/models/half"])
    assert options.rest_api_max_body_bytes == listening.MAX_MESSAGE_BYTES == 2**31 - 1
    assert options.rest_api_max_queued_requests == 1000
    assert options.rest_api_idle_timeout_seconds == 75


@pytest.mark.parametrize(
    ("flag", "text"),
    [
        ("rest_api_port=8500", "--rest_api_port=8500: expected a port other than --port. Received"),
        ("rest_api_port=70000", "--rest_api_port=70000: expected 0 to 65535. Received: 70000"),
        ("rest_api_num_threads=0", "--rest_api_num_threads: expected 1 or more. Received: 0."),
        ("rest_api_max_queued_requests=-1", "--rest_api_max_queued_requests: expected 0 or more."),
        ("rest_api_max_body_bytes=0", "--rest_api_max_body_bytes: expected 1 or more. Received"),
        ("rest_api_idle_timeout_seconds=0", "--rest_api_idle_timeout_seconds: expected 1 or more."),
    ],
)
def test_conflicting_and_invalid_flags_are_refused(flag, text):
    with pytest.raises(ServerError) as refusal:
        flags.parse(["--model_base_path=/models/half", f"--{flag}"])
    assert str(refusal.value).startswith(text)


def test_cors_needs_its_flag(rest, half_plus_two, tmp_path):
    assert rest.get("/half").headers["Access-Control-Allow-Origin"] is None
    server, open_rest = serve_rest(half_plus_two, tmp_path, rest_api_enable_cors_support=True)
    try:
        answers = [
            open_rest.get("/half"),
            open_rest.post("none:predict", {"instances": [1]}),
            open_rest.ask("OPTIONS", "/v1/models/half:predict"),
        ]
    finally:
        server.stop()
    assert [answer.status for answer in answers] == [200, 404, 200]
    for answer in answers:
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.headers["Access-Control-Allow-Methods"] == "POST, GET"
        assert answer.headers["Access-Control-Allow-Headers"] == "Content-Type"


NO_TEXT = [b"Bearer \xff\xfe", b"Bearer s3cret\xe9", b"\xff", "Bearer ü"]


def test_a_token_is_required_if_one_is_set(half_plus_two, tmp_path):
    (tmp_path / "token").write_text("s3cret\n")
    options = {"api_token_file": str(tmp_path / "token"), "rest_api_enable_cors_support": True}
    server, rest = serve_rest(half_plus_two, tmp_path, **options)

    def ask(path, value):
        return rest.ask("GET", path, None, {"Authorization": value}).status

    try:
        without = [rest.get("/half"), rest.ask("GET", "/monitoring/prometheus/metrics")]
        let_in = ask("/v1/models/half", "Bearer s3cret")
        wrong = [ask("/v1/models/half", value) for value in NO_TEXT]
        preflight = rest.ask("OPTIONS", "/v1/models/half:predict")
        probes = [rest.ask("GET", path).status for path in ("/healthz", "/v2/health/ready")]
    finally:
        server.stop()
    assert [answer.error[0] for answer in without] == [401, 401]
    assert let_in == 200
    assert wrong == [401] * len(NO_TEXT)
    assert (preflight.status, preflight.body) == (200, b"")
    assert preflight.headers["Access-Control-Allow-Headers"] == "Content-Type, Authorization"
    assert probes == [200, 200]


def test_rest_needs_its_flag(serve, half_plus_two, tmp_path):
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "1").symlink_to(half_plus_two)
    target = serve(tmp_path / "half")
    with pytest.raises((http.client.HTTPException, OSError)):  # the only port is for gRPC
        Rest(int(target.rpartition(":")[2])).get("/half")


def test_a_port_in_use_is_reported_before_models_are_loaded(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = ModelServer(
            Options(port=free_port(), rest_api_port=port, model_base_path=str(tmp_path))
        )
        with pytest.raises(ServerError) as refusal:
            server.start()
    assert str(refusal.value).startswith(f"127.0.0.1:{port}: expected a free address")
    assert str(refusal.value).endswith("Choose another --rest_api_port or --bind_address.")


def test_the_port_opens_once_the_models_are_loaded(push, tmp_path):
    base, port = tmp_path / "half", free_port()
    base.mkdir()
    server = ModelServer(
        Options(port=free_port(), rest_api_port=port, model_name="half", model_base_path=str(base))
    )
    starting = threading.Thread(target=server.start)
    starting.start()
    try:
        time.sleep(0.3)
        with pytest.raises(ConnectionRefusedError):
            Rest(port).get("/half")
        push(base, 1)
        starting.join(30)
        assert Rest(port).get("/half").status == 200
    finally:
        server.stop()


def test_a_running_request_is_answered_before_the_server_stops(half_plus_two, tmp_path):
    server, rest = serve_rest(half_plus_two, tmp_path)
    gate, answers = tmp_path / "gate", []
    gate.write_text("stop")
    body = {"signature_name": "wait", "inputs": str(gate)}
    asking = threading.Thread(target=lambda: answers.append(rest.post("half:predict", body)))
    asking.start()
    time.sleep(0.3)
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    time.sleep(0.3)
    assert not answers
    gate.write_text("go")
    asking.join(30)
    stopping.join(30)
    assert answers[0].status == 200


def test_many_callers_are_answered_at_once_and_beside_grpc(rest, target):
    def ask(number, wrong):
        answer = rest.post("half:predict", {"instances": [float(number)]})
        if answer.json != {"predictions": [number / 2 + 2]}:
            wrong.append(answer.text)

    wrong = []
    threads = [threading.Thread(target=ask, args=(2 * n, wrong)) for n in range(40)]
    for thread in threads:
        thread.start()
    with Client(target) as client:
        assert client.predict("half", {"x": [1.0]})["y"].tolist() == [2.5]
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_connection_is_kept_for_the_next_request(rest):
    lines = f"GET {urllib.parse.quote('/v1/models/half')} HTTP/1.1\r\nHost: x\r\n"
    answers = raw_answer(rest.port, f"{lines}\r\n{lines}Connection: close\r\n\r\n".encode())
    assert answers.count(b"HTTP/1.1 200 OK") == 2
