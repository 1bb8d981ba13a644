"""Copies of what lies in an object store are what lies there, and what counts appears last."""

import errno
import hashlib
import logging
import os
import pathlib
import threading

import numpy as np
import pytest
from etils.epath import Path

from millrace.serving import config, remote, versions
from millrace.serving.client import Client
from millrace.serving.errors import RemoteError, ServerError
from tests.serving.conftest import until

s3fs = pytest.importorskip("s3fs", reason="the extra `s3` is not installed")


def put(place, **contents):
    for name, content in contents.items():
        remote.write(f"{place}/{name}", content)


def test_a_url_is_remote_also_as_a_path_and_has_one_form():
    assert remote.url(remote.path("S3://b/a/")) == "s3://b/a"
    assert remote.url(remote.path("hdfs://host:8020/a/") / "b") == "hdfs://host:8020/a/b"
    assert not remote.is_remote("/a/b")
    assert not remote.is_remote("C:/a")
    assert remote.url("/a/b") == "/a/b"


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("file:///a/b", r"Received: 'file:///a/b'\. Give /a/b instead\."),
        ("https://h/a.csv", r"Received: 'https://h/a.csv'\. Download it first"),
        ("s3://b/../c", "no part of it empty"),
        ("s3://b//c", "no part of it empty"),
        ("nope://b/c", r"fsspec knows no nope://; give s3://"),
        ("gs://b/c", r"No file system for gs:// is installed: .*gcsfs"),
    ],
)
def test_a_url_that_nothing_here_can_open_is_refused_with_the_fix(place, text):
    with pytest.raises(ValueError, match=text):
        remote.check(place)


def test_a_base_path_that_nothing_here_can_open_ends_the_server_with_the_fix():
    with pytest.raises(ServerError, match=r"^Base path of model m: .*'gs://b/m'\. No file system"):
        config.single("m", "gs://b/m")


def test_without_the_extra_it_is_named(monkeypatch):
    import fsspec

    def missing(scheme):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    with pytest.raises(ValueError, match=r"Run `pip install 'tf-millrace\[s3\]'`\.$"):
        remote.check("s3://b/c")


def test_a_copy_has_the_files_and_no_more(bucket):
    put(f"{bucket}/a", x=b"one", **{"d/y[1]*.csv": b"two"})
    put(bucket, **{"ab/z": b"not below a"})
    s3fs.S3FileSystem().pipe_file(f"{bucket}/a/folder/", b"")  # as a console shows a folder
    copy = remote.fetch(f"{bucket}/a")
    assert {p.relative_to(copy).as_posix(): p.read_bytes() for p in _below(copy)} == {
        "x": b"one",
        "d/y[1]*.csv": b"two",
    }
    assert copy.is_relative_to(remote.scratch())
    assert not list((remote.scratch() / "fetching").iterdir())


def test_only_what_has_changed_is_fetched_again(bucket, caplog):
    put(f"{bucket}/a", x=b"one", y=b"two", z=b"gone")
    remote.fetch(f"{bucket}/a")
    put(f"{bucket}/a", x=b"eno")
    remote.move(f"{bucket}/a/z", f"{bucket}/b/z")
    with caplog.at_level(logging.INFO, "millrace.serving.remote"):
        copy = remote.fetch(f"{bucket}/a")
        remote.fetch(f"{bucket}/a")
    assert {p.name: p.read_bytes() for p in _below(copy)} == {"x": b"eno", "y": b"two"}
    assert [record.getMessage() for record in caplog.records] == [f"fetching 1 files of {bucket}/a"]


def test_a_file_has_a_copy_that_is_a_file(bucket):
    put(bucket, **{"rows.csv": b"a,b"})
    assert remote.fetch(f"{bucket}/rows.csv").read_bytes() == b"a,b"
    remote.remove(f"{bucket}/rows.csv")
    assert not remote.mirror(f"{bucket}/rows.csv").exists()
    put(f"{bucket}/rows.csv", part=b"c")
    assert [p.name for p in _below(remote.fetch(f"{bucket}/rows.csv"))] == ["part"]


def test_files_that_are_known_are_fetched_from_several_places_without_being_listed(
    bucket, tmp_path, monkeypatch
):
    put(f"{bucket}/a", x=b"one", **{"[1]*": b"two"})
    s3fs.S3FileSystem().mkdir(other := f"{bucket}-2")
    put(other, z=b"three")
    wanted = [
        remote.Copy(f"{place}/{name}", file, tmp_path / "in" / str(number))
        for number, (place, name, file) in enumerate(
            (place, name, file)
            for place in (f"{bucket}/a", other)
            for name, file in remote.files(place).items()
        )
    ]
    monkeypatch.setattr(remote, "files", None)
    remote.fetch_each(wanted)
    assert {p.name: p.read_bytes() for p in _below(tmp_path / "in")} == {
        **{"0": b"two", "1": b"one", "2": b"three"}
    }
    monkeypatch.setattr(remote, "_get", None)
    remote.fetch_each(wanted)  # they are here


