"""Structured and random requests at the REST port: each gets a response of the contract.

The server is a separate process, so that a crash would be noticed. The number of requests and of
each kind of response is printed (`pytest -s`).
"""

import collections
import gzip
import http.client
import json
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.serving.client.rest_client import RestClient
from tests.serving import fuzzing
from tests.serving.conftest import free_port
from tests.serving.fuzzing import FUZZ

REFUSALS = {400, 404, 429, 501, 504}  # errors that a client can cause


class Fuzzed:
    """A server process, and a count of its responses."""

    def __init__(self, process, port):
        self.process, self.port = process, port
        self.answers = collections.Counter()
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def ask(self, verb, path, body, headers=None):
        """Send one request; its response must be one of the contract."""
        self._connection.request(verb, path, body, headers or {})
        response = self._connection.getresponse()
        raw = response.read()
        self.count(response.status)
        assert response.status == 200 or response.status in REFUSALS
        if response.status != 200 and response.headers["Content-Type"] == "application/json":
            assert verb == "HEAD" or list(json.loads(raw)) == ["error"]
        return response.status

    def close(self):
        self._connection.close()

    def count(self, status):
        self.answers[status] += 1
        assert self.process.poll() is None


@pytest.fixture(scope="module")
def fuzzed(half_plus_two, tmp_path_factory):
    port, folder = free_port(), tmp_path_factory.mktemp("fuzz")
    flags = (f"--rest_api_port={port}", "--rest_api_timeout_in_ms=1000")
    with fuzzing.server(half_plus_two, folder, *flags) as (process, _):
        with RestClient(f"http://127.0.0.1:{port}") as client:
            client.wait_until_available("half", timeout=120)
            found = Fuzzed(process, port)
            yield found
            assert client.predict("half", {"x": [1.0]})["y"].tolist() == [2.5]
        found.close()
    print(f"\n{found.answers.total()} requests, by status: {dict(sorted(found.answers.items()))}")


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=5)
    | st.builds(lambda text: {"b64": text}, st.sampled_from(["", "YQ==", "Y", "%"]))
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["x", "a", "b", "bias", "b64"]), inner, max_size=3)
    ),
    max_leaves=12,
)
SIGNATURES = st.sampled_from(
    ["serving_default", "biased", "multiply", "look_up", "regress", "classify", "S", ""]
)
BODIES = st.fixed_dictionaries(
    {},
    optional={
        "signature_name": SIGNATURES | VALUES,
        "instances": VALUES,
        "inputs": VALUES,
        "examples": st.lists(st.dictionaries(st.sampled_from("xyz"), VALUES, max_size=2)) | VALUES,
        "context": VALUES,
    },
)
ROWS = st.lists(st.floats(width=32) | st.integers(-9, 9) | VALUES, min_size=1, max_size=4)
NEARLY_GOOD = st.one_of(  # most of these succeed
    st.fixed_dictionaries({"instances": st.lists(st.floats(width=32), min_size=1) | ROWS}),
    st.fixed_dictionaries({"inputs": st.fixed_dictionaries({"x": ROWS})}),
    st.fixed_dictionaries(
        {
            "signature_name": st.just("look_up"),
            "instances": st.lists(st.text(max_size=5), min_size=1) | ROWS,
        }
    ),
    st.fixed_dictionaries(
        {
            "signature_name": st.just("multiply"),
            "inputs": st.fixed_dictionaries(
                {
                    "a": st.lists(st.lists(st.integers(-9, 9), min_size=2, max_size=2)),
                    "b": st.just([[1, 2, 3], [4, 5, 6.5]]) | VALUES,
                }
            ),
        }
    ),
)
PATHS = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["/v1/models", "/V1/models", "/v1", "/v1/", "/"]),
    st.sampled_from(["/half", "/none", "/%00", "/h%61lf", "/%", "", "/a/b"]),
    st.sampled_from(["", "/versions/1", "/versions/9", "/versions/x", "/labels/a", "/labels/"]),
    st.sampled_from(["", ":predict", ":classify", ":regress", "/metadata", ":x", "?q=1", "#f"]),
)


@FUZZ
@given(st.sampled_from(["predict", "classify", "regress"]), BODIES, st.booleans())
def test_structured_bodies_are_answered(fuzzed, method, body, packed):
    raw = json.dumps(body).encode()
    headers = {"Content-Encoding": "gzip"} if packed else {}
    fuzzed.ask("POST", f"/v1/models/half:{method}", gzip.compress(raw) if packed else raw, headers)


@FUZZ
@given(NEARLY_GOOD)
def test_nearly_valid_bodies_are_answered(fuzzed, body):
    fuzzed.ask("POST", "/v1/models/half:predict", json.dumps(body))


@FUZZ
@given(st.sampled_from(["predict", "classify"]), BODIES, st.data())
def test_broken_bodies_are_answered(fuzzed, method, body, data):
    raw = bytearray(json.dumps(body).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place] = data.draw(st.integers(0, 255))
    fuzzed.ask("POST", f"/v1/models/half:{method}", bytes(raw))


@FUZZ
@given(st.sampled_from(["predict", "classify", "regress"]), st.binary(max_size=200), st.booleans())
def test_random_bodies_are_answered(fuzzed, method, raw, packed):
    headers = {"Content-Encoding": "gzip"} if packed else {}
    assert fuzzed.ask("POST", f"/v1/models/half:{method}", raw, headers) == 400


@FUZZ
@given(st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"]), PATHS, BODIES)
def test_any_path_is_answered(fuzzed, verb, path, body):
    fuzzed.ask(verb, path, None if verb in ("GET", "HEAD") else json.dumps(body))


@FUZZ
@given(
    st.binary(min_size=1, max_size=300), st.sampled_from([b"", b"GET ", b"POST /v1/models/half"])
)
def test_bytes_that_are_not_http_are_refused_or_disconnected(fuzzed, raw, start):
    with socket.create_connection(("127.0.0.1", fuzzed.port), timeout=60) as connection:
        connection.sendall(start + raw + b"\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        try:
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        except ConnectionResetError:
            answer = b""
    if answer:
        status = int(answer.split(b" ", 2)[1])
        assert status in REFUSALS
        fuzzed.count(status)
    else:
        fuzzed.count(0)


@pytest.mark.parametrize("opening", ["[", '{"a":', '{"instances":['])
def test_unlimited_nesting_is_answered(fuzzed, opening):
    assert fuzzed.ask("POST", "/v1/models/half:predict", opening * 200_000) == 400
    closing = "]" if opening == "[" else "}" if opening == '{"a":' else "]}"
    whole = opening * 500 + "1" + closing * 500
    assert fuzzed.ask("POST", "/v1/models/half:predict", f'{{"inputs": {whole}}}') == 400
