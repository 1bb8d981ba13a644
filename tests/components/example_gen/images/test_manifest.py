"""Rows named by a CSV: each line is a row or is set aside with its number."""

import pytest

from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError
from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.images.manifest import list_manifest
from millrace.components.example_gen.images.options import Manifest
from millrace.components.example_gen.shards.folders import ListedRow
from tests.components.example_gen.conftest import spoil

DETECTED = CsvFormat()
FILES = {"img/1.png": b"", "img/2, old.png": b"", "3.png": b""}


@pytest.fixture
def listed(folder):
    def run(text: str | bytes, csv=DETECTED, **options):
        data = text if isinstance(text, bytes) else text.encode()
        root = folder({**FILES, "labels.csv": data})
        return list_manifest(root, Manifest("labels.csv", **options), csv)

    return run


def test_quotes_a_byte_order_mark_and_other_columns_are_understood(listed):
    listing = listed(
        b'\xef\xbb\xbflabel,path,note\r\ncat,img/1.png,"two\r\nlines"\r\ndog,"img/2, old.png",\r\n'
    )
    assert listing.rows == [ListedRow("img/1.png", "cat"), ListedRow("img/2, old.png", "dog")]
    assert listing.rejected == []


def test_columns_are_options_and_the_delimiter_is_found(listed):
    listing = listed(
        "file;class;fold\nimg/1.png;a;Validation\n3.png;b;\n",
        path_column="file",
        label_column="class",
        split_column="fold",
    )
    assert listing.rows == [ListedRow("img/1.png", "a", "eval"), ListedRow("3.png", "b", "")]


def test_a_column_called_split_is_used_unless_another_is_named(listed):
    text = "path,label,split\nimg/1.png,a,train\n3.png,b,test\n"
    assert listed(text).given == {"train", "test"}
    assert listed(text, split_column="").given == {""}


def test_paths_may_be_absolute_or_roundabout_within_the_source(folder):
    root = folder(FILES)
    (root / "m.csv").write_text(f"path,label\n{root}/3.png,a\nimg/../img/1.png,b\n")
    assert list_manifest(root, Manifest("m.csv"), DETECTED).rows == [
        ListedRow("3.png", "a"),
        ListedRow("img/1.png", "b"),
    ]


@pytest.mark.parametrize(
    ("start", "there"),
    [
        ("/home/me/data/", "/home/me/data/"),
        ("C:\\data\\", "C:/data/"),
        ("data/img/", "data/img/"),
    ],
)
def test_paths_of_another_machine_are_found_below_the_source(listed, caplog, start, there):
    caplog.set_level("INFO")
    lines = f"path,label\n{start}img/1.png,a\n{start}3.png,b\n{start}4.png,b\n"
    listing = listed(lines)
    assert listing.rows == [ListedRow("img/1.png", "a"), ListedRow("3.png", "b")]
    assert listing.rejected == [Rejected("4.png", "no such file below the source folder", "line 4")]
    assert f"what lay in {there} is looked for in " in caplog.text


def test_files_of_the_same_names_in_another_folder_are_not_meant(listed):
    with pytest.raises(DataError, match=r"3 lines that do not, such as 'other/1\.png'"):
        listed("path,label\nother/1.png,a\nother/0.png,b\nother/2.png,b\n")


def test_lines_that_name_no_row_are_set_aside_with_their_number(listed):
    listing = listed(
        "path,label,split\n"
        "img/1.png,a,\n"
        "gone.png,a,\n"
        "../secret.png,a,\n"
        "img/1.png,b,\n"
        "img/2, old.png\n"
        "3.png,,\n"
        '3.png,b,"../x"\n'
        '"img/2, old.png",b,\n'
        ",b,\n"
    )
    missing = "no such file below the source folder"
    assert listing.rows == [ListedRow("img/1.png", "a"), ListedRow("img/2, old.png", "b")]
    assert listing.rejected == [
        Rejected("gone.png", missing, "line 3"),
        Rejected("../secret.png", missing, "line 4"),
        Rejected("img/1.png", "named before, in line 2", "line 5"),
        Rejected("img/2", missing, "line 6"),
        Rejected("3.png", "named before, in line 7", "line 8"),
        Rejected("", missing, "line 10"),
    ]
    assert listing.unlabelled == [Rejected("3.png", "no label", "line 7")]


