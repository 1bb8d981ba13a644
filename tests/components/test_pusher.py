"""What is pushed, what is refused, and that a version is whole or not there."""

import json
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.artifacts import Evaluation, InfraBlessing, Model, PushedModel
from millrace.components.errors import DataError, OptionError
from millrace.components.pusher import pusher, relabel, rollback
from millrace.components.pushing import versions
from millrace.components.pushing.versions import Versions
from millrace.serving import versions as served


@pytest.fixture
def make(tmp_path):
    """A function that writes a model whose files hold `content`."""

    def model(content="one"):
        folder = tmp_path / f"model-{content}"
        files = folder / "Format-Serving"
        (files / "variables").mkdir(parents=True, exist_ok=True)
        (files / "assets").mkdir(exist_ok=True)
        (files / "saved_model.pb").write_text(content)
        (files / "variables" / "variables.index").write_text("index")
        return Model(folder)

    return model


@pytest.fixture
def push(tmp_path):
    """A function that pushes and returns the record."""

    def run(model, evaluation=None, infra=None, **options):
        out = tmp_path / f"out-{time.monotonic_ns()}"
        out.mkdir()
        options = {"model_name": "digits", "serving_root": str(tmp_path / "root")} | options
        return pusher(model, evaluation, infra, out, **options)

    return run


@pytest.fixture
def clock(monkeypatch):
    """The time as the versions see it; a test may set `.now`."""

    class Clock:
        now = 1_000

        def time(self):
            return self.now

    clock = Clock()
    monkeypatch.setattr(versions, "time", clock)
    return clock


def visible(root):
    return sorted(entry.name for entry in (root / "digits").iterdir())


def test_a_version_is_a_whole_copy_named_by_the_second(push, make, tmp_path, clock):
    pushed = push(make())
    folder = tmp_path / "root" / "digits" / "1000"
    assert pushed.push == {
        "model": "digits",
        "version": 1000,
        "folder": str(folder),
        "reason": "pushed",
    }
    assert (folder / "saved_model.pb").read_text() == "one"
    assert (folder / "variables" / "variables.index").read_text() == "index"
    assert (folder / "assets").is_dir()
    assert visible(tmp_path / "root") == ["1000"]
    assert pushed.version_path == folder
    assert pushed.is_intact()


def test_a_version_is_above_the_newest_even_if_the_clock_went_back(push, make, tmp_path, clock):
    push(make("one"))
    push(make("two"))
    clock.now = 10
    push(make("three"))
    assert visible(tmp_path / "root") == ["1000", "1001", "1002"]


def test_the_number_of_a_withdrawn_version_is_not_used_again(push, make, tmp_path, clock):
    push(make("one"))
    push(make("two"))
    assert rollback(str(tmp_path / "root"), "digits") == (1001, 1000)
    assert push(make("three")).push["version"] == 1002


def test_the_same_files_are_not_pushed_twice_in_a_row(push, make, tmp_path, clock):
    push(make("one"))
    clock.now = 2_000
    again = push(make("one"))
    assert again.push["version"] == 1000
    assert again.push["reason"] == "the newest version holds the same model already"
    push(make("two"))
    assert push(make("one")).push["version"] == 2001
    assert visible(tmp_path / "root") == ["1000", "2000", "2001"]


def test_only_the_newest_versions_are_kept(push, make, tmp_path, clock):
    for content in ("one", "two", "three", "four"):
        push(make(content), keep=2)
    assert visible(tmp_path / "root") == ["1002", "1003"]
    push(make("five"), keep=1)
    assert visible(tmp_path / "root") == ["1004"]


def test_a_version_with_a_label_is_kept_as_long_as_it_has_it(push, make, tmp_path, clock):
    root = str(tmp_path / "root")
    push(make("one"))
    assert relabel(root, "digits", {"stable": 1000}) == {"stable": 1000}
    for content in ("two", "three"):
        push(make(content), keep=1)
    assert [name for name in visible(tmp_path / "root") if name[0] != "."] == ["1000", "1002"]
    assert relabel(root, "digits", {"stable": 1002, "old": 1000}) == {"old": 1000, "stable": 1002}
    assert relabel(root, "digits", {}, ["old"]) == {"stable": 1002}
    push(make("four"), keep=1)
    assert [name for name in visible(tmp_path / "root") if name[0] != "."] == ["1002", "1003"]


@pytest.mark.parametrize(
    ("assign", "remove", "told"),
    [
        ({"a/b": 1000}, [], r"label 'a/b': expected a word of letters"),
        ({"stable": 7}, [], r"label stable: expected a version that is there: 1000\. Received: 7"),
        ({"stable": 1000}, ["no"], r"one of its labels to remove: it has none\. Received: 'no'"),
    ],
)
def test_a_label_that_is_wrong_changes_nothing(push, make, tmp_path, clock, assign, remove, told):
    push(make())
    with pytest.raises(OptionError, match=told):
        relabel(str(tmp_path / "root"), "digits", assign, remove)
    assert relabel(str(tmp_path / "root"), "digits", {}) == {}