def test_a_file_that_is_another_by_now_is_told(bucket, tmp_path):
    put(bucket, x=b"one")
    (file,) = remote.files(bucket).values()
    put(bucket, x=b"other")
    with pytest.raises(RemoteError, match=rf"^{bucket}/x: expected a file that stays as it is"):
        remote.fetch_each([remote.Copy(f"{bucket}/x", file, tmp_path / "x")])
    assert list(_below(tmp_path)) == []


def test_files_are_uploaded_to_places_of_their_own(bucket, tmp_path):
    (tmp_path / "a[1]").write_bytes(b"one")
    (tmp_path / "b").write_bytes(b"two")
    remote.upload_each([(tmp_path / "a[1]", f"{bucket}/x"), (tmp_path / "b", f"{bucket}/d/*")])
    remote.upload_each([])
    assert [remote.read(f"{bucket}/{name}") for name in remote.files(bucket)] == [b"two", b"one"]
    with pytest.raises(RemoteError, match="expected to list, read and write there"):
        remote.read(f"{bucket}/none")


def test_large_files_can_be_left_out_and_come_later(bucket):
    put(f"{bucket}/a", small=b"1", large=b"12345")
    assert [p.name for p in _below(remote.fetch(f"{bucket}/a", most=4))] == ["small"]
    assert len(list(_below(remote.fetch(f"{bucket}/a")))) == 2


def test_an_object_that_would_leave_the_scratch_folder_is_refused(bucket):
    s3fs.S3FileSystem().pipe_file(f"{bucket}/a/../../../x", b"")
    with pytest.raises(RemoteError, match=r"an object named '\.\./\.\./\.\./x'"):
        remote.fetch(f"{bucket}/a")


@pytest.mark.parametrize(
    ("scratch", "received"),
    [
        ("/proc/x", r"No such file or directory\. Name a folder that this user can write to by"),
        ("{file}", r"Not a directory \({file}/fetching/\w+\)\. Name a folder that this user can"),
    ],
)
def test_a_scratch_folder_that_cannot_be_made_is_told_by_its_name(
    bucket, tmp_path, monkeypatch, scratch, received
):
    file = tmp_path / "file"
    file.touch()
    put(f"{bucket}/a", x=b"one")
    scratch, received = scratch.format(file=file), received.format(file=file)
    monkeypatch.setenv("MILLRACE_SCRATCH", scratch)
    with pytest.raises(RemoteError, match=rf"^MILLRACE_SCRATCH, {scratch}: .* {received}"):
        remote.fetch(f"{bucket}/a")


@pytest.mark.parametrize(
    ("number", "name", "advice"),
    [
        (errno.ENOSPC, None, "Free some there, or name a folder on another disk by"),
        (errno.EACCES, "fetching", "Grant this user the right to write there, or name another"),
    ],
)
def test_a_scratch_folder_that_takes_no_copy_is_told_and_not_the_store(
    bucket, monkeypatch, number, name, advice
):
    def failing(*_):
        place = name and str(remote.scratch() / name)
        raise OSError(number, os.strerror(number), place)

    put(f"{bucket}/a", x=b"one")
    monkeypatch.setattr(remote._open(bucket)[0], "get", failing)
    with pytest.raises(RemoteError, match=rf"^MILLRACE_SCRATCH, .*{os.strerror(number)}.*{advice}"):
        remote.fetch(f"{bucket}/a")


def test_a_scratch_folder_of_somebody_unknown_is_told_and_matters_to_nothing_else(monkeypatch):
    monkeypatch.setenv("MILLRACE_SCRATCH", "~no-such-user/x")
    with pytest.raises(RemoteError, match=r"^MILLRACE_SCRATCH: .*~no-such-user/x, and no such"):
        remote.mirror("s3://b/a")
    assert remote.origin("/a/b") == "/a/b"


def test_nothing_is_not_an_empty_folder(bucket):
    with pytest.raises(FileNotFoundError, match="nothing there"):
        remote.fetch(f"{bucket}/none")


def test_a_bucket_that_is_not_there_is_told(bucket):
    with pytest.raises(RemoteError, match=r"^s3://none-such/a: .*does not exist\. Create the buc"):
        remote.files("s3://none-such/a")


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (PermissionError("Access Denied"), "Grant these credentials the right to list, read,"),
        (OSError("Could not connect."), "See that the store can be reached from here, and its"),
        (ValueError("Unable to locate credentials"), "Give credentials, as that store's own"),
    ],
)
def test_what_a_store_says_is_told_with_the_fix(monkeypatch, error, advice):
    def failing(place):
        raise error

    monkeypatch.setattr(remote, "_open", failing)
    with pytest.raises(RemoteError, match=rf"^s3://b/a: .* Received: \w[^.]*\w\. {advice}"):
        remote.files("s3://b/a")


