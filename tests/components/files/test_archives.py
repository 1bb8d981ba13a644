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
    assert read(archive, out) == {"a/1.png": b"one"}
    assert archives.first_names(archive) == ["a/1.png"]


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


def test_a_file_where_a_folder_should_be_is_refused(tmp_path, out):
    archive = tarred(tmp_path / "x.tar", ("a", b"x"), ("a/1.png", b"x"))
    with pytest.raises(DataError, match=r"Received: a/1\.png: "):
        read(archive, out)
