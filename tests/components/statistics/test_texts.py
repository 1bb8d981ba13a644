"""Exact up to the limit; beyond it, within what the sketches promise."""

import pickle
from collections import Counter

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.statistics.texts import EXACT, Texts


def texts_of(*parts, exact=EXACT):
    whole = Texts(exact)
    for part in parts:
        piece = Texts(exact)
        piece.add(pa.array(part, pa.binary()))
        whole.merge(piece)
    return whole


def facts(texts):
    return (
        texts.count,
        texts.bytes,
        texts.shortest,
        texts.longest,
        texts.invalid_utf8,
        texts.unique,
        texts.frequent(),
    )


@given(values=st.lists(st.binary(max_size=3), max_size=60), cut=st.integers(0, 60))
def test_any_partition_gives_the_same_facts(values, cut):
    assert facts(texts_of(values)) == facts(texts_of(values[cut:], values[:cut]))


@given(values=st.lists(st.text(max_size=2), max_size=60))
def test_few_values_are_counted_exactly(values):
    texts = texts_of([value.encode() for value in values])
    assert texts.unique == len(set(values))
    assert dict(texts.frequent()) == Counter(values)


def test_frequent_values_come_by_number_then_by_name():
    texts = texts_of([b"b", b"a", b"c", b"c"])
    assert texts.frequent() == [("c", 2), ("a", 1), ("b", 1)]


def test_sizes_are_in_bytes():
    texts = texts_of(["é".encode(), b"", b"abcd"])
    assert (texts.count, texts.bytes, texts.shortest, texts.longest) == (3, 6, 0, 4)


def test_many_values_are_estimated_alike_for_any_partition():
    values = [f"name {number}".encode() for number in range(40_000)]
    whole = texts_of(values)
    assert abs(whole.unique / 40_000 - 1) < 3 * 0.011
    assert texts_of(values[:5], values[5:]).unique == whole.unique
    assert texts_of(*[values[start::7] for start in range(7)]).unique == whole.unique


def test_among_many_values_only_those_surely_frequent_are_named():
    rare = [f"rare {number}".encode() for number in range(30_000)]
    texts = texts_of(rare[:15_000] + [b"often"] * 9_000, rare[15_000:] + [b"often"] * 1_000)
    [(name, count)] = texts.frequent()
    assert name == "often"
    assert 10_000 <= count <= 10_000 + 0.0003 * texts.count


def test_exactness_depends_on_all_values_not_on_a_part():
    few, more = [b"a", b"b"], [b"c", b"d"]
    assert texts_of(few, few, exact=2).frequent() == [("a", 2), ("b", 2)]
    assert texts_of(few, more, exact=2).unique == 4


def test_pictures_are_opaque_and_never_named():
    texts = texts_of([b"\x89PNG1", b"\x89PNG2", b"\x89PNG2", b"text"])
    assert texts.opaque
    assert (texts.invalid_utf8, texts.unique, texts.frequent()) == (3, 3, [("text", 1)])


def test_a_latin_1_value_among_text_is_counted_and_leaves_the_rest_text():
    texts = texts_of(["£1".encode("latin-1"), b"two", b"two"])
    assert not texts.opaque
    assert (texts.invalid_utf8, texts.frequent()) == (1, [("two", 2)])


def test_long_values_are_counted_and_not_named():
    texts = texts_of([b"x" * 1024, b"y" * 1025])
    assert (texts.unique, texts.frequent()) == (2, [("x" * 1024, 1)])


def test_sketches_survive_the_way_between_workers():
    texts = texts_of([b"a", b"b", b"c", b"c"] * 2_000, exact=1)
    assert facts(pickle.loads(pickle.dumps(texts))) == facts(texts)  # noqa: S301


def test_what_is_exact_needs_no_sketch():
    assert len(pickle.dumps(texts_of([b"a", b"b"]))) < 500
