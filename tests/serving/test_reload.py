"""A new configuration while the server runs: by RPC, and by file."""

import contextlib
import time

import grpc
import pytest
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.apis.model_service_pb2_grpc import ModelServiceStub

from millrace.serving.client import Client
from millrace.serving.errors import NotFoundError
from millrace.serving.flags import Options
from millrace.serving.server import ModelServer
from tests.serving.conftest import free_port, until


def entry(request, name, base, **labels):
    config = request.config.model_config_list.config.add()
    config.name, config.base_path, config.model_platform = name, str(base), "tensorflow"
    config.version_labels.update(labels)


def text(*bases):
    entries = (
        f'config {{ name: "{base.name}" base_path: "{base}" model_platform: "tensorflow" }}'
        for base in bases
    )
    return f"model_config_list {{ {' '.join(entries)} }}"


def served(client, name):
    try:
        return client.predict(name, {"x": [6.0]})["y"].tolist() == [5.0]
    except NotFoundError:
        return False


@pytest.fixture
def stub_of():
    with contextlib.ExitStack() as stack:
        yield lambda target: ModelServiceStub(stack.enter_context(grpc.insecure_channel(target)))


@pytest.fixture
def bases(push, tmp_path):
    for name in ("half", "other"):
        push(tmp_path / name, 1)
    return tmp_path / "half", tmp_path / "other"


def refusal(stub, request, timeout=30):
    with pytest.raises(grpc.RpcError) as caught:
        stub.HandleReloadConfigRequest(request, timeout=timeout)
    return caught.value.code().name, caught.value.details()


def moved_to(base):
    request = ReloadConfigRequest()
    entry(request, "half", base)
    return request


def test_another_folder_with_the_same_number_is_reported_and_not_served(
    serve, bases, push, stub_of, third_plus_two, tmp_path, caplog
):
    """As in the real server, which identifies a version by its number; but with a warning."""
    target = serve(bases[0])
    push(tmp_path / "moved", 1, third_plus_two)
    (tmp_path / "same").symlink_to(bases[0])
    stub = stub_of(target)
    for folder in ("same", "moved"):
        stub.HandleReloadConfigRequest(moved_to(tmp_path / folder), timeout=30)
    time.sleep(2.5)  # two polls
    with Client(target) as client:
        assert served(client, "half")
        assert [r.getMessage() for r in caplog.records if "same number" in r.getMessage()] == [
            f"Servable half: version 1 is still served from {bases[0] / '1'}; "
            f"{tmp_path / 'moved/1'} has the same number and is not loaded. Give it another number."
        ]
        push(tmp_path / "moved", 2, third_plus_two)
        until(lambda: client.predict("half", {"x": [6.0]})["y"].tolist() == [4.0])


def test_a_version_that_failed_is_loaded_from_another_folder(serve, bases, stub_of, tmp_path):
    target = serve(bases[0], max_num_load_retries=0)
    broken = tmp_path / "broken" / "2"
    broken.mkdir(parents=True)
    (tmp_path / "sound").mkdir()
    (bases[1] / "1").rename(tmp_path / "sound" / "2")
    stub = stub_of(target)
    stub.HandleReloadConfigRequest(moved_to(broken.parent), timeout=30)
    with Client(target) as client:
        until(lambda: [v.state for v in client.status("half")] == ["END", "AVAILABLE"])
        stub.HandleReloadConfigRequest(moved_to(tmp_path / "sound"), timeout=30)
        until(lambda: [v.state for v in client.status("half")] == ["AVAILABLE", "END"])


def test_a_reload_replaces_the_whole_configuration(serve, bases, stub_of):
    target = serve(bases[0])
    request = ReloadConfigRequest()
    entry(request, "other", bases[1])
    response = stub_of(target).HandleReloadConfigRequest(request, timeout=60)
    assert (response.status.error_code, response.status.error_message) == (0, "")
    with Client(target) as client:
        assert served(client, "other")  # new models are loaded when the call returns
        assert not served(client, "half")


def test_invalid_reloads_are_refused_and_change_nothing(serve, bases, stub_of):
    target = serve(bases[0])
    stub = stub_of(target)
    assert refusal(stub, ReloadConfigRequest()) == (
        "INVALID_ARGUMENT",
        "ServerModelConfig type not supported by HandleReloadConfigRequest. "
        "Only ModelConfigList is currently supported",
    )
    twice, relative, label = ReloadConfigRequest(), ReloadConfigRequest(), ReloadConfigRequest()
    entry(twice, "half", bases[0])
    entry(twice, "half", bases[0])
    entry(relative, "half", "models/half")
    entry(label, "half", bases[0], canary=2)
    assert refusal(stub, twice) == (
        "INVALID_ARGUMENT",
        "Illegal to list model half multiple times in config list",
    )
    assert refusal(stub, relative) == (
        "INVALID_ARGUMENT",
        "Expected model half to have an absolute path or URI; got base_path()=models/half",
    )
    assert refusal(stub, label) == (
        "FAILED_PRECONDITION",
        "Request to assign label to version 2 of model half, "
        "which is not currently available for inference",
    )
    with Client(target) as client:
        assert served(client, "half")


def test_a_reload_can_move_a_label(serve, push, bases, stub_of):
    target = serve(bases[0])
    request = ReloadConfigRequest()
    entry(request, "half", bases[0], stable=1)
    stub_of(target).HandleReloadConfigRequest(request, timeout=30)
    with Client(target) as client:
        assert client.predict("half", {"x": [1.0]}, label="stable").version == 1


@pytest.fixture
def from_file(tmp_path):
    """Start a server with a configuration file."""
    running = []

    def start(content, **options):
        file = tmp_path / "models.config"
        file.write_text(content)
        port = free_port()
        server = ModelServer(Options(port=port, model_config_file=str(file), **options))
        running.append(server)
        assert server.start()
        return f"127.0.0.1:{port}", file

    yield start
    for server in running:
        server.stop()


def test_a_polled_file_takes_effect_unless_it_is_invalid(from_file, bases, caplog):
    target, file = from_file(text(bases[0]), model_config_file_poll_wait_seconds=1)
    with Client(target) as client:
        assert served(client, "half")
        file.write_text("model_config_list { nonsense }")
        until(lambda: "Failed to read ModelServerConfig file: Error parsing" in caplog.text)
        assert served(client, "half")
        file.write_text(text(*bases))
        until(lambda: served(client, "other"))
        assert served(client, "half")
        file.write_text(text(bases[1]).replace("} }", 'version_labels { key: "a" value: 9 } } }'))
        until(lambda: "PollFilesystemAndReloadConfig failed to ReloadConfig: " in caplog.text)
        assert served(client, "half")


def test_a_file_that_is_not_polled_is_read_once(from_file, bases):
    target, file = from_file(text(bases[0]))
    file.write_text(text(bases[1]))
    with Client(target) as client:
        assert served(client, "half")
        time.sleep(1.2)
        assert not served(client, "other")
