"""What a source says is kept by its content, and never taken for that of another."""

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.user_code import known_syntax, source_code, syntax
from millrace.components.user_code.known_syntax import KnownSyntax

SOURCE = b"from os import path\nimport json as j\nx = 'a\\ud800'\ndef f(): return j.decoder"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "syntax.json"


def unread(*_, **__):
    raise AssertionError("it was parsed")


def test_what_was_read_once_is_not_parsed_again(file, monkeypatch):
    known = KnownSyntax()
    said = known.read(SOURCE, "one", is_package=False)
    assert said == syntax.read(SOURCE, "one", is_package=False)
    known.save(file)
    monkeypatch.setattr(syntax, "read", unread)
    assert KnownSyntax.load(file).read(SOURCE, "one", is_package=False) == said


@pytest.mark.parametrize(
    ("source", "module", "is_package"),
    [(SOURCE + b" ", "one", False), (SOURCE, "two", False), (SOURCE, "one", True)],
)
def test_another_source_or_module_is_parsed(source, module, is_package, monkeypatch):
    known = KnownSyntax()
    known.read(SOURCE, "one", is_package=False)
    monkeypatch.setattr(syntax, "read", unread)
    with pytest.raises(AssertionError, match="parsed"):
        known.read(source, module, is_package=is_package)


def test_other_rules_and_another_python_parse_again(monkeypatch):
    known = KnownSyntax()
    known.read(SOURCE, "one", is_package=False)
    before = known_syntax._rules()
    assert str(sys.version_info[:2]) in before
    monkeypatch.setattr(known_syntax, "_rules", lambda: before + "x")
    monkeypatch.setattr(syntax, "read", unread)
    with pytest.raises(AssertionError, match="parsed"):
        known.read(SOURCE, "one", is_package=False)


def test_a_module_has_one_entry_that_of_its_last_source():
    known = KnownSyntax()
    for source in (b"x = 1", b"x = 2"):
        known.read(source, "one", is_package=False)
    assert known.entries["one"][1] == syntax.read(b"x = 2", "one", is_package=False).digest
    assert len(known.entries) == 1


@given(st.binary(max_size=30) | st.sampled_from([b"[]", b'{"one": 3}', b'{"one": [1]}', b"null"]))
def test_any_other_file_counts_as_none(content):
    class File:
        def read_bytes(self):
            return content

    assert KnownSyntax.load(File()) == KnownSyntax()


def test_a_file_is_written_only_for_what_is_new_and_whole(file, monkeypatch):
    KnownSyntax().save(file)
    assert not file.exists()
    known = KnownSyntax()
    known.read(SOURCE, "one", is_package=False)
    known.save(file)
    assert list(json.loads(file.read_bytes())) == ["one"]
    assert list(file.parent.iterdir()) == [file]
    known.save(file / "no folder" / "x")


def test_modules_are_known_by_the_file_while_it_is_remembered(file, monkeypatch):
    source_code.forget()
    with source_code.remembered(file):
        found = source_code.reached("millrace.serving.records")
    source_code.forget()
    with monkeypatch.context() as patched, source_code.remembered(file):
        patched.setattr(syntax, "read", unread)
        assert source_code.reached("millrace.serving.records") == found
    source_code.forget()
    assert source_code.reached("millrace.serving.records") == found
