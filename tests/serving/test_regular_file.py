"""Pipes, devices, sockets and huge files are refused by name before they are opened."""

import os
import socket

import pytest
from etils.epath import Path

from millrace.serving import config, monitoring, regular_file, security
from millrace.serving.batching import parameters as batching_parameters
from millrace.serving.client import Client
from millrace.serving.errors import ModelLoadError, ServerError
from millrace.serving.flags import Options
from millrace.serving.loading import session_config
from millrace.serving.model import LoadedModel
from millrace.serving.tflite import TfLiteModel
from tests.serving.conftest import until

GIANT = 6 << 30


def _socket(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def _giant(path):
    path.touch()
    os.truncate(path, GIANT)


MADE = {
    "is a pipe, not a file": os.mkfifo,
    "is a device, not a file": lambda path: path.symlink_to("/dev/zero"),
    "is a socket, not a file": _socket,
    "is a folder, not a file": lambda path: path.mkdir(),
    "has 6,442,450,944 bytes, more than": _giant,
}


@pytest.fixture(params=MADE)
def unfit(request, tmp_path, monkeypatch):
    """The path of something that is not a file, and the reason in the error."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "unfit"
    MADE[request.param](path)
    return path, f"{path} {request.param}"


READERS = {
    "model_config_file": lambda file: config.read(Path(file)),
    "batching_parameters_file": lambda file: batching_parameters.read(Path(file)),
    "monitoring_config_file": lambda file: monitoring.prometheus_path(Path(file)),
    "api_token_file": lambda file: security.read_gate(str(file)),
    "ssl_config_file": lambda file: security.server_credentials(str(file)),
    "tensorflow_session_config_file": lambda file: session_config(
        Options(tensorflow_session_config_file=str(file))
    ),
}


@pytest.mark.parametrize("flag", READERS)
def test_a_flag_that_names_anything_but_a_file_is_refused(flag, unfit):
    path, reason = unfit
    with pytest.raises(ServerError) as refusal:
        READERS[flag](path)
    assert reason in str(refusal.value)


def test_a_configuration_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "models").write_bytes(b"\xff")
    with pytest.raises(ServerError, match="expected a readable file"):
        config.read(Path(tmp_path / "models"))


@pytest.mark.parametrize("load", [LoadedModel, TfLiteModel])
def test_a_graph_that_is_not_a_file_is_refused(unfit, load):
    path, reason = unfit
    version = path.parent / "1"
    version.mkdir()
    file = version / ("saved_model.pb" if load is LoadedModel else "model.tflite")
    path.rename(file)
    with pytest.raises(ModelLoadError) as refusal:
        load(version)
    assert reason.replace(str(path), str(file)) in str(refusal.value)


def test_a_graph_of_zeros_is_not_read_into_memory(tmp_path):
    graph = tmp_path / "saved_model.pb"
    graph.touch()
    os.truncate(graph, regular_file.PROTO_BYTES)
    with pytest.raises(ModelLoadError, match="begins with zeros, like a sparse file"):
        LoadedModel(tmp_path)


@pytest.mark.parametrize(
    "name",
    ["variables/variables.index", "assets/words.txt", "assets.extra/notes", "fingerprint.pb"],
)
def test_no_file_of_a_version_can_block_the_load(push, tmp_path, name):
    version = push(tmp_path / "half", 1)
    file = version / name
    file.parent.mkdir(exist_ok=True)
    file.unlink(missing_ok=True)
    os.mkfifo(file)
    with pytest.raises(ModelLoadError) as refusal:
        LoadedModel(version)
    assert f"{file} is a pipe, not a file" in str(refusal.value)


def test_links_are_followed_and_dangling_ones_ignored(push, tmp_path):
    version = push(tmp_path / "half", 1)
    (version / "saved_model.pb").rename(tmp_path / "elsewhere.pb")
    (version / "saved_model.pb").symlink_to(tmp_path / "elsewhere.pb")
    (version / "variables").rename(tmp_path / "variables")
    (version / "variables").symlink_to(tmp_path / "variables")
    (version / ".#lock").symlink_to("nobody@nowhere")
    with LoadedModel(version) as model:
        assert model.predict({"x": [1.0]})["y"].tolist() == [2.5]


def test_a_version_that_cannot_be_read_fails_and_others_are_found_and_served(push, serve, tmp_path):
    base = tmp_path / "half"
    push(base, 1)
    target = serve(base, max_num_load_retries=1, load_retry_interval_micros=1000)
    unfit = tmp_path / "unfit"
    unfit.mkdir()
    os.mkfifo(unfit / "saved_model.pb")
    unfit.rename(base / "2")

    with Client(target) as client:

        def states():
            return {one.version: one.state for one in client.status("half")}

        until(lambda: states().get(2) == "END")
        (failed,) = [one for one in client.status("half") if one.version == 2]
        assert f"{base}/2/saved_model.pb is a pipe, not a file" in str(failed)
        assert states()[1] == "AVAILABLE"
        push(base, 3)
        until(lambda: states().get(3) == "AVAILABLE")
        assert client.predict("half", {"x": [1.0]})["y"].tolist() == [2.5]
