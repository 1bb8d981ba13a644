"""Behaviour that the three clients share, tested on one server."""

import asyncio
import inspect

import numpy as np
import pytest
import tensorflow as tf

from millrace.serving import client as package
from millrace.serving.client import AsyncClient, Client, RestClient
from millrace.serving.errors import (
    ClientError,
    InvalidArgumentError,
    WireError,
)
from millrace.serving.flags import Options
from millrace.serving.server import ModelServer
from tests.serving.conftest import free_port


class Echo(tf.Module):
    """Returns its inputs, in several types, and strings of rank 0."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], kind, name)
            for name, kind in (("d", tf.float64), ("f", tf.float32), ("i", tf.int64))
        ]
    )
    def numbers(self, d, f, i):
        return {"d": tf.identity(d), "f": tf.identity(f), "i": tf.identity(i)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.uint8, "x")])
    def serialize(self, x):
        return {"tensor": tf.io.serialize_tensor(x)}

    @tf.function(input_signature=[tf.TensorSpec([], tf.string, "text")])
    def text(self, text):
        return {"same": tf.identity(text), "size": tf.strings.length(text)}


@pytest.fixture(scope="module")
def ports(tmp_path_factory):
    base = tmp_path_factory.mktemp("echo") / "echo"
    module = Echo()
    signatures = {"serving_default": module.numbers}
    signatures |= {"serialize": module.serialize, "text": module.text}
    tf.saved_model.save(module, str(base / "1"), signatures=signatures)
    port, rest_port = free_port(), free_port()
    options = {"model_name": "echo", "model_base_path": str(base)}
    options["enable_grpc_healthcheck_service"] = True
    server = ModelServer(Options(port=port, rest_api_port=rest_port, **options))
    assert server.start()
    yield port, rest_port
    server.stop()


class Waiting:
    """An `AsyncClient` whose methods block, so that it can be called like the others."""

    def __init__(self, *arguments, **options):
        self._client = AsyncClient(*arguments, **options)
        self.loop = asyncio.new_event_loop()

    def __getattr__(self, name):
        method = getattr(self._client, name)
        return lambda *given, **more: self.loop.run_until_complete(method(*given, **more))

    def predict_many(self, *given, **more):
        async def gather():
            return [one async for one in self._client.predict_many(*given, **more)]

        return self.loop.run_until_complete(gather())

    @property
    def target(self):
        return self._client.target


KINDS = {"Client": Client, "AsyncClient": Waiting, "RestClient": RestClient}


@pytest.fixture(params=KINDS)
def make(request, ports):
    """Create clients of one kind, for the server unless a target is given."""
    made = []

    def run(target=None, **options):
        is_rest = request.param == "RestClient"
        own = f"http://127.0.0.1:{ports[1]}" if is_rest else f"127.0.0.1:{ports[0]}"
        made.append(KINDS[request.param](own if target is None else target, **options))
        return made[-1]

    run.is_rest = request.param == "RestClient"
    yield run
    for one in made:
        one.close()
        if isinstance(one, Waiting):
            one.loop.close()


def numbers(client, **inputs):
    given = {"d": [0.0], "f": [0.0], "i": [0]} | inputs
    return client.predict("echo", given)


def test_a_string_of_rank_0_keeps_its_trailing_zeros(make):
    client = make()
    given = {"x": np.array([1, 0, 0], "u1")}
    tensor = client.predict("echo", given, signature="serialize")["tensor"]
    assert (tensor.shape, tensor.dtype) == ((), object)
    assert tf.io.parse_tensor(tensor.item(), tf.uint8).numpy().tolist() == [1, 0, 0]
    answer = client.predict("echo", {"text": b"a\0\0"}, signature="text")
    assert (answer["same"].item(), answer["size"]) == (b"a\0\0", 3)


def test_a_float_is_exact_in_a_double(make):
    answer = numbers(make(), d=[1700000000.25, 1e308, 5e-324])
    assert (answer["d"].dtype, answer["d"].tolist()) == (np.float64, [1700000000.25, 1e308, 5e-324])


def test_numbers_of_another_width_are_converted_if_exact(make):
    client = make()
    answer = numbers(client, d=np.array([0.1], "f4"), f=np.array([0.5]), i=np.array([7], "i4"))
    assert [(one.dtype, one.tolist()) for one in answer.values()] == [
        (np.float64, [float(np.float32(0.1))]),
        (np.float32, [0.5]),
        (np.int64, [7]),
    ]
    assert numbers(client, f=[1, 2], d=[3, 4])["f"].tolist() == [1.0, 2.0]
    assert numbers(client, i=[2**53 + 1])["i"].tolist() == [2**53 + 1]
    many = client.predict_many("echo", [{"d": [x], "f": [1], "i": [x]} for x in range(5)])
    assert [one["d"].tolist() for one in many] == [[0.0], [1.0], [2.0], [3.0], [4.0]]


@pytest.mark.parametrize("value", [np.array([0.1]), np.array([2**24 + 1]), [1e39]])
def test_numbers_that_the_model_cannot_take_are_refused_with_the_inputs_name(make, value):
    with pytest.raises(WireError, match=r"^Input 'f': expected float32, the type of the model"):
        numbers(make(), f=value)


def test_values_of_another_kind_are_refused_by_the_server(make):
    with pytest.raises(InvalidArgumentError):
        numbers(make(), f=["one"])


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"version": 1, "label": "stable"}, r"^Model 'echo': expected a version or a label\."),
        ({"version": 2**63}, r"^Model 'echo': expected a version from 0 to 9223372036854775807\."),
        ({"version": -1}, r"^Model 'echo': expected a version from 0"),
        ({"label": "\ud800"}, r"^Label: expected text\. Received: '\\ud800'"),
        ({"signature": "\ud800"}, r"^Signature: expected text\."),
    ],
)
def test_a_version_and_a_label_exclude_each_other(make, change, text):
    with pytest.raises(WireError, match=text):
        make().predict("echo", {"d": [0.0], "f": [0.0], "i": [0]}, **change)


def test_examples_with_invalid_text_or_masked_arrays_are_refused(make):
    client = make()
    for record, text in (
        ({"x": "\ud800"}, r"^Feature 'x': expected text"),
        ({"\ud800": 1.0}, r"^Feature name: expected text"),
        ({"x": np.ma.masked_array([1.0], [True])}, r"^Feature 'x': .* Received: a masked array"),
    ):
        with pytest.raises(WireError, match=text):
            client.classify("echo", [record])


def test_a_server_reports_whether_it_is_ready(make):
    assert make().healthy() is True


def test_a_closed_client_says_so(make):
    client = make()
    numbers(client)
    client.close()
    for ask in (
        lambda: numbers(client),
        lambda: client.status("echo"),
        client.healthy,
        lambda: next(iter(client.predict_many("echo", [{}]))),
    ):
        with pytest.raises(ClientError) as refusal:
            ask()
        assert str(refusal.value) == (
            f"{client.target}: expected an open client. Received: a call after `close`. "
            "Create another client, or close this one later."
        )
    client.close()


def test_an_asynchronous_client_belongs_to_the_loop_of_its_first_call(ports):
    client = AsyncClient(f"127.0.0.1:{ports[0]}")  # created outside of any loop

    async def ask():
        return (await client.predict("echo", {"d": [1.0], "f": [1.0], "i": [1]}))["i"].tolist()

    assert asyncio.run(ask()) == [1]
    with pytest.raises(ClientError) as refusal:
        asyncio.run(ask())
    assert str(refusal.value) == (
        f"{client.target}: expected the event loop of the client's first call. Received: a call "
        "from another one. Create a client in each loop."
    )
    asyncio.run(client.close())
    with pytest.raises(ClientError, match=r"expected an open client\. Received: a call"):
        asyncio.run(ask())
    asyncio.run(AsyncClient("127.0.0.1").close())  # never used


@pytest.mark.parametrize("kind", [AsyncClient, RestClient])
def test_the_clients_have_the_same_methods_with_the_same_arguments(kind):
    def methods(one):
        named = inspect.getmembers(one, inspect.isfunction)
        return {
            name: {
                each.name: each.default for each in inspect.signature(method).parameters.values()
            }
            for name, method in named
            if not name.startswith("_")
        }

    assert methods(kind) == methods(Client)


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("localhost", "localhost:8500"),
        ("model-server.example", "model-server.example:8500"),
        ("127.0.0.1:1", "127.0.0.1:1"),
        ("h:65535", "h:65535"),
        ("[::1]:80", "[::1]:80"),
        ("[::1]", "[::1]:8500"),
        ("::1", "[::1]:8500"),
        ("unix:/tmp/socket", "unix:/tmp/socket"),
        ("dns:///host:80", "dns:///host:80"),
        ("ipv4:127.0.0.1:80,127.0.0.2:80", "ipv4:127.0.0.1:80,127.0.0.2:80"),
    ],
)
def test_a_target_without_a_port_gets_the_model_servers_default(target, address):
    with Client(target) as client:
        assert client.target == address
    assert AsyncClient(target).target == address


@pytest.mark.parametrize(
    "target", ["host:99999", "host:0", "host:", ":8500", "", "a b:80", "host:80:90x!", "[::1:80"]
)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_an_invalid_host_or_port_is_refused(kind, target):
    with pytest.raises(ClientError) as refusal:
        kind(target)
    assert str(refusal.value) == (
        "Target: expected host:port, with a port from 1 to 65535. "
        f"Received: {target!r}. Correct it, e.g. 127.0.0.1:8500."
    )


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_url_is_refused_as_a_grpc_target(kind):
    with pytest.raises(
        ClientError, match=r"^Target: expected host:port\. Received: 'http://a:1'\."
    ):
        kind("http://a:1")


@pytest.mark.parametrize("target", ["localhost:8501", "ftp://x", "http://", "http://h:99999"])
def test_a_rest_target_is_a_url(target):
    with pytest.raises(ClientError) as refusal:
        RestClient(target)
    assert str(refusal.value) == (
        f"Target: expected a URL such as http://localhost:8501. Received: {target!r}. "
        "Give its scheme, host and port."
    )


def test_a_token_that_no_header_can_hold_is_refused(make):
    with pytest.raises(ClientError, match=r"^Token: expected printable ASCII\."):
        make(token="secret\n")


def test_attempts_are_one_or_more(make):
    with pytest.raises(ClientError, match=r"^Attempts: expected 1 .*Received: 0\."):
        make(attempts=0)


def test_several_signatures_are_run_on_the_same_examples(serve, push, tmp_path):
    push(tmp_path / "half", 1)
    port = free_port()
    target, url = serve(tmp_path / "half", rest_api_port=port), f"http://127.0.0.1:{port}"
    tasks = {"regress": "regress", "classify": "classify"}
    given = ("half", [{"x": 1.0}, {"x": 3.0}], tasks)
    with Client(target) as client, RestClient(url) as other:
        ours, theirs = other.multi_inference(*given), client.multi_inference(*given)
        assert list(ours) == list(theirs) == ["regress", "classify"]
        assert ours["regress"].tolist() == theirs["regress"].tolist() == [2.5, 3.5]
        assert ours["classify"] == theirs["classify"]
        with pytest.raises(WireError, match=r"^Signature 'a': expected 'classify' or 'regress'\."):
            other.multi_inference("half", [{"x": 1.0}], {"a": "predict"})


def test_the_package_has_the_names_that_it_lists_and_no_others():
    assert {name: getattr(package, name).__name__ for name in package.__all__} == {
        name: name for name in package.__all__
    }
    assert sorted(package._MODULES) == package.__all__
    with pytest.raises(AttributeError, match="has no attribute 'Server'"):
        _ = package.Server
