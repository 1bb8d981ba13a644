"""Openings of texts as prompts, and the page of what was written."""

import pytest
from etils.epath import Path

from millrace.components.evaluating.samples import Sample, opening, write_samples


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("Come all ye maidens young and fair", "Come all ye maidens"),
        ("st of it.\n\nROMEO:\nAy me!", "ROMEO:"),
        ("x" * 90, "x" * 24),
        ("extraordinarily long words here", "extraordinarily long"),
        (" \n", ""),
    ],
)
def test_a_prompt_is_the_beginning_of_a_line(text, prompt):
    assert opening(text) == prompt


def test_the_page_shows_each_prompt_with_its_continuations(tmp_path):
    samples = [Sample("test", 0, "Come", heat, f"Come at {heat:g}") for heat in (0.0, 0.5)]
    write_samples(samples, Path(tmp_path / "samples.txt"))
    assert (tmp_path / "samples.txt").read_text() == (
        "=== split test, prompt 'Come', seed 0\n\n"
        "--- temperature 0\nCome at 0\n\n"
        "--- temperature 0.5\nCome at 0.5\n\n"
    )
