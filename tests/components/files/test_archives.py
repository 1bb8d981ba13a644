"""Archives are unpacked where they should be, and hostile ones are refused before they harm."""

import io
import pathlib
import stat
import tarfile
import zipfile

import pytest
from etils.epath import Path

from millrace.components.errors import DataError
from millrace.components.files import archives

FILES = {"a/1.png": b"one", "b/2.png": b"two"}


@pytest.fixture
def out(tmp_path):
    """An empty staging folder."""
    (tmp_path / "out").mkdir()
    return Path(tmp_path / "out")


def zipped(place, files, **attributes):
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = attributes.get("mode", 0o644 | stat.S_IFREG) << 16
            archive.writestr(info, data, zipfile.ZIP_DEFLATED)
    return Path(place)


def tarred(place, *members):
    """A tar of `members`: a name and bytes, or a name and a type of member with its target."""
    with tarfile.open(place, "w:gz" if str(place).endswith("gz") else "w") as archive:
        for name, content, *target in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, bytes) and not target:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            else:
                info.type, info.linkname = content, "".join(target)
                archive.addfile(info)
    return Path(place)


def read(source, out):
    """The files of the folder that the source becomes."""
    with archives.unpacked(source, out) as root:
        folder = pathlib.Path(root)
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }


def test_a_zip_and_a_tar_become_a_folder_that_is_gone_afterwards(tmp_path, out):
    assert read(zipped(tmp_path / "x.ZIP", FILES), out) == FILES
    assert read(tarred(tmp_path / "x.tgz", *FILES.items()), out) == FILES
    assert read(tarred(tmp_path / "x.tar", ("./a/1.png", b"one")), out) == {"a/1.png": b"one"}
    assert list(out.iterdir()) == []


def test_names_as_windows_writes_them_and_litter_are_understood(tmp_path, out):
    archive = zipped(tmp_path / "x.zip", {"a\\1.png": b"one", "__MACOSX/a/._1.png": b"x"})
    assert read(archive, out) == {"a/1.png": b"one", "__MACOSX/a/._1.png": b"x"}
    assert archives.first_names(archive) == ["a/1.png"]
    dotted = zipped(tmp_path / "y.zip", {"./a/./1.png": b"one", "b//2.png": b"two"})
    assert read(dotted, out) == FILES
    assert archives.first_names(dotted) == ["a/1.png", "b/2.png"]


@pytest.mark.parametrize("encoding", ["cp437", "utf-8"])
def test_names_in_a_zip_without_the_mark_of_utf_8_are_read(tmp_path, out, encoding):
    name = "Käse/1.png".encode(encoding)
    archive = zipped(tmp_path / "x.zip", {"x" * len(name): b"one"})
    data = pathlib.Path(archive).read_bytes().replace(b"x" * len(name), name)
    pathlib.Path(archive).write_bytes(data)
    assert read(archive, out) == {"Käse/1.png": b"one"}


def test_names_in_a_tar_of_another_encoding_are_read(tmp_path, out):
    with tarfile.open(tmp_path / "x.tar", "w", tarfile.USTAR_FORMAT, encoding="latin-1") as archive:
        archive.addfile(tarfile.TarInfo("Käse/1.png"))
    assert read(Path(tmp_path / "x.tar"), out) == {"Käse/1.png": b""}


def test_a_name_that_stands_twice_is_said(tmp_path, out, caplog):
    archive = tarred(tmp_path / "x.tar", ("a", b"one"), ("a", b"two"))
    assert read(archive, out) == {"a": b"two"}
    assert f"{archive} holds a twice: the last is taken" in caplog.text


def test_an_archive_called_as_another_kind_is_read(tmp_path, out):
    assert read(tarred(tmp_path / "x.zip", *FILES.items()), out) == FILES
    whole = zipped(tmp_path / "y.zip", FILES)
    assert read(whole.rename(Path(tmp_path / "y.tar.gz")), out) == FILES


