"""Access control: TLS, mutual TLS, and the token."""

import ast
import json
import shutil
import socket
import ssl
import urllib.parse
from pathlib import Path

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace import serving
from millrace.serving.client import Client, Tls
from millrace.serving.errors import (
    NotFoundError,
    ServerError,
    UnauthenticatedError,
    UnavailableError,
)
from millrace.serving.security import Gate, read_gate, server_credentials
from tests.serving import certificates, http2
from tests.serving.rest import conftest as rest_fixtures

SECRET = "a-long-secret"
rest = rest_fixtures.rest


def test_without_a_token_every_request_is_admitted():
    assert Gate().authorized(None)
    assert Gate().is_open


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        (f"Bearer {SECRET}", True),
        (f"bearer {SECRET}", True),
        (f"Bearer {SECRET} ", True),
        (f"Bearer {SECRET}x", False),
        (f"Basic  {SECRET}", False),
        (SECRET, False),
        ("Bearer ", False),
        ("Bearer é", False),
        ("Bearer \udcff", False),  # how a byte that is not valid UTF-8 arrives
        ("", False),
        (None, False),
    ],
)
def test_a_token_is_required_in_its_header(header, allowed):
    assert Gate(SECRET).authorized(header) is allowed


@given(st.text(st.characters()))
def test_no_other_header_is_admitted(header):
    assert not Gate(SECRET).authorized(header)


def test_a_token_is_read_from_a_file_without_its_newline(tmp_path):
    file = tmp_path / "token"
    file.write_text(f"{SECRET}\n")
    assert read_gate(str(file)).authorized(f"Bearer {SECRET}")
    assert read_gate("").is_open


@pytest.mark.parametrize("content", ["", " \n", "é", "two\nlines"])
def test_a_file_without_a_token_is_refused(tmp_path, content):
    file = tmp_path / "token"
    file.write_text(content)
    with pytest.raises(ServerError, match=r"expected a file with one line of printable ASCII\. "):
        read_gate(str(file))
    with pytest.raises(ServerError, match="No such file"):
        read_gate(str(tmp_path / "none"))


def test_requests_need_the_token_but_health_checks_do_not(serve, push, tmp_path):
    push(tmp_path / "half", 1)
    file = tmp_path / "token"
    file.write_text(SECRET)
    options = {"api_token_file": str(file), "enable_grpc_healthcheck_service": True}
    target = serve(tmp_path / "half", **options)
    with Client(target, token=SECRET) as client:
        assert client.predict("half", {"x": [1.0]})["y"] == 2.5
        assert client.status("half")[0].state == "AVAILABLE"
    for token in ("", "wrong"):
        with Client(target, token=token) as client:
            assert client.healthy()
            with pytest.raises(UnauthenticatedError) as refusal:
                client.predict("half", {"x": [1.0]})
            assert str(refusal.value) == "Expected `authorization: Bearer` and this server's token."
            with pytest.raises(UnauthenticatedError):
                client.status("half")


def test_a_header_that_is_not_text_is_refused_over_grpc_and_not_logged(
    serve, push, tmp_path, caplog
):
    push(tmp_path / "half", 1)
    (tmp_path / "token").write_text(SECRET)
    target = serve(tmp_path / "half", api_token_file=str(tmp_path / "token"))
    host, _, port = target.partition(":")
    answer = b""
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        empty = http2.frame(http2.DATA, http2.END_STREAM, 1, bytes(5))
        connection.sendall(http2.headers(authorization=b"Bearer \xff\xfe") + empty)
        while b"grpc-message" not in answer:
            answer += connection.recv(2**16)
    assert b"grpc-status\x0216" in answer  # UNAUTHENTICATED
    assert "Invalid encoding" not in caplog.text


needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    certificates.authority(folder)
    certificates.signed(folder, "server")
    certificates.signed(folder, "client")
    return folder


@pytest.fixture
def ssl_config(keys, tmp_path):
    def write(**more):
        pem = {"server_key": "server.key", "server_cert": "server.pem"}
        values = {name: (keys / file).read_text() for name, file in pem.items()} | more
        file = tmp_path / "ssl.txt"
        file.write_text("".join(f"{name}: {json.dumps(value)}\n" for name, value in values.items()))
        return str(file)

    return write


@needs_openssl
def test_tls_needs_a_client_that_trusts_the_authority(serve, push, tmp_path, keys, ssl_config):
    push(tmp_path / "half", 1)
    target = serve(tmp_path / "half", ssl_config_file=ssl_config())
    with Client(target, tls=Tls.read(keys / "ca.pem")) as client:
        assert client.predict("half", {"x": [1.0]})["y"] == 2.5
    for tls, expected in (
        (None, "expected a model server"),  # plain text
        (Tls(), "expected a TLS handshake"),  # the system's own authorities
    ):
        with (
            Client(target, tls=tls, attempts=1) as client,
            pytest.raises(UnavailableError, match=rf"^{target}: {expected}\. Received: "),
        ):
            client.predict("half", {"x": [1.0]}, timeout=5)


