"""The fuzzer: a few inputs for each quick parser, always the same, and that losses are seen."""

import functools
import shutil
import time
import warnings
from collections import Counter

import pytest

from millrace.components.errors import DataError
from tests.faults import fuzz, parsers
from tests.faults.fuzz import Parser
from tests.faults.kill import Lost

QUICK = [parser for parser in parsers.every() if parser.is_quick]


@pytest.mark.parametrize("parser", QUICK, ids=[parser.name for parser in QUICK])
def test_whatever_a_parser_is_given_ends_with_a_value_or_a_text(parser, tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "ROUND", 12)
    found = fuzz.hunt(parser, tmp_path, rounds=1)
    assert found.lost == {}
    assert sum(found.ends.values()) >= 12


def parser_of(read):
    return Parser("a", lambda data, folder: read(data), (b"abc",))


def refuse(text):
    raise DataError(text)


def wait(data):
    until = time.monotonic() + 9
    while time.monotonic() < until:
        pass


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (lambda data: 1 // 0, "ZeroDivisionError: tests/faults/test_fuzz.py <lambda>: "),
        (lambda data: warnings.warn("odd", stacklevel=1), "UserWarning: tests/faults/test_fuzz"),
        (lambda data: refuse("a\nb\nc"), "text: tests/faults/test_fuzz.py refuse: refused in 3"),
        (lambda data: refuse("a " * 2_000), ""),
        (wait, "HangsError: tests/faults/test_fuzz.py wait: "),
        (lambda data: parsers.same(data, b"other"), "way back: bytes: "),
    ],
    ids=["raises", "warns", "many lines", "a long text", "hangs", "comes back as another"],
)
def test_what_may_not_happen_is_lost(tmp_path, monkeypatch, read, text):
    monkeypatch.setattr(fuzz, "SECONDS", 0.05)
    if not text:  # which `describe_error` shortens
        assert fuzz.tried(parser_of(read), b"", tmp_path) == "refused"
        return
    with pytest.raises(Lost) as lost:
        fuzz.tried(parser_of(read), b"", tmp_path)
    assert str(lost.value).startswith(text)


def test_memory_that_an_input_takes_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "MEMORY", 50 << 20)
    monkeypatch.setattr(fuzz, "ROUND", 2)
    monkeypatch.setattr(fuzz, "hunt", functools.partial(fuzz.hunt, rounds=1))
    found = [
        fuzz.apart(parser_of(lambda data, size=size: b"x" * size), tmp_path, 99, 7)
        for size in (100 << 20, 10 << 20)
    ]
    assert [list(each.lost) for each in found] == [["memory: # MiB more"], []]


@pytest.mark.parametrize("parser", QUICK, ids=[parser.name for parser in QUICK])
def test_a_parser_begins_with_something_that_it_reads(parser, tmp_path):
    ends = set()
    for number, seed in enumerate(parser.seeds):
        place = tmp_path / str(number)
        place.mkdir()
        ends.add(fuzz.tried(parser, seed, place))
    if parser.name == "TLS config" and not shutil.which("openssl"):
        pytest.skip("needs openssl")
    assert "value" in ends


def test_each_kind_of_loss_is_told_once_by_its_shortest_input(tmp_path):
    def read(data):
        if b"b" in data:
            raise KeyError(data)
        if len(data) > 3:
            raise IndexError(data)

    found = fuzz.hunt(parser_of(read), tmp_path, rounds=3)
    assert sorted(data for _, data in found.lost.values()) == [b"\0\0\0\0", b"abc"]


def test_a_seed_gives_the_same_inputs(tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "ROUND", 20)

    def ends(seed):
        seen = []
        fuzz.hunt(parser_of(seen.append), tmp_path, rounds=1, seed=seed)
        return Counter(seen)

    assert ends(1) == ends(1) != ends(2)