def test_archives_in_an_archive_of_nothing_else_are_unpacked(tmp_path, out):
    inner = pathlib.Path(zipped(tmp_path / "train.zip", FILES)).read_bytes()
    other = pathlib.Path(tarred(tmp_path / "test.v1.tgz", ("c.png", b"c"))).read_bytes()
    files = {"all/train.zip": inner, "all/test.v1.tgz": other, "all/readme.txt": b"x"}
    outer = pathlib.Path(zipped(tmp_path / "outer.zip", files)).read_bytes()
    wanted = {"train/a/1.png": b"one", "train/b/2.png": b"two"}
    wanted |= {"test.v1/c.png": b"c", "readme.txt": b"x"}
    found = read(zipped(tmp_path / "x.zip", {"outer.zip": outer, "__MACOSX/x": b""}), out)
    assert found == {f"outer/all/{path}": data for path, data in wanted.items()} | {
        "__MACOSX/x": b""
    }
    beside = {"a/1.png": b"one", "a/more.zip": inner}
    assert read(zipped(tmp_path / "z.zip", beside), out) == beside


def test_archives_in_an_archive_share_its_size(tmp_path, out, monkeypatch):
    monkeypatch.setattr(archives, "_UNPACKED", 1000)
    monkeypatch.setattr(archives, "_TIMES", 1)
    inner = pathlib.Path(zipped(tmp_path / "a.zip", {"1": bytes(320)})).read_bytes()
    two = zipped(tmp_path / "x.zip", {"a.zip": inner, "b.zip": inner})
    assert len(read(two, out)) == 2
    three = zipped(tmp_path / "y.zip", {f"{name}.zip": inner for name in "abc"})
    with pytest.raises(DataError, match=r"y\.zip/c\.zip: expected at most \d+ bytes"):
        read(three, out)


def test_errors_on_what_was_unpacked_name_the_archive(tmp_path, out):
    archive = zipped(tmp_path / "x.zip", FILES)
    with pytest.raises(DataError) as caught, archives.unpacked(archive, out) as root:
        raise DataError(f"{root}/a/1.png: expected more.")
    assert str(caught.value) == f"{archive}/a/1.png: expected more."


def test_what_is_no_archive_is_left_as_it_is(tmp_path, out):
    root = Path(tmp_path / "source")
    (root / "a").mkdir(parents=True)
    (root / "a" / "1.png").write_bytes(b"one")
    (root / "all.zip").write_bytes(b"x")
    with archives.unpacked(root, out) as found:
        assert found == root
    assert archives.first_names(root / "a" / "1.png") == []


@pytest.mark.parametrize(
    "name", ["../out.png", "a/../../out.png", "/elsewhere/out.png", "C:\\out.png"]
)
def test_a_path_that_leads_outside_is_refused(tmp_path, out, name):
    for archive in (
        zipped(tmp_path / "x.zip", {name: b"x"}),
        tarred(tmp_path / "x.tar", (name.replace("\\", "/"), b"x")),
    ):
        with pytest.raises(
            DataError, match=r"expected an archive of plain files\. Received: .*which lies outside"
        ):
            read(archive, out)
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (tarfile.SYMTYPE, "/etc/passwd"),
        (tarfile.LNKTYPE, "a"),
        (tarfile.FIFOTYPE, ""),
        (tarfile.CHRTYPE, ""),
    ],
)
def test_a_link_or_a_device_is_refused(tmp_path, out, kind, target):
    archive = tarred(tmp_path / "x.tar", ("a/1.png", b"x"), ("a/odd.png", kind, target))
    with pytest.raises(
        DataError, match=r"Received: 'a/odd\.png', a link or a device\. If it is meant"
    ):
        read(archive, out)


