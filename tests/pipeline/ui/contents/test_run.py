"""What the pages and the report show of a run."""

import pytest

from millrace.pipeline.ui.contents import run as run_contents

SAID = "2026-11-29 19:56:40,464 INFO millrace.components.trainer: "


@pytest.mark.parametrize(
    ("line", "text", "share"),
    [
        ("epoch 3/8: loss 1 (0.1 s)", "epoch 3/8: loss 1 (0.1 s)", 0.375),
        ("read 40 % of it", "read 40 % of it", 0.4),
        ("shard 2 of 4", "shard 2 of 4", 0.5),
        ("importing", "importing", None),
        ("9/3 of something", "9/3 of something", None),
    ],
)
def test_how_far_a_step_is_is_what_it_said_last(line, text, share):
    lines = [f"{SAID}before", f"{SAID}{line}", "2026-11-29 19:56:40,464 INFO root: of another"]
    assert run_contents.progress(lines) == {"text": text, "share": share}


def test_of_a_step_that_said_nothing_nothing_is_known():
    assert run_contents.progress(["anything"]) is None


def test_the_end_of_a_log_begins_with_a_whole_line(tmp_path):
    log = tmp_path / "log"
    log.write_text("first\nsecond\nthird\n")
    assert run_contents.tail(log, 10) == ["third"]
    assert run_contents.tail(log, 100) == ["first", "second", "third"]
    assert run_contents.tail(tmp_path / "none", 100) == []
