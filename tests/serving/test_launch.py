"""Starting a server for one model: ready in time, stopped afterwards, failures reported."""

import os
import socket
import stat
import sys

import pytest
from etils.epath import Path

from millrace.serving.client import Client
from millrace.serving.errors import LaunchError, UnavailableError
from millrace.serving.launch import IMAGE, _command, launch
from tests.command import processes


def test_the_embedded_server_runs_only_inside_the_block(push, tmp_path):
    push(tmp_path / "half", 1)
    log = tmp_path / "logs" / "server.log"
    with launch(tmp_path / "half", "half", log=log) as launched:
        with Client(launched.target) as client:
            assert client.predict("half", {"x": [1.0]})["y"].tolist() == [2.5]
        assert launched.process.poll() is None
    assert launched.process.returncode == 0
    assert b"Successfully loaded servable version {name: half version: 1}" in log.read_bytes()
    with Client(launched.target) as client, pytest.raises(UnavailableError):
        client.predict("half", {"x": [1.0]})


def test_a_server_that_ends_is_reported_at_once_with_the_end_of_its_log(tmp_path):
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(LaunchError) as failure,
        launch("half", "half", port=taken.getsockname()[1]),
    ):
        pass
    text = str(failure.value)
    assert "expected model half to be available within 120 s." in text
    assert "Received: it ended with status 1. Its log ends:\n" in text
    assert "expected a free address of this machine." in text


def test_a_model_that_cannot_be_loaded_ends_the_wait_with_its_reason(push, tmp_path):
    index = push(tmp_path / "half", 1) / "variables" / "variables.index"
    os.truncate(index, 20)
    with pytest.raises(LaunchError) as failure, launch(tmp_path / "half", "half"):
        pass
    assert failure.value.reason == (
        "1 servable(s) did not become available: {{{name: half version: 1} due to error: "
        f"{tmp_path}/half/1: expected a SavedModel with tags {{serve}}. Received: file is too "
        "short to be an sstable [[{{node RestoreV2}}]]. Export the model again, or use its own "
        "tags.}}"
    )


@pytest.mark.parametrize(
    ("ended_by", "patience"), [(KeyboardInterrupt, 2.0), (SystemExit, 2.0), (ValueError, 40.0)]
)
def test_an_interrupted_block_does_not_wait_for_running_requests(
    tmp_path, monkeypatch, ended_by, patience
):
    silent = program(tmp_path, "import time; time.sleep(60)")
    waited = []

    def end(process, seconds):
        waited.append(seconds)
        process.terminate()

    def fail(*_):
        raise ended_by

    monkeypatch.setattr("millrace.serving.launch._wait", fail)
    monkeypatch.setattr("millrace.serving.lifeline.end", end)
    with pytest.raises(ended_by), launch(tmp_path, "half", engine="binary", binary=silent):
        pass
    assert waited == [patience]
    assert not any(silent in args for _, _, args in processes())


def program(tmp_path, body):
    script = tmp_path / "tensorflow_model_server"
    script.write_text(f"#!{sys.executable}\n{body}")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return str(script)


def test_a_binary_gets_the_same_flags_and_is_stopped_if_it_never_answers(tmp_path):
    silent = program(tmp_path, "import sys, time; print(*sys.argv[1:], flush=True); time.sleep(60)")
    with (
        pytest.raises(LaunchError) as failure,
        launch(tmp_path, "half", engine="binary", binary=silent, port=9000, timeout=2.0),
    ):
        pass
    text = str(failure.value)
    assert "within 2 s. Received: no answer. Its log ends:\n" in text
    flags = f"--model_name=half --port=9000 --model_base_path={tmp_path} --max_num_load_retries=0"
    assert f"\n{flags}\n" in text


def test_a_missing_program_is_reported_with_advice():
    with (
        pytest.raises(LaunchError) as failure,
        launch("/models/half", "half", engine="binary", binary="no_such_server"),
    ):
        pass
    assert str(failure.value) == (
        "Engine binary: expected the program no_such_server on the PATH. Received: none. "
        "Install it, give another, or use the engine `embedded`."
    )


def test_the_image_gets_the_model_where_it_expects_it(tmp_path, monkeypatch):
    docker = program(tmp_path, "")
    monkeypatch.setattr("shutil.which", lambda name: docker if name == "docker" else None)
    command = _command("image", Path("/models/half"), "half", 9000, "", IMAGE)
    assert command == [
        *(sys.executable, "-m", "millrace.serving.lifeline", "program"),
        *(docker, "run", "--rm", "--init", "--publish=127.0.0.1:9000:8500"),
        "--mount=type=bind,source=/models/half,target=/models/half,readonly",
        *("--env", "MODEL_NAME=half", IMAGE, "--max_num_load_retries=0"),
    ]