def test_a_zip_that_needs_a_password_is_refused(tmp_path, out):
    archive = pathlib.Path(zipped(tmp_path / "x.zip", {"a": b"x"}))
    data = bytearray(archive.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    archive.write_bytes(data)
    with pytest.raises(DataError, match=r"Received: 'a', which needs a password\. If it is meant"):
        read(Path(archive), out)


@pytest.mark.parametrize("kept", [512 + 512 + 300, 512 + 512, None])
def test_a_tar_that_is_cut_off_or_broken_between_files_is_refused(tmp_path, out, kept):
    archive = pathlib.Path(tarred(tmp_path / "x.tar", *FILES.items()))
    data = archive.read_bytes()
    archive.write_bytes(data[:kept] if kept else data[:1024] + b"b/2.pnX" + data[1031:])
    with pytest.raises(DataError, match=r"Received: it is broken or cut off: "):
        read(Path(archive), out)


@pytest.mark.parametrize(("ending", "lost"), [("gz", 4), ("bz2", 8), ("xz", 8)])
def test_a_packed_tar_without_its_end_is_refused(tmp_path, out, ending, lost):
    archive = tmp_path / f"x.tar.{ending}"
    with tarfile.open(archive, f"w:{ending}") as opened:
        opened.addfile(tarfile.TarInfo("a/1.png"))
    archive.write_bytes(archive.read_bytes()[:-lost])
    with pytest.raises(DataError, match=r"Received: Compressed file ended before the end"):
        read(Path(archive), out)


def test_a_link_in_a_zip_is_refused(tmp_path, out):
    archive = zipped(tmp_path / "x.zip", {"a": b"/etc"}, mode=0o777 | stat.S_IFLNK)
    with pytest.raises(DataError, match=r"Received: 'a', a link"):
        read(archive, out)


@pytest.mark.parametrize("name", ["x.zip", "x.tgz"])
def test_a_bomb_is_refused_whatever_its_headers_say(tmp_path, out, name, monkeypatch):
    monkeypatch.setattr(archives, "_UNPACKED", 1000)
    data = bytes(2**20)
    if name == "x.zip":
        archive = zipped(tmp_path / name, {"a/1.png": data})
    else:
        archive = tarred(tmp_path / name, ("a/1.png", data))
    size = archive.stat().length
    with pytest.raises(DataError, match=rf"at most {100 * size:,} bytes in an archive of {size:,}"):
        read(archive, out)


def test_more_files_than_any_data_set_has_are_refused(tmp_path, out, monkeypatch):
    monkeypatch.setattr(archives, "_FILES", 1)
    with pytest.raises(DataError, match=r"Received: more than 1 files"):
        read(zipped(tmp_path / "x.zip", FILES), out)


@pytest.mark.parametrize("name", ["x.zip", "x.tar.gz", "x.tar"])
def test_what_is_broken_or_no_archive_is_refused(tmp_path, out, name):
    (tmp_path / name).write_bytes(b"no archive" * 100)
    with pytest.raises(DataError, match=r"expected an archive that can be unpacked\. Received"):
        read(Path(tmp_path / name), out)
    whole = zipped(tmp_path / name, FILES) if name == "x.zip" else None
    whole = whole or tarred(tmp_path / name, ("a/1.png", bytes(range(256)) * 64))
    data = pathlib.Path(whole).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match=r"expected an archive that can be unpacked\. Received"):
        read(Path(tmp_path / name), out)


def test_a_zip_whose_names_are_not_the_utf_8_that_it_says_is_refused(tmp_path, out):
    archive = pathlib.Path(zipped(tmp_path / "x.zip", {"a/é.png": b"x"}))
    archive.write_bytes(archive.read_bytes().replace("é".encode(), b"\xb5\xb5"))
    with pytest.raises(DataError, match=r"expected an archive that can be unpacked\. Received"):
        read(Path(archive), out)


def test_a_zip_of_a_file_without_a_name_is_refused(tmp_path, out):
    with pytest.raises(DataError, match=r"Received: a file without a name"):
        read(zipped(tmp_path / "x.zip", {"": b"x"}), out)


def test_a_file_where_a_folder_should_be_is_refused(tmp_path, out):
    archive = tarred(tmp_path / "x.tar", ("a", b"x"), ("a/1.png", b"x"))
    with pytest.raises(DataError, match=r"Received: a/1\.png: "):
        read(archive, out)
