"""Whatever is wrong with the store or the root, every command says so in a line or two."""

import contextlib
import errno
import json

import pytest

from millrace.components.artifacts import Statistics
from tests.pipeline.test_damage import dead, flip

COMMANDS = [
    "runs",
    "show latest",
    "explain latest",
    "compare latest latest",
    "logs latest",
    "lineage count",
    "verify",
    "tag latest",
    "stop latest",
    "gc",
    "run digits",
    "infer toy --data .",
    "skew toy --log .",
    "predict toy --sample 1",
]


@pytest.mark.parametrize("line", COMMANDS)
def test_a_store_whose_url_is_none_is_told_by_every_command(toy, millrace, monkeypatch, line):
    monkeypatch.setenv("MILLRACE_STORE", "notaurl")
    code, out, err = millrace(line, "--root", toy.root.path)
    assert (code, out) == (1, "")
    assert err.startswith("millrace: Store notaurl: expected to read and write it. Received: ")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("line", COMMANDS)
def test_a_store_that_is_no_database_is_told_by_every_command(toy, millrace, line):
    toy.store.engine.dispose()
    toy.root.store_file.write_bytes(b"nothing of the kind" * 300)
    code, out, err = millrace(line, "--root", toy.root.path)
    assert (code, out) == (1, "")
    assert "file is not a database. It is damaged, or not a database. Move it" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EIO])
def test_an_error_of_a_disk_is_told_without_a_traceback(toy, millrace, monkeypatch, number):
    def fail(*_):
        raise OSError(number, "of the disk", "/r/x")

    monkeypatch.setattr("millrace.pipeline.store.Store.runs", fail)
    code, _, err = millrace("runs", "--root", toy.root.path)
    assert code == 1
    assert err.startswith("millrace: /r/x: expected to read or write it. Received: of the disk. ")


def test_an_error_of_ours_keeps_its_traceback(toy, millrace, monkeypatch):
    def fail(*_):
        raise OSError(errno.ECHILD, "ours")

    monkeypatch.setattr("millrace.pipeline.store.Store.runs", fail)
    with pytest.raises(ChildProcessError):
        millrace("runs", "--root", toy.root.path)


def test_an_error_cannot_command_the_terminal(toy, millrace):
    code, _, err = millrace("show", "\x1b[2J\u202e", "--root", toy.root.path)
    assert code == 2
    assert r"'\x1b[2J\u202e'" in err
    assert "\x1b" not in err


def test_a_run_whose_process_has_died_is_shown_as_killed_and_one_at_work_as_running(toy, millrace):
    run = toy.run().run
    dead(toy, run)
    with toy.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE execution SET status = 'running' WHERE step = 'judge'")

    def shown():
        lines = [f"{line} --json" for line in ("runs", "show latest", "explain latest")]
        outs = [json.loads(millrace(line, "--root", toy.root.path)[1]) for line in lines]
        return outs[0][0]["status"], outs[1]["status"], outs[1]["steps"][-1]["status"], outs[2][-1]

    because = "this step has not run before in this pipeline"
    for status in ("killed", "running", "killed"):
        explained = {"step": "judge", "status": status, "because": because}
        alive = toy.root.running(run) if status == "running" else contextlib.nullcontext()
        with alive:
            assert shown() == (status, status, status, explained)
    out = millrace("show latest", "--root", toy.root.path)[1]
    assert out.splitlines()[0] == f"{run}  toy  killed"
    assert toy.store.recorded_run(run).status == "running"


def test_verify_names_each_damaged_file_and_exits_with_1(toy, millrace):
    toy.run()
    assert millrace("verify", "--root", toy.root.path) == (
        0,
        "5 outputs read, 0 damaged; 0 more are gone or superseded\n",
        "",
    )
    result = toy.run("train.epochs=2")
    folder = result.output(Statistics).path
    flip(folder / "count")
    code, out, _ = millrace("verify", "--root", toy.root.path)
    assert code == 1
    assert out.splitlines() == [
        "step\trun\tfile\tproblem",
        f"count\t{folder.name}\t{folder}/count\thas other content",
        "7 outputs read, 1 damaged; 0 more are gone or superseded",
        "`millrace verify --repair` sets them aside; the next run makes them again.",
    ]


def test_verify_repairs_where_it_is_asked_to(toy, millrace):
    folder = toy.run().output(Statistics).path
    flip(folder / "count")
    code, out, _ = millrace("verify --repair", "--root", toy.root.path)
    assert code == 1
    aside = toy.root.path / "damaged" / "artifacts" / "count" / folder.name
    assert f"set aside  {folder} -> {aside}" in out
    assert aside.exists()
    code, out, _ = millrace("verify --json", "--root", toy.root.path)
    assert code == 0
    assert json.loads(out) == {"checked": 4, "gone": 1, "elsewhere": 0, "damaged": []}


def test_two_runs_are_compared_for_people_and_for_programs(toy, millrace):
    first, second = toy.run().run, toy.run("train.epochs=2").run
    line = f"compare {first} {second}"
    code, out, _ = millrace(line, "--root", toy.root.path)
    assert code == 0
    assert "train\toption epochs changed from 1 to 2" in out.splitlines()
    found = json.loads(millrace(line, "--json", "--root", toy.root.path)[1])
    assert found["runs"] == [first, second]
    assert {"step": "train", "differs": "option epochs changed from 1 to 2"} in found["differences"]
    assert (
        "Every step of both is set alike."
        in millrace("compare latest latest", "--root", toy.root.path)[1]
    )


def test_the_log_of_a_step_is_printed(toy, millrace):
    toy.run()
    code, out, _ = millrace("logs latest count", "--root", toy.root.path)
    assert code == 0
    assert "counting with ()" in out