def test_broken_labels_are_refused_before_anything_is_pushed(push, make, tmp_path, clock):
    push(make("one"))
    (tmp_path / "root" / "digits" / ".labels.json").write_text('{"stable": "x"}')
    with pytest.raises(DataError, match=r"\.labels\.json: expected versions by label\. Received"):
        push(make("two"))
    assert visible(tmp_path / "root") == [".labels.json", "1000"]


def test_a_model_that_was_not_blessed_is_pushed_if_that_is_allowed(push, make, tmp_path, clock):
    folder = tmp_path / "verdict"
    folder.mkdir()
    verdict = Evaluation(folder).write_verdict(blessed=False, reasons=["why"])
    pushed = push(make(), verdict, allow_unblessed=True)
    reason = "pushed, although the evaluator did not bless it (why)"
    assert (pushed.push["version"], pushed.push["reason"]) == (1000, reason)


def test_withdrawn_versions_are_kept_in_the_same_number(push, make, tmp_path, clock):
    root = tmp_path / "root"
    for content in ("one", "two", "three"):
        push(make(content))
    rollback(str(root), "digits")
    rollback(str(root), "digits")
    push(make("four"), keep=1)
    assert sorted(entry.name for entry in (root / "digits" / ".withdrawn").iterdir()) == ["1002"]


@pytest.mark.parametrize(
    ("evaluation", "infra", "reason"),
    [
        (False, None, "not pushed: the evaluator did not bless it (why; and why)"),
        (True, False, "not pushed: the infra validator did not bless it (why; and why)"),
        (None, False, "not pushed: the infra validator did not bless it (why; and why)"),
    ],
)
def test_an_unblessed_model_is_not_pushed_and_the_reason_is_kept(
    push, make, tmp_path, evaluation, infra, reason
):
    verdicts = []
    for kind, blessed in ((Evaluation, evaluation), (InfraBlessing, infra)):
        folder = tmp_path / kind.__name__
        folder.mkdir()
        verdict = kind(folder).write_verdict(bool(blessed), ["why", "and why"])
        verdicts.append(None if blessed is None else verdict)
    pushed = push(make(), *verdicts)
    assert pushed.push == {"model": "digits", "version": 0, "folder": "", "reason": reason}
    assert pushed.version_path is None
    assert pushed.is_intact()
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "a\\b", "/etc", "a" * 129, "a b"])
def test_a_name_that_could_leave_the_root_is_refused(push, make, name, tmp_path):
    with pytest.raises(OptionError, match=r"model_name: expected .* Received: .* Choose"):
        push(make(), model_name=name)
    with pytest.raises(OptionError, match="model_name"):
        rollback(str(tmp_path), name)


@given(st.text(max_size=6))
def test_an_accepted_name_is_one_visible_part_of_a_path(name):
    try:
        folder = Versions("/root", name).folder
    except OptionError:
        return
    assert Path(os.path.normpath(folder)).parent == Path("/root")
    assert not folder.name.startswith(".")


def test_a_copy_that_fails_leaves_nothing_behind(push, make, tmp_path, monkeypatch):
    def full(source, target):
        target.mkdir(parents=True)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(versions, "copy_tree", full)
    with pytest.raises(OSError, match="No space left on device"):
        push(make())
    assert visible(tmp_path / "root") == []


def test_a_push_that_was_killed_shows_nothing_and_is_cleared_away_by_the_next(push, make, tmp_path):
    code = (
        "import os, signal, millrace.components.pushing.versions as v\n"
        "copy = v.copy_tree\n"
        "def slow(source, target):\n"
        "    copy(source, target)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "v.copy_tree = slow\n"
        f"v.Versions({str(tmp_path / 'root')!r}, 'digits')"
        f".push(v.Path({str(make().saved_model)!r}))\n"
    )
    killed = subprocess.run([sys.executable, "-c", code], check=False)
    assert killed.returncode == -9
    (left,) = visible(tmp_path / "root")
    assert left.startswith(f".staging-{socket.gethostname()}-")
    assert Versions(tmp_path / "root", "digits").all() == {}
    version = push(make()).push["version"]
    assert visible(tmp_path / "root") == [str(version)]


def test_folders_of_pushes_that_may_be_alive_are_left_alone(push, make, tmp_path):
    now = int(time.time())
    tail = "0" * 32
    names = [
        f".staging-{socket.gethostname()}-{os.getpid()}-{now}-{tail}",
        f".staging-another-host-77-{now - 60}-{tail}",
        ".git",
    ]
    stale = f".removed-another-host-77-{now - 90_000}-{tail}"
    for name in [*names, stale]:
        (tmp_path / "root" / "digits" / name).mkdir(parents=True)
    version = push(make()).push["version"]
    assert visible(tmp_path / "root") == sorted([*names, str(version)])


def _push_many(root, source, count):
    for number in range(count):
        folder = versions.Path(source) / str(number)
        Versions(root, "digits").push(folder)


