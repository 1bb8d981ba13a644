"""Each shard is worked on once, and what is noted of them comes back in their order."""

import functools
import os
import time

import pytest
from etils.epath import Path

from millrace.components.beam.options import BeamOptions
from millrace.components.beam.shard_pass import shard_pass
from millrace.components.errors import DataError, OptionError

ALONE = BeamOptions()
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


@pytest.mark.parametrize("run_on", [ALONE, TWO])
def test_notes_come_in_the_order_of_the_shards_and_no_file_is_left(tmp_path, run_on):
    words = ["x" * (13 * n % 7) for n in range(30)]
    assert run(words, tmp_path, run_on) == [(word, len(word)) for word in words]
    assert list(tmp_path.iterdir()) == []


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


def test_an_error_of_the_code_itself_is_not_taken_for_a_note(tmp_path):
    with pytest.raises(TypeError, match=r"while running .Measure"):
        run(["a", 7], tmp_path)


def worker(_):
    time.sleep(0.02)  # longer than the clock of files ticks
    return os.getpid()


@pytest.fixture
def _two_cores(monkeypatch):
    monkeypatch.setattr("millrace.serving.cores.available", lambda: 2)


@pytest.mark.usefixtures("_two_cores")
def test_shards_that_would_take_long_are_worked_on_by_a_process_for_each_core(tmp_path, caplog):
    caplog.set_level("INFO")
    one, two, *others = shard_pass("Ask", range(6), worker, Path(tmp_path), ALONE, worth=1e-9)
    assert {one, two} == {os.getpid()}
    assert os.getpid() not in others
    assert "in 2 processes, since it takes long; `-- --direct_num_workers=1`" in caplog.text


@pytest.mark.usefixtures("_two_cores")
def test_where_any_work_is_worth_it_this_process_works_on_none(tmp_path):
    workers = shard_pass("Ask", range(2), worker, Path(tmp_path), ALONE, worth=0)
    assert os.getpid() not in set(workers)


@pytest.mark.parametrize(
    ("cores", "count", "worth", "run_on"),
    [
        (1, 4, 0.0, ALONE),
        (2, 1, 0.0, ALONE),
        (2, 2, 1e-9, ALONE),
        (2, 4, 10.0, ALONE),
        (2, 4, 0.0, BeamOptions(("--direct_num_workers=1",))),
    ],
)
def test_this_process_works_on_all_shards_otherwise(
    tmp_path, monkeypatch, cores, count, worth, run_on
):
    monkeypatch.setattr("millrace.serving.cores.available", lambda: cores)
    workers = set(shard_pass("Ask", range(count), worker, Path(tmp_path), run_on, worth=worth))
    assert workers == {os.getpid()}


@pytest.mark.usefixtures("_two_cores")
def test_an_error_in_a_timed_shard_is_raised_once_all_are_done(tmp_path):
    with pytest.raises(DataError, match=r"^17: a number$"):
        run(["17", "a", "longer", "18"], tmp_path, most=3)
