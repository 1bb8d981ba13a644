"""JSON objects are read one at a time, wherever the pieces of a file end."""

import io
import json
import math
import warnings

import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.errors import DataError
from millrace.components.example_gen.texts import json_rows

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
OBJECTS = st.dictionaries(st.text(max_size=3), VALUES, max_size=3)
TOKENS = [
    "{}",
    '{"a": 1}',
    "[",
    "]",
    ",",
    " ",
    "\n",
    "1",
    "-2.5e3",
    '"x"',
    "true",
    "1.",
    "Infinity",
]


def read(text, size):
    """The members of the array `text`, from pieces of `size` bytes."""

    class Pieces(io.BytesIO):
        def read(self, _=-1):
            return super().read(size)

    return list(json_rows.array_values(Pieces(text.encode()), "x.json", "utf-8"))


@given(st.lists(OBJECTS | VALUES, max_size=6), st.sampled_from([None, 1]), st.integers(1, 9))
def test_an_array_is_read_whole_in_pieces_of_any_size(values, indent, size):
    text = json.dumps(values, indent=indent, ensure_ascii=False)
    assert repr(read(text, size)) == repr(json.loads(text))  # NaN is not equal to itself


@given(st.lists(st.sampled_from(TOKENS), max_size=9).map("".join), st.integers(1, 9))
def test_what_python_reads_as_an_array_is_read_alike_and_all_else_refused(text, size):
    try:
        expected = json.loads(text)
    except ValueError:
        expected = None
    if isinstance(expected, list):
        assert read(text, size) == expected
    else:
        with pytest.raises(DataError, match=r"^x\.json, member \d+: expected a JSON array"):
            read(text, size)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[{"a": 1} {"a": 2}]', "member 2: .* Received: '{\"a\": 2}]' where `,` or `]` belongs"),
        ('[{"a": 1},, {"a": 2}]', "member 2: .* Received: Expecting value after "),
        ('[, {"a": 1}]', "member 1: .* Received: Expecting value after "),
        ('[{"a": 1},]', "member 2: .* Received: Expecting value after "),
        ('[{"a": 1}', "member 2: .* Received: its end where `,` or `]` belongs"),
        ('[{"a": 1}] [', "member 2: .* Received: something after the array"),
        ("", "member 1: .* Received: its end where `\\[` belongs"),
    ],
)
def test_a_missing_or_doubled_comma_is_refused_with_its_place(text, reason):
    with pytest.raises(DataError, match=rf"^x\.json, {reason}"):
        read(text, 99)


def test_members_become_text_and_those_of_inner_objects_too():
    value = {"a": "x", "b": 1, "c": True, "d": None, "e": [{}], "f": 1.5, "g": math.nan,
             "h": {"i": "y", "j": {"k": 2}}}  # fmt: skip
    cells = {"a": "x", "b": "1", "c": "true", "f": "1.5", "h.i": "y", "h.j.k": "2"}
    assert json_rows.cells_of(value) == cells


@pytest.mark.parametrize(
    ("value", "is_columns"),
    [
        ({"version": 1, "data": [{"text": "a", "label": 1}, {"text": "b", "label": 0}]}, False),
        ({"text": ["a", "b"], "label": [1, 0]}, True),
        ({"text": {"0": "a", "1": "b"}, "label": {"0": 1, "1": 0}}, True),
    ],
)
def test_one_object_of_all_rows_is_written_again_by_the_call_that_is_named(
    tmp_path, value, is_columns
):
    file = tmp_path / "a.json"
    file.write_text(json.dumps(value))
    call = json_rows.rewritten(file.read_text(), file)
    assert call.startswith("pandas.read_json" if is_columns else "pandas.json_normalize")
    call = call.replace("texts.jsonl", str(tmp_path / "texts.jsonl"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # a file that a person's line leaves open
        eval(call, {"pandas": pandas, "json": json})  # noqa: S307  # as a person would
    lines = (tmp_path / "texts.jsonl").read_text().splitlines()
    assert list(map(json.loads, lines)) == [{"text": "a", "label": 1}, {"text": "b", "label": 0}]


@pytest.mark.parametrize("text", ['{"text": "a", "label": 1}', '{"a": 1}\n{"a": 2}', "[1]", "{"])
def test_what_is_no_such_object_needs_no_call(text):
    assert json_rows.rewritten(text, "a.json") == ""


def test_a_list_of_labels_stays_a_list():
    assert json_rows.cells_of({"a": ["x", "ö"], "b": [1]}) == {"a": '["x", "ö"]', "b": "[1]"}
    with pytest.raises(DataError, match=r"^expected an object, received \[1\]$"):
        json_rows.cells_of([1])


def test_what_is_not_an_array_or_broken_off_is_refused():
    for content, message in ((b'{"a": 1}', "member 1: .*Received"), (b"[1, 2", "member 3: .*end")):
        with pytest.raises(DataError, match=message):
            list(json_rows.array_values(io.BytesIO(content), "x.json", "utf-8"))


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"a": ' + DEEP + "}", "not JSON that can be read: maximum recursion"),
        ('{"a": ' + "9" * 5000 + "}", "not JSON that can be read: Exceeds the limit"),
        (r'{"a": "x\ud800"}', r"half of a character, \\ud800"),
        (r'{"\udfff": "x"}', r"half of a character, \\udfff"),
    ],
)
def test_a_line_that_python_cannot_hold_is_not_a_row(line, reason):
    with pytest.raises(DataError, match=reason):
        json_rows.line_cells(line)


@pytest.mark.parametrize(
    ("member", "reason"),
    [(DEEP, "maximum recursion"), ("9" * 5000, "Exceeds the limit"), ('"open', "Unterminated")],
)
def test_a_member_that_python_cannot_hold_is_named(member, reason):
    content = io.BytesIO(f"[1, {member}, 2]".encode())
    with pytest.raises(DataError, match=rf"x\.json, member 2: .*{reason}"):
        list(json_rows.array_values(content, "x.json", "utf-8"))


def test_no_more_than_one_long_member_is_held(monkeypatch):
    monkeypatch.setattr(json_rows, "_LONGEST", 100)
    monkeypatch.setattr(json_rows, "_CHUNK", 10)
    file = io.BytesIO(b'[1, "' + b"x" * 1000)
    with pytest.raises(DataError, match="member 2"):
        list(json_rows.array_values(file, "x.json", "utf-8"))
    assert file.tell() < 150