def test_pushes_at_once_take_different_versions_and_lose_none(tmp_path):
    sources = []
    for process in range(2):
        for number in range(20):
            folder = tmp_path / f"source{process}" / str(number)
            folder.mkdir(parents=True)
            (folder / "saved_model.pb").write_text(f"{process} {number}")
        sources.append(str(tmp_path / f"source{process}"))
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=_push_many, args=(str(tmp_path / "root"), source, 20))
        for source in sources
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    folders = list(Versions(tmp_path / "root", "digits").all().values())
    assert len(folders) == 40
    contents = [(folder / "saved_model.pb").read_text() for folder in folders]
    assert sorted(contents) == sorted(f"{p} {n}" for p in range(2) for n in range(20))
    for process in range(2):  # each one's own pushes keep their order
        own = [int(text.split()[1]) for text in contents if text.startswith(str(process))]
        assert own == list(range(20))


def test_equal_pushes_at_once_make_one_version(tmp_path):
    """Each has looked for the newest version before any other came into view."""
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "saved_model.pb").write_text("one")
    together, copy, made = threading.Barrier(4), versions.copy_tree, []

    def copy_tree(source, staging):
        together.wait(60)
        copy(source, staging)

    def push():
        made.append(Versions(tmp_path / "root", "digits").push(versions.Path(tmp_path / "source")))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(versions, "copy_tree", copy_tree)
        threads = [threading.Thread(target=push) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    (version,) = (tmp_path / "root" / "digits").iterdir()
    assert sorted(made) == [(versions.Path(version), is_new) for is_new in (False,) * 3 + (True,)]


def test_rollback_withdraws_the_newest_and_keeps_it(push, make, tmp_path, clock):
    push(make("one"))
    pushed = push(make("two"))
    assert rollback(str(tmp_path / "root"), "digits") == (1001, 1000)
    assert visible(tmp_path / "root") == [".withdrawn", "1000"]
    kept = tmp_path / "root" / "digits" / ".withdrawn" / "1001" / "saved_model.pb"
    assert kept.read_text() == "two"
    assert pushed.is_intact()
    assert pushed.version_path is None


def test_rollback_of_the_only_version_is_refused(push, make, tmp_path, clock):
    push(make())
    with pytest.raises(DataError, match=r"expected two versions or more.* Received: 1000\. Push"):
        rollback(str(tmp_path / "root"), "digits")
    assert visible(tmp_path / "root") == ["1000"]


def test_rollback_of_an_unknown_model_names_the_known_ones(push, make, tmp_path):
    root = str(tmp_path / "root")
    with pytest.raises(DataError, match=r"'nobody'\. Received: no model at all\."):
        rollback(root, "nobody")
    push(make(), model_name="cats")
    push(make(), model_name="digits")
    with pytest.raises(DataError, match=r"'nobody'\. Received: cats, digits\. Correct the name"):
        rollback(root, "nobody")


def test_a_version_written_with_leading_zeros_counts_as_its_number(push, make, tmp_path, clock):
    (tmp_path / "root" / "digits" / "00000007").mkdir(parents=True)
    push(make())
    assert list(Versions(tmp_path / "root", "digits").all()) == [7, 1000]
    rollback(str(tmp_path / "root"), "digits")
    assert visible(tmp_path / "root") == [".withdrawn", "00000007"]


def test_the_record_is_json_that_the_artifact_reads(push, make):
    pushed = push(make())
    record = json.loads((pushed.path / "pushed.json").read_text())
    assert record == PushedModel(pushed.path).push
    assert pushed.properties() == {"model": "digits", "version": record["version"]}


def test_a_relative_serving_root_is_recorded_in_full(push, make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pushed = push(make(), serving_root="here")
    assert Path(pushed.push["folder"]).parent == tmp_path / "here" / "digits"


def test_what_no_server_reads_is_no_version(push, make, tmp_path, clock):
    beyond = str(2**63)
    push(make())
    folder = tmp_path / "root" / "digits"
    for name in (beyond, "٣"):
        (folder / name).mkdir()
    for name in ("1001", "9999"):
        (folder / name).write_text("a file")
    assert push(make("two")).push["version"] == 1002
    assert list(Versions(tmp_path / "root", "digits").all()) == [1000, 1002]
    assert list(served.on_disk(Path(folder))) == [1000, 1002]
    assert rollback(str(tmp_path / "root"), "digits") == (1002, 1000)
    assert (folder / beyond).is_dir()
    assert (folder / "1001").is_file()


def test_a_version_that_servers_could_not_know_is_not_pushed(push, make, tmp_path):
    folder = tmp_path / "root" / "digits"
    (folder / str(2**63 - 1)).mkdir(parents=True)
    with pytest.raises(DataError, match=r"expected room for a newer version\. .*2\^63 - 1\. Move"):
        push(make())
    assert [entry.name for entry in folder.iterdir()] == [str(2**63 - 1)]


def test_a_push_stays_intact_beside_what_is_no_version(push, make, tmp_path):
    pushed = push(make())
    (tmp_path / "root" / "digits" / str(2**63)).mkdir()
    (tmp_path / "root" / "digits" / "9999999999").write_text("a file")
    assert pushed.is_intact()
