"""A pattern as data: the newest span, or several as one folder."""

import pytest

from components.example_gen.folders import walk
from pipeline import spans
from pipeline.errors import UsageError


@pytest.fixture
def days(tmp_path):
    for day in ("2024-01-30", "2024-01-31", "2024-02-01"):
        (tmp_path / "sales").mkdir(exist_ok=True)
        (tmp_path / "sales" / f"{day}.csv").write_text(day)
    return str(tmp_path / "sales" / "{YYYY}-{MM}-{DD}.csv")


def test_a_plain_path_stands_for_itself(toy):
    assert spans.resolve(toy.root, "sales.csv", "latest") == "sales.csv"
    assert spans.resolve(toy.root, None, "latest") is None


def test_a_pattern_stands_for_its_newest_span(toy, days):
    assert spans.resolve(toy.root, days, "latest").endswith("2024-02-01.csv")


def test_several_spans_are_one_folder_the_same_each_time(toy, days):
    folder = spans.resolve(toy.root, days, "2024-01-31..")
    assert walk(toy.root.path / folder) == ["00000-2024-01-31.csv", "00001-2024-02-01.csv"]
    assert (toy.root.path / folder / "00001-2024-02-01.csv").read_text() == "2024-02-01"
    assert spans.resolve(toy.root, days, "2024-01-31..") == folder
    assert spans.resolve(toy.root, days, "latest:3") != folder


def test_folders_of_the_same_name_come_together(toy, tmp_path):
    for number in (1, 2):
        for name in ("cat", "dog"):
            (tmp_path / f"span-{number}" / name).mkdir(parents=True)
            (tmp_path / f"span-{number}" / name / "1.png").write_text("")
    folder = spans.resolve(toy.root, str(tmp_path / "span-{SPAN}"), "1..2")
    assert walk(toy.root.path / folder) == [
        *("cat/00000-1.png", "cat/00001-1.png"),
        *("dog/00000-1.png", "dog/00001-1.png"),
    ]


def test_spans_that_are_not_there_and_spans_of_a_plain_path_are_refused(toy, days):
    with pytest.raises(UsageError, match=r"--data .*expected one span or more\. Received: none"):
        spans.resolve(toy.root, days, "2025-01-01")
    with pytest.raises(UsageError, match=r"--spans 1: expected a --data with {SPAN} .*Received: a"):
        spans.resolve(toy.root, "a.csv", "1")
