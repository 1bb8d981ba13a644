"""Texts a line each: which files are such, and what their lines hold."""

import pytest

from millrace.components.errors import DataError
from millrace.components.example_gen.texts import lines


@pytest.mark.parametrize(
    ("path", "name"),
    [("a/rt.pos", "pos"), ("pos.txt", "pos"), ("test/neg.TXT", "neg"), ("b", "b"), ("x.y.z", "z")],
)
def test_the_class_is_what_tells_the_names_apart(path, name):
    assert lines.class_of(path) == name


@pytest.mark.parametrize(
    ("line", "separator", "cells"),
    [
        ("DESC:manner How did it end ?", "", {"label": "DESC:manner", "text": "How did it end ?"}),
        (" a\tb c ", "", {"label": "a", "text": "b c"}),
        ("a b | c | d", "|", {"label": "a b ", "text": "c | d"}),
        ("__label__x one two", "", {"label": "x", "text": "one two"}),
        ("__label__x __label__y one", "", {"label": '["x", "y"]', "text": "one"}),
    ],
)
def test_a_line_begins_with_its_label(line, separator, cells):
    assert lines.labelled(line, separator) == cells


@pytest.mark.parametrize("line", ["", " \t", "a"])
def test_a_line_without_a_text_is_refused(line):
    with pytest.raises(DataError, match="expected a label, a space and a text"):
        lines.labelled(line, "")


def test_a_label_without_a_text_is_refused():
    with pytest.raises(DataError, match=r"^expected a label, a space and a text, received 'al'$"):
        lines.labelled("al", "")
    with pytest.raises(DataError, match=r"^expected a label, ':' and a text, received 'a b'$"):
        lines.labelled("a b", ":")


@pytest.mark.parametrize(
    ("files", "is_such"),
    [
        ({"x.pos": b"a\nb", "x.neg": b"c\nd"}, True),
        ({"train/pos.txt": b"a\nb", "test/neg.txt": b"c\nd"}, True),
        ({"set/x.pos": b"a\nb", "set/x.neg": b"c\nd", "set/README": b"x"}, True),
        ({"1.txt": b"a\nb", "2.txt": b"c\nd"}, False),
        ({"pos.txt": b"a\nb", "neg.txt": b"one line"}, False),
        ({"pos/a.txt": b"a\nb", "neg/a.txt": b"c\nd"}, False),
        ({"pos.txt": b"a\nb"}, False),
        ({"a.pos": b"a\nb", "b.pos": b"c\nd", "a.neg": b"c\nd"}, False),
        ({"a.png": bytes(99) + b"\n1\n2", "b.jpg": b"c\nd"}, False),
    ],
)
def test_files_of_lines_are_found_where_they_are_certain(folder, files, is_such):
    assert lines.holds_class_files(folder(files)) is is_such


def test_a_folder_of_other_folders_is_refused_by_the_layout(folder):
    with pytest.raises(DataError, match=r"expected a folder with a file of texts for each class"):
        lines.class_files(folder({"pos/a.txt": b"a", "neg/a.txt": b"b"}))
