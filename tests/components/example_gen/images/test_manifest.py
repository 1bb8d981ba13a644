"""Rows named by a CSV: each line is a row or is set aside with its number."""

import pytest

from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.images.manifest import list_manifest
from millrace.components.example_gen.images.options import Manifest
from millrace.components.example_gen.shards.folders import ListedRow
from tests.components.example_gen.conftest import spoil

FILES = {"img/1.png": b"", "img/2, old.png": b"", "3.png": b""}


@pytest.fixture
def listed(folder):
    def run(text: str | bytes, **options):
        data = text if isinstance(text, bytes) else text.encode()
        root = folder({**FILES, "labels.csv": data})
        return list_manifest(root, Manifest("labels.csv", **options))

    return run


def test_quotes_a_byte_order_mark_and_other_columns_are_understood(listed):
    listing = listed(
        b'\xef\xbb\xbflabel,path,note\r\ncat,img/1.png,"two\r\nlines"\r\ndog,"img/2, old.png",\r\n'
    )
    assert listing.rows == [ListedRow("img/1.png", "cat"), ListedRow("img/2, old.png", "dog")]
    assert listing.rejected == []


def test_columns_and_the_delimiter_are_options(listed):
    listing = listed(
        "file;class;fold\nimg/1.png;a;Validation\n3.png;b;\n",
        path_column="file",
        label_column="class",
        split_column="fold",
        delimiter=";",
    )
    assert listing.rows == [ListedRow("img/1.png", "a", "eval"), ListedRow("3.png", "b", "")]


def test_a_column_called_split_is_used_unless_another_is_named(listed):
    text = "path,label,split\nimg/1.png,a,train\n3.png,b,test\n"
    assert listed(text).given == {"train", "test"}
    assert listed(text, split_column="").given == {""}


def test_paths_may_be_absolute_or_roundabout_within_the_source(folder):
    root = folder(FILES)
    (root / "m.csv").write_text(f"path,label\n{root}/3.png,a\nimg/../img/1.png,b\n")
    assert list_manifest(root, Manifest("m.csv")).rows == [
        ListedRow("3.png", "a"),
        ListedRow("img/1.png", "b"),
    ]


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
        Rejected("3.png", "no label", "line 7"),
        Rejected("3.png", "named before, in line 7", "line 8"),
        Rejected("", missing, "line 10"),
    ]


def test_a_split_that_cannot_be_a_folder_is_set_aside(listed):
    listing = listed('path,label,split\n3.png,b,../x\nimg/1.png,a,\n"img/2, old.png",b,\n')
    assert listing.rejected == [
        Rejected("3.png", "split '../x' cannot be a folder's name", "line 2")
    ]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            "file,label\n3.png,a\n",
            {},
            r"labels\.csv: expected the column 'path'\. Received: 'file', 'label'\. Name the CSV's",
        ),
        ("file,class\n", {}, "expected the column 'path' and 'label'"),
        ("path,label\n", {"split_column": "fold"}, "expected the column 'fold'"),
        ("", {}, "Received: an empty file"),
        ("path,label\n", {}, r"Received: 0 lines that do not\. Correct the paths"),
        ("path,label\nx.png,a\ny.png,b\n", {}, r"Received: 2 lines that do not, such as 'x\.png'"),
        ("path,label\n3.png,a\n", {}, r"at least two classes\. Received: only 'a', 1 files\. Add"),
        (b"path,label\n3.png,caf\xe9\n", {}, r"expected UTF-8\. Received: byte 0xe9 at 20\. Save"),
        (
            'path,label\n3.png,"a\n' + "img/1.png,b\n" * 20_000,
            {},
            r"labels\.csv, line \d+: expected quotes in pairs\. Received: field larger than",
        ),
    ],
)
def test_a_csv_that_cannot_be_used_is_refused(listed, text, options, message):
    with pytest.raises(DataError, match=message):
        listed(text, **options)


def test_a_missing_csv_is_named(folder):
    with pytest.raises(DataError, match=r"source/m\.csv: .* No such file .* manifest\.file"):
        list_manifest(folder(FILES), Manifest("m.csv"))


@pytest.mark.parametrize("delimiter", ["", ",,", "\n", '"'])
def test_a_delimiter_that_is_none_is_refused(delimiter):
    with pytest.raises(OptionError, match=r"manifest\.delimiter: expected one character"):
        Manifest(delimiter=delimiter)


def test_a_line_that_names_no_readable_file_is_set_aside_and_an_unreadable_manifest_refused(
    folder,
):
    root = folder({**FILES, "labels.csv": b"path,label\nimg/1.png,a\n3.png,b\npipe.png,b\n"})
    spoil(root, ".png")
    listing = list_manifest(root, Manifest("labels.csv"))
    assert listing.rejected == [Rejected("pipe.png", "a pipe, not a file", "line 4")]
    with pytest.raises(
        DataError, match=r"pipe\.png: expected a CSV .*Received: a pipe, not a file"
    ):
        list_manifest(root, Manifest("pipe.png"))
