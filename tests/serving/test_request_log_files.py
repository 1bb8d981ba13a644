"""A request log on a full, read-only or vanished disk; also on small real disks."""

import errno
import logging
import subprocess
from pathlib import Path

import pytest

from millrace.components.files.tfrecord import read_records
from millrace.serving import monitoring, request_log_files
from millrace.serving.client import Client
from millrace.serving.flags import Options
from millrace.serving.records import frame
from millrace.serving.request_log_files import LogFiles, LoggedRequest
from millrace.serving.server import ModelServer
from tests.serving.conftest import free_port


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    """Retry at once, and count from zero."""
    monkeypatch.setattr(request_log_files, "_FIRST_WAIT", 0.0)
    monkeypatch.setattr(monitoring.REQUEST_LOG_COUNT, "_cells", {})


def counts():
    return dict(monitoring.REQUEST_LOG_COUNT._cells)


def record(number, size=100):
    return LoggedRequest("half", frame(bytes([number]) * size))


def whole(folder):
    """The first byte of each record in finished files, and the unfinished files."""
    files = sorted(folder.glob("*.tfrecord"))
    return [raw[0] for file in files for raw in read_records(file)], list(folder.glob("*.part"))


@pytest.fixture
def files(tmp_path):
    return LogFiles(str(tmp_path / "logs" / "half"), 10**6, 60.0)


def write(files, *numbers, **how):
    for number in numbers:
        files.hold(record(number))
    return files.write(**how)


def test_records_are_counted_once_their_file_is_finished(files, tmp_path):
    assert write(files, 1, 2) == 2 * len(record(1).framed)
    assert (counts(), whole(tmp_path / "logs")[0]) == ({}, [])
    write(files, ending=True)
    assert (counts(), whole(tmp_path / "logs")) == ({("half", "OK"): 2}, ([1, 2], []))


class Full:
    """A file on a disk with room for `room` more bytes, and then fails with `error`."""

    def __init__(self, sink, room, error):
        self._sink, self.room, self._error = sink, room, error

    def __getattr__(self, name):
        return getattr(self._sink, name)

    def write(self, data):
        if not self.room:
            raise OSError(self._error, "No room")
        written = self._sink.write(data[: self.room])
        self.room -= written
        return written


@pytest.fixture
def room(monkeypatch):
    """Limit the room of the next files in turn; later files have no limit."""

    def run(*rooms, error=errno.ENOSPC):
        left, opened = list(rooms), LogFiles._open

        def limited(files):
            part = opened(files)
            if left:
                part.sink = Full(part.sink, left.pop(0), error)
            return part

        monkeypatch.setattr(LogFiles, "_open", limited)

    return run


SIZE = len(record(0).framed)


def test_complete_records_are_kept_and_the_rest_waits(files, room, tmp_path):
    room(2 * SIZE + 50, 0, 50)
    write(files, 1, 2, 3)
    assert whole(tmp_path / "logs") == ([1, 2], [])
    for _ in range(2):  # no room for one: nothing is left behind
        assert write(files) == 0
        assert whole(tmp_path / "logs") == ([1, 2], [])
    assert write(files, 4) == 2 * SIZE
    write(files, ending=True)
    assert whole(tmp_path / "logs") == ([1, 2, 3, 4], [])
    assert counts() == {("half", "OK"): 4}


def test_held_records_are_tried_once_more_at_the_end_and_then_counted_as_lost(files, room, caplog):
    room(0, 0)
    write(files, 1, 2)
    write(files, ending=True)
    assert counts() == {("half", "RESOURCE_EXHAUSTED"): 2}
    assert "2 record(s) lost so far, the last with code RESOURCE_EXHAUSTED" in caplog.text


def test_attempts_are_made_at_growing_intervals(files, room, monkeypatch, caplog):
    monkeypatch.setattr(request_log_files, "_FIRST_WAIT", 1.0)
    monkeypatch.setattr(request_log_files, "_LONGEST_WAIT", 3.0)
    now = [100.0]
    monkeypatch.setattr(request_log_files.time, "monotonic", lambda: now[0])
    room(*[0] * 4)
    waits = []
    write(files, 1)
    for _ in range(3):
        waits.append(files.next_due())
        now[0] += waits[-1] - 0.01
        assert write(files) == 0  # too early: not tried
        now[0] += 0.01
        write(files)
    assert waits == [1.0, 2.0, 3.0]
    assert caplog.text.count("record(s) wait to be written: [Errno 28] No room.") == 4
    now[0] += 3.0
    caplog.set_level(logging.INFO)
    assert write(files) == SIZE
    assert "writing works again" in caplog.text
    assert files.next_due() == 60.0
    files.write(ending=True)


