"""What a row adds up and what a table shows of several rounds."""

from benchmarks.race_processes import Spent
from benchmarks.race_table import AGAIN, WHOLE, markdown, rows

OURS = {
    "csv_example_gen": Spent(1.0, 2.0, 300.0),
    "schema_gen": Spent(0.25, 0.25, 310.0),
    "example_validator": Spent(0.5, 0.25, 320.0),
    "analyze": Spent(0.5, 0.5, 330.0),
    "transform": Spent(2.0, 2.0, 900.0),
    "trainer": Spent(3.0, 4.0, 1000.0),
    WHOLE: Spent(8.0, 10.0, 1000.0),
    AGAIN: Spent(1.0, 1.0, 90.0),
}
THEIRS = {
    "CsvExampleGen": Spent(10.0, 9.0, 1100.0),
    "Transform": Spent(20.0, 19.0, 1200.0),
    "Trainer": Spent(15.0, 15.0, 1300.0),
    WHOLE: Spent(50.0, 48.0, 1300.0),
    AGAIN: Spent(8.0, 8.0, 1000.0),
}


def test_a_row_adds_up_its_steps_and_has_the_most_memory_of_them():
    found = rows(OURS)
    assert found["schema, validation"] == Spent(0.75, 0.5, 320.0)
    assert found["analyze + transform"] == Spent(2.5, 2.5, 900.0)


def test_the_time_of_no_step_and_that_of_all_but_the_trainer_come_from_the_whole_run():
    found = rows(OURS)
    assert found["start, end, between"] == Spent(0.75, 1.0, 0.0)
    assert found["all but the trainer"] == Spent(5.0, 6.0, 900.0)


def test_a_step_that_a_racer_has_not_is_no_row_of_it():
    assert list(rows(THEIRS)) == [
        *("ingest", "analyze + transform", "trainer"),
        *("start, end, between", "all but the trainer", WHOLE, AGAIN),
    ]


def cells(text, row):
    lines = [line.strip("| ").split(" | ") for line in text.splitlines()]
    return next(line[1:] for line in lines if line[0] == row)


def test_a_table_has_medians_and_the_median_of_the_rounds_ratios():
    def ours(wall):
        return {**OURS, "csv_example_gen": Spent(wall, 2.0, 300.0)}

    def theirs(wall):
        return {**THEIRS, "CsvExampleGen": Spent(wall, 8.0, 1200.0)}

    rounds = {
        "TFX": [theirs(10.0), theirs(20.0), theirs(12.0)],
        "millrace": [ours(1.0), ours(1.0), ours(6.0)],
    }
    assert cells(markdown(rounds), "ingest") == [
        *("12.00", "1.00", "0.10"),
        *("8.00", "2.00", "0.25"),
        *("1,200", "300", "0.25"),
    ]


def test_what_only_one_has_gets_no_ratio_and_neither_does_the_trainer():
    text = markdown({"TFX": [THEIRS], "millrace": [OURS]})
    assert cells(text, "analyze")[:3] == ["-", "0.50", "-"]
    assert cells(text, "trainer")[:3] == ["15.00", "3.00", ""]
    assert cells(text, "start, end, between")[-3:] == ["-", "-", "-"]


def test_a_racer_alone_has_no_ratios():
    head, _, first, *_ = markdown({"millrace": [OURS]}).splitlines()
    assert head == "|  | millrace, wall s | millrace, CPU s | millrace, MiB |"
    assert first == "| ingest | 1.00 | 2.00 | 300 |"
