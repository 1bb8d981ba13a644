"""Which folders are versions, and which of them a policy selects."""

from etils.epath import Path
from hypothesis import given
from hypothesis import strategies as st

from millrace.serving.versions import All, Latest, Specific, choose, on_disk

FOUND = st.dictionaries(st.integers(0, 30), st.builds(Path), max_size=8)


def test_a_version_is_a_folder_with_a_number_for_a_name(tmp_path):
    for name in ("00000123", "7", "-1", "1.5", "٣", "latest", ".withdrawn", "9" * 30):
        (tmp_path / name).mkdir()
    (tmp_path / "8").touch()
    assert {n: path.name for n, path in on_disk(Path(tmp_path)).items()} == {
        123: "00000123",
        7: "7",
    }


def test_of_two_folders_with_the_same_number_one_counts(tmp_path):
    for name in ("007", "7"):
        (tmp_path / name).mkdir()
    assert {n: path.name for n, path in on_disk(Path(tmp_path)).items()} == {7: "7"}


def test_a_missing_base_path_is_not_an_empty_one(tmp_path):
    assert on_disk(Path(tmp_path) / "none") is None
    assert on_disk(Path(tmp_path)) == {}


@given(FOUND, st.integers(1, 10))
def test_latest_selects_the_highest(found, count):
    assert sorted(choose(Latest(count), found)) == sorted(found)[-count:]


@given(FOUND)
def test_all_selects_all(found):
    assert choose(All(), found) == found


@given(FOUND, st.frozensets(st.integers(0, 30)))
def test_specific_selects_those_that_exist(found, wanted):
    assert set(choose(Specific(wanted), found)) == wanted & set(found)