def test_a_record_larger_than_the_file_size_limit_delays_nothing(files, room, tmp_path, caplog):
    room(SIZE + 50, 50, 50, SIZE, error=errno.EFBIG)
    write(files, 1, 2, 3, 4, 5)
    assert whole(tmp_path / "logs")[0] == [1, 4]
    write(files, ending=True)
    assert whole(tmp_path / "logs") == ([1, 4, 5], [])
    assert counts() == {("half", "OK"): 3, ("half", "OUT_OF_RANGE"): 2}
    assert "1 record(s) lost so far, the last with code OUT_OF_RANGE" in caplog.text


@pytest.mark.parametrize("how", ["removed", "moved", "replaced"])
def test_a_folder_that_disappears_is_created_again(files, tmp_path, how):
    write(files, 1)
    folder = tmp_path / "logs"
    folder.rename(tmp_path / "elsewhere")
    if how == "removed":
        for file in (tmp_path / "elsewhere").iterdir():
            file.unlink()
    elif how == "replaced":
        folder.write_text("a file")
        write(files, 2)
        folder.unlink()
    write(files, 3, ending=True)
    assert whole(folder) == ([2, 3] if how == "replaced" else [3], [])
    assert counts()["half", "NOT_FOUND"] == 1


def mounted(folder, options):
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def disk(tmp_path):
    """Mount a small disk at a folder, if permitted."""
    folder = tmp_path / "logs"
    folder.mkdir()

    def run(options):
        if not mounted(folder, options):
            pytest.skip("needs leave to mount a tmpfs")
        return folder

    yield run
    subprocess.run(["umount", str(folder)], capture_output=True, check=False)


def test_a_real_full_disk(disk, files):
    folder = disk("size=64k")
    for number in range(40):
        files.hold(record(number, 5000))
    for _ in range(20):
        files.write()
    kept, parts = whole(folder)
    assert kept == list(range(len(kept)))
    assert len(kept) == 65536 // len(record(0, 5000).framed)
    assert parts == []
    for file in folder.iterdir():
        Path(file).unlink()
    files.write()
    files.write(ending=True)
    again, _ = whole(folder)
    assert again == list(range(len(kept), len(kept) + len(again)))
    assert counts() == {
        ("half", "OK"): len(kept) + len(again),
        ("half", "RESOURCE_EXHAUSTED"): 40 - len(kept) - len(again),
    }


def test_requests_are_answered_even_if_the_disk_fails(disk, push, tmp_path, monkeypatch):
    monkeypatch.setattr(request_log_files, "_FIRST_WAIT", 0.05)
    folder = disk("size=64k")
    push(tmp_path / "half", 1)
    config = tmp_path / "models.config"
    config.write_text(
        f'model_config_list {{ config {{ name: "half" base_path: "{tmp_path / "half"}" '
        'model_platform: "tensorflow" logging_config { log_collector_config { type: "tfrecord" '
        f'filename_prefix: "{folder / "half"}" }} '
        "sampling_config { sampling_rate: 1.0 } } } }"
    )
    port = free_port()
    server = ModelServer(Options(port=port, model_config_file=str(config)))
    assert server.start()
    with Client(f"127.0.0.1:{port}") as client:
        for _ in range(300):
            assert client.predict("half", {"x": [1.0] * 100})["y"].shape == (100,)
    server.stop()
    kept, lost = counts()["half", "OK"], counts()["half", "RESOURCE_EXHAUSTED"]
    assert kept + lost == 300
    assert sum(len(list(read_records(file))) for file in folder.glob("*.tfrecord")) == kept > 0
    assert not list(folder.glob("*.part"))


def test_a_real_read_only_disk(disk, files, caplog):
    folder = disk("size=64k,ro")
    write(files, 1)
    assert "Read-only file system" in caplog.text
    assert mounted(folder, "remount,size=64k,rw")
    write(files, 2, ending=True)
    assert whole(folder) == ([1, 2], [])