@needs_openssl
def test_mutual_tls_needs_a_clients_certificate(serve, push, tmp_path, keys, ssl_config):
    push(tmp_path / "half", 1)
    config = ssl_config(custom_ca=(keys / "ca.pem").read_text(), client_verify=True)
    target = serve(tmp_path / "half", ssl_config_file=config)
    own = {"certificate": keys / "client.pem", "key": keys / "client.key"}
    with Client(target, tls=Tls.read(keys / "ca.pem", **own)) as client:
        assert client.predict("half", {"x": [1.0]})["y"] == 2.5
    unknown = Client(target, tls=Tls.read(keys / "ca.pem"), attempts=1)
    with unknown as client, pytest.raises(UnavailableError):
        client.predict("half", {"x": [1.0]}, timeout=5)


@needs_openssl
def test_a_stock_channel_with_the_servers_name_is_admitted(serve, push, tmp_path, keys, ssl_config):
    push(tmp_path / "half", 1)
    target = serve(tmp_path / "half", ssl_config_file=ssl_config())
    credentials = grpc.ssl_channel_credentials((keys / "ca.pem").read_bytes())
    with grpc.secure_channel(target, credentials) as channel:
        grpc.channel_ready_future(channel).result(10)
    named = Tls.read(keys / "ca.pem", server_name="localhost")
    with Client(target, tls=named) as client:
        assert client.predict("half", {"x": [1.0]})["y"] == 2.5


def served_by(target):
    """The certificate that a new connection is shown, in PEM."""
    host, _, port = target.partition(":")
    return ssl.get_server_certificate((host, int(port)), timeout=20)


@needs_openssl
def test_a_renewed_certificate_needs_no_restart_and_a_broken_one_changes_nothing(
    serve, push, tmp_path, keys, ssl_config, caplog
):
    push(tmp_path / "half", 1)
    first, renewed = ((keys / f"{name}.pem").read_text() for name in ("server", "client"))
    target = serve(tmp_path / "half", ssl_config_file=ssl_config())
    with Client(target, tls=Tls.read(keys / "ca.pem"), attempts=1) as client:
        assert client.predict("half", {"x": [1.0]})["y"] == 2.5
        assert served_by(target) == first
        ssl_config(server_cert=renewed)  # with the key of the first
        assert served_by(target) == first
        assert "The certificate in use is kept: --ssl_config_file=" in caplog.text
        ca = (keys / "ca.pem").read_text()
        ssl_config(custom_ca=ca, client_verify=True)
        assert served_by(target) == first
        assert "`client_verify` as it was when the server started" in caplog.text
        (tmp_path / "ssl.txt").unlink()
        assert served_by(target) == first
        ssl_config(server_cert=renewed, server_key=(keys / "client.key").read_text())
        assert served_by(target) == renewed
        assert client.predict("half", {"x": [1.0]})["y"] == 2.5  # over its old connection


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("nome: 1", r"^Invalid protobuf file: '.*ssl\.txt': .*nome"),
        (
            'server_key: "/keys/server.key" server_cert: "-----BEGIN"',
            r"expected `server_key` and `server_cert` in PEM\. Received: other text",
        ),
        (
            'server_key: "-----BEGIN" server_cert: "-----BEGIN" client_verify: true',
            r"expected `custom_ca` with `client_verify`\. Received: none\.",
        ),
    ],
)
def test_an_invalid_ssl_file_is_refused(tmp_path, content, text):
    file = tmp_path / "ssl.txt"
    file.write_text(content)
    with pytest.raises(ServerError, match=text):
        server_credentials(str(file))


@needs_openssl
def test_a_key_that_does_not_match_its_certificate_is_refused_before_anything_is_loaded(
    keys, ssl_config
):
    no_key = (
        "-----BEGIN PRIVATE KEY-----\nYQ==\n-----END PRIVATE KEY-----\n"  # pragma: allowlist secret
    )
    for other, received in (
        ((keys / "client.key").read_text(), "KEY_VALUES_MISMATCH"),
        (no_key, "SSL"),
        (certificates.encrypted(keys, "server"), "an encrypted key"),
    ):
        file = ssl_config(server_key=other)
        with pytest.raises(ServerError, match=rf"^--ssl_config_file={file}: .*{received}"):
            server_credentials(file)
    file = ssl_config(custom_ca="-----BEGIN CERTIFICATE-----\n")
    with pytest.raises(ServerError, match=r"authorities in PEM\. Received: "):
        server_credentials(file)


def test_without_an_ssl_file_there_are_no_credentials():
    assert server_credentials("") is None


# Names and files


NAMES = ["../half", "..", "/etc/passwd", "half/../half", "half/1", "./half", "half\0"]


@pytest.mark.parametrize("name", NAMES)
def test_a_models_name_is_never_used_as_a_path(client, rest, name):
    with pytest.raises(NotFoundError, match="Servable not found for request: Latest"):
        client.predict(name, {"x": [1.0]})
    with pytest.raises(NotFoundError, match="Could not find any versions of model"):
        client.status(name)
    status, text = rest.get(f"/{urllib.parse.quote(name, safe='')}").error
    assert (status, text) == (404, f"Could not find any versions of model {name}")


def test_nothing_served_is_unpickled_or_run_as_python():
    found = set()
    for file in (Path(serving.__file__).parent).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {name.name for name in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                found.add(node.func.id)
    unsafe = {"pickle", "marshal", "shelve", "dill", "joblib", "cloudpickle", "yaml"}
    assert not found & (unsafe | {"eval", "exec", "compile", "__import__"})
