"""Findings of shards come together, in whatever order the runner takes them."""

from etils.epath import Path

from millrace.components.beam import gathering
from millrace.components.beam.options import BeamOptions


def letters(word):
    return list(word)


def test_what_is_found_in_each_shard_is_gathered_and_no_file_is_left(tmp_path):
    file = Path(tmp_path) / "found"
    found = gathering.gather(["ab", "", "c"], letters, file, BeamOptions())
    assert sorted(found) == ["a", "b", "c"]
    assert not file.exists()


def test_no_shards_give_nothing(tmp_path):
    assert gathering.gather([], letters, Path(tmp_path) / "found", BeamOptions()) == []