def test_a_store_that_does_not_answer_is_not_waited_for_for_minutes(bucket):
    store, _ = remote._open(bucket)
    assert store.config_kwargs["connect_timeout"] == 3


def test_what_is_uploaded_is_what_was_here_and_is_not_fetched_again(bucket, tmp_path, caplog):
    folder = pathlib.Path(remote.mirror(f"{bucket}/a"))
    (folder / "d").mkdir(parents=True)
    (folder / "d" / "x").write_bytes(b"one")
    (folder / "empty").touch()
    remote.upload(Path(folder), f"{bucket}/a", last=["d/x", "none"])
    assert {name: file.size for name, file in remote.files(f"{bucket}/a").items()} == {
        "d/x": 3,
        "empty": 0,
    }
    assert remote.digest(f"{bucket}/a/d/x") == hashlib.sha256(b"one").hexdigest()
    with caplog.at_level(logging.INFO, "millrace.serving.remote"):
        remote.fetch(f"{bucket}/a")
    assert not caplog.records


def test_an_upload_that_others_disturb_is_refused(bucket, tmp_path):
    (tmp_path / "x").write_bytes(b"one")
    put(f"{bucket}/a", other=b"")
    with pytest.raises(RemoteError, match=r"expected 1 files as they were uploaded\. Received: 2"):
        remote.upload(Path(tmp_path), f"{bucket}/a")


def test_the_last_file_is_uploaded_last_and_removed_first(bucket, tmp_path, monkeypatch):
    for name in ("a", "last", "z"):
        (tmp_path / "v" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "v" / name).touch()
    store, _ = remote._open(bucket)
    seen = []
    for method in ("put", "cp_file", "rm_file"):
        real = getattr(store, method)

        def noting(*arguments, real=real, **options):
            seen.append(arguments)
            return real(*arguments, **options)

        monkeypatch.setattr(store, method, noting)
    remote.upload(Path(tmp_path / "v"), f"{bucket}/v", last=["last"])
    assert seen[-1] == ([str(tmp_path / "v" / "last")], [f"{bucket[5:]}/v/last"])
    seen.clear()
    remote.move(f"{bucket}/v", f"{bucket}/w", last=["last"])
    assert [arguments[0].rpartition("/")[2] for arguments in seen] == [
        *("a", "z", "last"),
        *("last", "a", "z"),
    ]


def test_of_several_that_create_a_file_at_once_one_does(bucket):
    start, made = threading.Barrier(4, timeout=60), []

    def create():
        start.wait()
        made.append(remote.create(f"{bucket}/claim", b""))

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == [False, False, False, True]


def test_a_version_counts_from_when_its_model_is_there(bucket):
    put(f"{bucket}/m", **{"7/variables/x": b"", "8/variables/saved_model.pb": b"", "x/y": b""})
    assert versions.on_disk(Path(f"{bucket}/m")) == {}
    assert not versions.is_there(Path(f"{bucket}/m/7"))
    put(
        f"{bucket}/m", **{"7/saved_model.pb": b"", "007/model.tflite": b"", "m/saved_model.pb": b""}
    )
    assert versions.on_disk(Path(f"{bucket}/m")) == {7: Path(f"{bucket}/m/7")}
    assert versions.is_there(Path(f"{bucket}/m/7"))
    assert versions.on_disk(Path(f"{bucket}/none")) is None


def test_a_server_finds_versions_in_a_store_and_forgets_those_that_are_gone(
    bucket, half_plus_two, third_plus_two, serve
):
    base = f"{bucket}/half"

    def push(model, version):
        remote.upload(Path(model), f"{base}/{version}", last=versions.MODEL_FILES)

    def answers(y):
        with Client(target) as client:
            return client.predict("half", {"x": np.float32([6])})["y"].tolist() == [y]

    push(half_plus_two, 1)
    target = serve(base, file_system_poll_wait_seconds=0.05)
    assert answers(5.0)
    push(third_plus_two, 2)
    until(lambda: answers(4.0))
    remote.remove(f"{base}/1", first=versions.MODEL_FILES)
    push(half_plus_two, 3)
    until(lambda: answers(5.0))
    assert sorted(copy.name for copy in remote.mirror(base).iterdir()) == ["2", "3"]


def _below(folder):
    return (path for path in pathlib.Path(folder).rglob("*") if path.is_file())
