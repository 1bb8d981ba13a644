"""Where a row goes depends on its content alone."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.errors import OptionError
from millrace.components.example_gen.shards.splits import (
    DEFAULT_SHARES,
    SplitRule,
    canonical,
    is_folder_name,
    is_split_name,
    split_in,
)

RULE = SplitRule.of("step", DEFAULT_SHARES)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("training_set", "train"),
        ("Training Set", "train"),
        ("train", "train"),
        ("val", "eval"),
        ("VALID", "eval"),
        ("validation", "eval"),
        ("dev-set", "eval"),
        ("test_set", "test"),
        ("testing", "test"),
        ("holdout", "holdout"),
        ("Extra", "Extra"),
    ],
)
def test_usual_names_of_splits_become_train_eval_and_test(name, split):
    assert canonical(name) == split
    assert is_split_name(name) == (split in DEFAULT_SHARES)


def test_a_folder_name_has_no_separators():
    assert is_folder_name("train_2.b-c")
    assert not any(map(is_folder_name, ["", ".", "..", "a/b", "a b", "../x"]))


@given(content=st.binary(), shares=st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_a_row_goes_where_the_hash_of_its_content_points(content, shares):
    named = {f"s{i}": share / sum(shares) for i, share in enumerate(shares)}
    point = int.from_bytes(hashlib.sha256(content).digest()[:8]) / 2**64
    split = SplitRule.of("step", named).choose("", content)
    below = sum(list(named.values())[: int(split[1:])])
    assert below - 1e-9 <= point <= below + named[split] + 1e-9


@given(st.lists(st.binary(), unique=True), st.lists(st.binary()))
def test_no_row_moves_when_rows_are_added(rows, added):
    before = {row: RULE.choose("", row) for row in rows}
    after = {row: RULE.choose("", row) for row in [*added, *rows, *added]}
    assert {row: after[row] for row in rows} == before


def test_shares_come_out_within_four_standard_deviations():
    chosen = [RULE.choose("", str(i).encode()) for i in range(10_000)]
    for split, share in DEFAULT_SHARES.items():
        deviation = (10_000 * share * (1 - share)) ** 0.5
        assert abs(chosen.count(split) - 10_000 * share) < 4 * deviation


def test_a_given_split_is_kept():
    assert RULE.choose("test", b"x") == "test"
    assert RULE.choose("train", b"x") == "train"
    assert RULE.reachable({"train", "test"}) == ["test", "train"]


def test_eval_is_held_out_of_train_only_where_there_is_none():
    rule = SplitRule.of("step", DEFAULT_SHARES, eval_from_train=0.25)
    alone = rule.for_given({"train", "test"})
    chosen = [alone.choose("train", str(i).encode()) for i in range(4_000)]
    assert set(chosen) == {"train", "eval"}
    assert abs(chosen.count("eval") - 1_000) < 4 * (4_000 * 0.25 * 0.75) ** 0.5
    assert alone.reachable({"train", "test"}) == ["eval", "test", "train"]
    with_own = rule.for_given({"train", "eval"})
    assert {with_own.choose("train", str(i).encode()) for i in range(100)} == {"train"}


def test_rows_without_a_split_reach_every_share():
    assert RULE.reachable({""}) == ["eval", "test", "train"]
    assert SplitRule.of("step", {"train": 1.0}).reachable({"", "extra"}) == ["extra", "train"]


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        (
            {"train": 0.8, "test": 0.4},
            r"^step, option splits: expected shares above 0 that sum to 1\. "
            r"Received: .*, which sum to 1\.2\. Change a share or leave it out\.$",
        ),
        ({"train": 1.0, "test": 0.0}, "shares above 0"),
        ({"train": float("nan"), "test": 0.5}, "shares above 0"),
        ({}, "which sum to 0"),
        ({"a/b": 1.0}, r"distinct names of letters.*Received: 'a/b'"),
        ({"val": 0.5, "dev": 0.5}, r"distinct names.*Received: 'val', 'dev'"),
    ],
)
def test_shares_that_are_none_are_refused(shares, message):
    with pytest.raises(OptionError, match=message):
        SplitRule.of("step", shares)


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_all_of_train_cannot_be_held_out(share):
    with pytest.raises(OptionError, match=r"eval_from_train: expected a share from 0 to below 1"):
        SplitRule.of("step", DEFAULT_SHARES, share)


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("data/raw/Training/x.csv", "train"),
        ("sign_mnist_train.csv", "train"),
        ("CityTrain.csv", "train"),
        ("TRAINData.csv", "train"),
        ("x-valid-2020.csv", "eval"),
        ("x_dev.tsv", "eval"),
        ("test2.csv", "test"),
        ("my.testing.csv.gz", "test"),
        ("dev/train/x.csv", "train"),  # the nearest folder
        ("train/test_site.csv", "train"),
        ("fold1-train/x.csv", "train"),
        ("train_test.csv", ""),  # both
        ("trainers.csv", ""),
        ("latest.csv", ""),
        ("contest.csv", ""),
    ],
)
def test_a_path_speaks_of_a_split_by_a_whole_word(path, split):
    assert split_in(path) == split
