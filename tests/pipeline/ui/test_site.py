"""Roots by the names that stand in addresses."""

import pytest

from millrace.pipeline.errors import UsageError
from millrace.pipeline.root import Root
from millrace.pipeline.ui.site import Site


def test_a_root_is_named_by_its_folder_and_a_hidden_one_by_that_above_too(tmp_path):
    folders = [
        tmp_path / name for name in ("a/.millrace", "b/runs", "c/runs", "d/runs", "e/my runs")
    ]
    for folder in folders:
        folder.mkdir(parents=True)
    site = Site([Root(folder) for folder in folders])
    site.close()
    assert list(site.roots) == ["a-millrace", "runs", "runs-2", "runs-3", "my-runs"]


def test_a_root_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UsageError, match="expected a folder that `millrace run` has written"):
        Site([Root(tmp_path / "none")])
