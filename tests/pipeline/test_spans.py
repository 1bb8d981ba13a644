"""A pattern as data: the newest span, or several as one folder."""

import pytest

from millrace.components.files.walk import walk
from millrace.pipeline import spans
from millrace.pipeline.dag import Dag, Source
from millrace.pipeline.errors import UsageError
from tests.pipeline import toys


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
    assert list(walk(toy.root.path / folder)) == ["00000-2024-01-31.csv", "00001-2024-02-01.csv"]
    assert (toy.root.path / folder / "00001-2024-02-01.csv").read_text() == "2024-02-01"
    assert spans.resolve(toy.root, days, "2024-01-31..") == folder
    assert spans.resolve(toy.root, days, "latest:3") != folder


def test_folders_of_the_same_name_come_together(toy, tmp_path):
    for number in (1, 2):
        for name in ("cat", "dog"):
            (tmp_path / f"span-{number}" / name).mkdir(parents=True)
            (tmp_path / f"span-{number}" / name / "1.png").write_text("")
    folder = spans.resolve(toy.root, str(tmp_path / "span-{SPAN}"), "1..2")
    assert list(walk(toy.root.path / folder)) == [
        *("cat/00000-1.png", "cat/00001-1.png"),
        *("dog/00000-1.png", "dog/00001-1.png"),
    ]


def test_spans_that_are_not_there_and_spans_of_a_plain_path_are_refused(toy, days):
    with pytest.raises(UsageError, match=r"--data .*expected one span or more\. Received: none"):
        spans.resolve(toy.root, days, "2025-01-01")
    with pytest.raises(UsageError, match=r"--spans 1: expected a --data with {SPAN} .*Received: a"):
        spans.resolve(toy.root, "a.csv", "1")


def test_a_file_that_has_gone_from_its_span_is_gone_from_the_folder(toy, tmp_path):
    for number in (1, 2):
        (tmp_path / f"span-{number}" / "cat").mkdir(parents=True)
        for name in ("1.png", "2.png"):
            (tmp_path / f"span-{number}" / "cat" / name).write_text(name)
    pattern = str(tmp_path / "span-{SPAN}")
    folder = spans.resolve(toy.root, pattern, "latest:2")
    assert len(walk(toy.root.path / folder)) == 4
    (tmp_path / "span-1" / "cat" / "1.png").unlink()
    assert spans.resolve(toy.root, pattern, "latest:2") == folder
    assert list(walk(toy.root.path / folder)) == [
        f"cat/{name}.png" for name in ("00000-2", "00001-1", "00001-2")
    ]


def run(toy, tmp_path, which="latest"):
    """A run of one step over the spans asked for."""
    data = spans.resolve(toy.root, str(tmp_path / "day-{SPAN}"), which)
    dag = Dag("toy")
    dag.step(toys.read, source=Source(data))
    result = toy.carry_out(dag)
    return result.steps[0].status, result.artifacts["read"].path / "text", toy.observer.reasons


@pytest.mark.parametrize("which", ["latest", "latest:2"])
def test_a_scheduled_run_takes_the_new_day_and_an_old_one_comes_from_the_cache(
    toy, tmp_path, which
):
    for number, text in ((1, "a"), (2, "b")):
        (tmp_path / f"day-{number}").mkdir()
        (tmp_path / f"day-{number}" / "x.txt").write_text(text)
    before = {"latest": "b", "latest:2": "ab"}[which]
    assert run(toy, tmp_path, which)[1].read_text() == before
    assert run(toy, tmp_path, which)[0] == "cached"
    (tmp_path / "day-3").mkdir()
    (tmp_path / "day-3" / "x.txt").write_text("c")
    status, file, reasons = run(toy, tmp_path, which)
    assert (status, file.read_text()) == ("ran", {"latest": "c", "latest:2": "bc"}[which])
    assert reasons["read"] == ["input source changed"]
    old = {"latest": "2", "latest:2": "1..2"}[which]
    status, file, _ = run(toy, tmp_path, old)
    assert (status, file.read_text()) == ("cached", before)
