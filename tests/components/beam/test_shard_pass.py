"""Each shard is worked on once, and what is noted of them comes back in their order."""

import functools
import os
import signal
import sys
import threading
import types

import grpc
import pytest
from apache_beam.portability.api import beam_fn_api_pb2
from apache_beam.runners.portability.fn_api_runner.worker_handlers import ControlConnection
from etils.epath import Path

from millrace.components.beam import notes, pipelines
from millrace.components.beam.options import BeamOptions
from millrace.components.beam.shard_pass import shard_pass
from millrace.components.errors import DataError, OptionError

passes = sys.modules[shard_pass.__module__]  # which the function hides behind its own name

ALONE = BeamOptions()
BEAM = BeamOptions(("--direct_num_workers=1",))
TWO = BeamOptions(("--direct_running_mode=multi_processing", "--direct_num_workers=2"))


def length(word, most=9):
    if len(word) > most:
        raise OptionError(f"{word}: too long")
    if word.isdigit():
        raise DataError(f"{word}: a number")
    return word, len(word)


def run(words, out, run_on=ALONE, most=9):
    work = functools.partial(length, most=most)
    return list(shard_pass("Measure", words, work, Path(out), run_on))


@pytest.mark.parametrize("run_on", [ALONE, BEAM, TWO])
def test_notes_come_in_the_order_of_the_shards_and_no_file_is_left(tmp_path, run_on):
    words = ["x" * (13 * n % 7) for n in range(30)]
    assert run(words, tmp_path, run_on) == [(word, len(word)) for word in words]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("run_on", "told"),
    [(ALONE, ""), (BEAM, "2 shards by 1 processes"), (TWO, "2 shards by 2 processes")],
)
def test_how_many_processes_worked_is_told_where_flags_choose_them(tmp_path, run_on, told, caplog):
    caplog.set_level("INFO", "millrace.components.beam")
    run(["a", "bb"], tmp_path, run_on)
    lines = [line for line in caplog.messages if line.startswith("Measure: ")]
    assert lines == ([f"Measure: {told}"] if told else [])


def test_no_shards_give_no_notes_and_leave_no_file(tmp_path):
    assert run([], tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_the_shards_may_be_made_one_by_one(tmp_path):
    assert run((word for word in ("a", "bb")), tmp_path) == [("a", 1), ("bb", 2)]


def test_the_error_of_the_first_shard_that_fails_is_raised_as_it_is(tmp_path):
    with pytest.raises(DataError, match=r"^17: a number$"):
        run(["a", "17", "longer", "18"], tmp_path, most=3)
    with pytest.raises(OptionError, match=r"^longer: too long$"):
        run(["a", "longer", "18"], tmp_path / "other", most=3)


@pytest.mark.parametrize("run_on", [ALONE, BEAM])
def test_an_error_of_the_code_itself_is_not_taken_for_a_note(tmp_path, run_on):
    with pytest.raises(TypeError, match=r"while running .Measure"):
        run(["a", 7], tmp_path, run_on)


def test_without_flags_beams_in_process_runner_does_the_work(tmp_path, monkeypatch):
    called = []
    pipeline = pipelines.pipeline

    def record(flags):
        called.append(flags)
        return pipeline(flags)

    monkeypatch.setattr(pipelines, "pipeline", record)
    assert run(["a", "bb"], tmp_path) == [("a", 1), ("bb", 2)]
    assert called == [()]


def die(shard):
    os.kill(os.getpid(), signal.SIGKILL)


# Beam's own threads that wait for the process end with errors as well.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_process_of_multi_processing_that_is_killed_fails_the_pass(tmp_path):
    with pytest.raises(RuntimeError, match=r"multi_processing has ended, .* Run again, with a sm"):
        list(shard_pass("Die", range(2), die, Path(tmp_path), TWO))


def _broken():
    raise grpc.RpcError
    yield


@pytest.mark.parametrize("stream", [lambda: iter(()), _broken], ids=["ends", "breaks"])
def test_who_waits_for_a_process_that_is_gone_is_told_however_its_stream_ends(stream):
    """Of one that was killed it mostly breaks, and now and then it ends as of one that is done."""
    with pipelines._failing_with_a_worker():
        connection = ControlConnection()
        asked = connection.push(beam_fn_api_pb2.InstructionRequest())
        connection.set_input(stream())
        with pytest.raises(RuntimeError, match="multi_processing has ended"):
            asked.get(timeout=10)
        connection._read_thread.join()
        with pytest.raises(RuntimeError, match="multi_processing has ended"):
            connection.push(beam_fn_api_pb2.InstructionRequest()).get(timeout=10)
        connection.close()


def test_while_a_pass_goes_on_it_says_how_far_it_is_and_how_long_the_rest_takes(
    tmp_path, monkeypatch
):
    place, clock = Path(tmp_path), iter([100.0, 104.0])
    for name in ("note-000000000", "error-000000001", "shard-000000002"):
        (place / name).touch()
    told, said = threading.Event(), []
    monkeypatch.setattr(passes, "_SAY_EVERY", 0.001)
    monkeypatch.setattr(passes, "time", types.SimpleNamespace(monotonic=lambda: next(clock, 108.0)))
    monkeypatch.setattr(passes.logger, "info", lambda *line, **_: (said.append(line), told.set()))
    with passes._told(lambda: notes.done(place), 8):
        assert told.wait(10)
    assert said[0][0] % said[0][1:] == "2 of 8 shards, 0.5/s, about 12 s to go"
