"""No text of unknown origin can command a terminal, or stand in another order than it has."""

import os
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from millrace.components.files.printable import one_line, printable, shortened

HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202egnp.exe\r\x9b1m\udce9"
SHOWN = r"\x1b]0;owned\x07\x1b[2J\u202egnp.exe\r\x9b1m\xe9"


def test_control_characters_overrides_and_half_pairs_are_escaped():
    assert printable(HOSTILE) == SHOWN
    assert printable("a\ud800b\udfff") == r"a\ud800b\udfff"


@given(st.binary(max_size=40))
def test_any_name_of_a_file_can_be_printed_and_shows_its_bytes(name):
    given = os.fsdecode(name)
    shown = one_line(given)
    assert shown.encode().decode() == shown
    assert all(
        rf"\x{ord(each) - 0xDC00:02x}" in shown for each in given if "\udc80" <= each <= "\udcff"
    )


@given(st.text())
def test_nothing_that_a_terminal_obeys_is_left(text):
    kept = printable(text)
    assert {c for c in kept if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")} <= {"\t", "\n"}
    assert {c for c in kept if unicodedata.bidirectional(c) in OVERRIDES} == set()
    assert not {"\t", "\n"} & set(one_line(text))


OVERRIDES = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


@given(st.text(st.characters(categories=("L", "M", "N", "P", "S", "Zs"))))
def test_plain_text_of_any_script_stays_as_it_is(text):
    assert printable(text) == text


def test_joiners_within_words_and_emoji_stay():
    for text in ("\u0645\u06cc\u200c\u062e", "\N{WOMAN}\u200d\N{MICROSCOPE}"):
        assert printable(text) == text


def test_long_words_and_lines_lose_their_middle_and_others_stay():
    plain = f"{'a' * 300} {'b ' * 500}\n{'c ' * 700}\n"
    assert shortened(plain) == plain
    assert shortened("a" * 150 + "b" * 151) == f"{'a' * 100}…{'b' * 60}"
    assert shortened("ab " * 501) == f"{('ab ' * 501)[:1000]} … {('ab ' * 501)[-400:]}"
