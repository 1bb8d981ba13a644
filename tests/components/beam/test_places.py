"""Pickles in which folders go by their keys, written with one machine's and read with another's."""

import pathlib

import pytest
from etils.epath import Path
from hypothesis import given, settings
from hypothesis import strategies as st

from millrace.components.artifacts import Rejected
from millrace.components.beam.places import Named, Places

HERE = Places({"out": "/here/out", "data": "/here/out/data", "all": "/here"})
THERE = Places({"out": "/there/7", "data": "/elsewhere/data", "all": "/there"})


def sent(content):
    return THERE.loads(HERE.dumps(content))


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("/here/out/a.csv", "/there/7/a.csv"),
        ("/here/out", "/there/7"),
        ("/here/out/data/x", "/elsewhere/data/x"),
        ("/here/outer/x", "/there/outer/x"),
        ("/here.d/x", "/here.d/x"),
        ("/mnt/here/x", "/mnt/here/x"),
        ("here/out", "here/out"),
        ("/here/out/a.csv:3: no number; see '/here'", "/there/7/a.csv:3: no number; see '/there'"),
        ("", ""),
    ],
)
def test_a_text_names_the_readers_folder_in_the_writers_place(here, there):
    assert sent(here) == there


def test_so_does_a_path_and_whatever_holds_one(monkeypatch):
    content = {"/here/a": [Path("/here/out/b"), pathlib.PurePosixPath("/here/c")], "n": 1}
    assert sent(content) == {
        "/there/a": [Path("/there/7/b"), pathlib.PurePosixPath("/there/c")],
        "n": 1,
    }
    assert type(sent(Path("/here/x"))) is type(Path("/here/x"))
    assert sent(Rejected("/here/out/a", "broken")) == Rejected("/there/7/a", "broken")


def test_what_is_named_is_told_but_not_what_is_only_spoken_of():
    found = []
    content = [Path("/here/out/a"), "/here/out/data", "/here/: it", "see /here/x", "/other"]
    HERE.dumps(content, note=found.append)
    assert found == [Named("out", "a"), Named("data", ""), Named("all", ": it")]


@settings(max_examples=30)
@given(st.recursive(st.text() | st.integers() | st.binary() | st.none(), st.lists))
def test_anything_comes_back_as_it_was(content):
    assert HERE.loads(THERE.dumps(THERE.loads(HERE.dumps(content)))) == content