def test_a_split_that_cannot_be_a_folder_is_set_aside(listed):
    listing = listed('path,label,split\n3.png,b,../x\nimg/1.png,a,\n"img/2, old.png",b,\n')
    assert listing.rejected == [
        Rejected("3.png", "split '../x' cannot be a folder's name", "line 2")
    ]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            "where,label\n3.png,a\n",
            {},
            r"labels\.csv: expected the column of a path, such as 'path'\. Received: 'where', "
            r"'label'\. Name the CSV's own by the option manifest\.path_column",
        ),
        ("file,what\n", {}, r"the column of a label, such as 'label'.* manifest\.label_column"),
        ("file,class\n", {"path_column": "x"}, "expected the column 'x'"),
        ("path,label\n", {"split_column": "fold"}, "expected the column 'fold'"),
        ("", {}, "Received: an empty file"),
        ("path,label\n", {}, r"Received: 0 lines that do not\. Correct the paths"),
        ("path,label\nx.png,a\ny.png,b\n", {}, r"Received: 2 lines that do not, such as 'x\.png'"),
        ("path,label\n3.png,a\n", {}, r"at least two classes\. Received: only 'a', 1 files\. Add"),
        (
            "path,label\n3.png,a|b\nimg/1.png,b\n",
            {},
            r"one class a line in column 'label'\. Received: 1 classes of several, such as 'a\|b'",
        ),
        (
            'path,label\n3.png,a b\nimg/1.png,b\n"img/2, old.png",a\n',
            {},
            "several, such as 'a b'",
        ),
        (
            'path,label\n3.png,"a\n' + "img/1.png,b\n" * 20_000,
            {},
            r"labels\.csv, line 2: expected a quote that closes the cell",
        ),
    ],
)
def test_a_csv_that_cannot_be_used_is_refused(listed, text, options, message):
    with pytest.raises(DataError, match=message):
        listed(text, **options)


def test_a_missing_csv_is_named(folder):
    with pytest.raises(DataError, match=r"source/m\.csv: .* No such file .* manifest\.file"):
        list_manifest(folder(FILES), Manifest("m.csv"), DETECTED)


def test_a_line_that_names_no_readable_file_is_set_aside_and_an_unreadable_manifest_refused(
    folder,
):
    root = folder({**FILES, "labels.csv": b"path,label\nimg/1.png,a\n3.png,b\npipe.png,b\n"})
    spoil(root, ".png")
    listing = list_manifest(root, Manifest("labels.csv"), DETECTED)
    assert listing.rejected == [Rejected("pipe.png", "a pipe, not a file", "line 4")]
    with pytest.raises(
        DataError, match=r"pipe\.png: expected a CSV .*Received: a pipe, not a file"
    ):
        list_manifest(root, Manifest("pipe.png"), DETECTED)


@pytest.mark.parametrize(
    ("header", "columns"),
    [("File Name,Class", "file_name"), ("image_id,Breed", "id"), ("Label,ID", "swapped")],
)
def test_columns_are_found_by_their_names_and_said(listed, caplog, header, columns):
    caplog.set_level("INFO")
    lines = ["3.png,a", "img/1.png,b"]
    if columns == "swapped":
        lines = [",".join(reversed(line.split(","))) for line in lines]
    listing = listed("\n".join([header, *lines]) + "\n")
    assert [(row.path, row.label) for row in listing.rows] == [("3.png", "a"), ("img/1.png", "b")]
    first, second = sorted(header.split(","), key=lambda name: name in ("Label", "Class", "Breed"))
    assert f"files are in column {first!r}, classes in {second!r}" in caplog.text


def test_a_file_without_its_extension_or_its_folder_is_found_if_there_is_one_such(listed, folder):
    folder({"img/3.png": b"", "img/4.jpg": b"", "img/4.png": b""})
    listing = listed("id,label\n1,a\nimg/3,b\n4,a\n3,b\n")
    assert listing.rows == [ListedRow("img/1.png", "a"), ListedRow("img/3.png", "b")]
    assert listing.rejected == [
        Rejected("4", "could be img/4.jpg or img/4.png", "line 4"),
        Rejected("3", "could be 3.png or img/3.png", "line 5"),
    ]


def test_files_that_no_line_names_are_ignored_and_their_number_said(listed, caplog):
    listing = listed("path,label\n3.png,a\nimg/1.png,b\n")
    assert listing.ignored == ["img/2, old.png", "labels.csv"]
    assert "1 images are not in" in caplog.text


def test_another_encoding_and_a_line_above_the_header_are_read_as_of_any_table(listed):
    text = "path;label\n3.png;café\nimg/1.png;thé\n".encode("cp1252")
    assert listed(text, CsvFormat(encoding="cp1252")).classes == ["café", "thé"]
