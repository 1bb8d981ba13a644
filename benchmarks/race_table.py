"""The tables of `benchmarks.race`: medians of the rounds, and ratios within them."""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence

from benchmarks.race_processes import Spent

WHOLE, AGAIN = "whole run", "cached second run"

_TRAINER = "trainer"
# What a row adds up: steps of millrace, and components of TFX, which analyzes in Transform.
_ROWS: Mapping[str, set[str]] = {
    "ingest": {
        *("digits_images", "csv_example_gen", "image_example_gen"),
        *("CsvExampleGen", "ImportExampleGen"),
    },
    "statistics": {"statistics_gen", "StatisticsGen"},
    "schema, validation": {"schema_gen", "example_validator", "SchemaGen", "ExampleValidator"},
    "analyze": {"analyze"},
    "transform": {"transform"},
    "analyze + transform": {"analyze", "transform", "Transform"},
    _TRAINER: {"trainer", "Trainer"},
    "export + infra validation": {"export", "infra_validator"},
    "evaluator": {"evaluator", "Evaluator"},
    "pusher": {"pusher", "Pusher"},
}
_FIGURES: Mapping[str, tuple[Callable[[Spent], float], str]] = {
    "wall s": (lambda spent: spent.wall, ".2f"),
    "CPU s": (lambda spent: spent.cpu, ".2f"),
    "MiB": (lambda spent: spent.memory, ",.0f"),
}

Round = Mapping[str, Spent]  # by step; the two commands as well, by `WHOLE` and `AGAIN`


def rows(once: Round) -> dict[str, Spent]:
    """The rows that one round of one racer fills, in the order of the table."""
    found = {
        name: _together(spent for step, spent in once.items() if step in steps)
        for name, steps in _ROWS.items()
        if not steps.isdisjoint(once)
    }
    whole = once[WHOLE]
    others = _together(spent for step, spent in once.items() if step not in (WHOLE, AGAIN))
    found["start, end, between"] = Spent(whole.wall - others.wall, whole.cpu - others.cpu, 0.0)
    if trainer := found.get(_TRAINER):
        apart = {WHOLE, AGAIN, *_ROWS[_TRAINER]}
        memory = max((spent.memory for step, spent in once.items() if step not in apart), default=0)
        found["all but the trainer"] = Spent(
            whole.wall - trainer.wall, whole.cpu - trainer.cpu, memory
        )
    return {**found, WHOLE: whole, AGAIN: once[AGAIN]}


def markdown(rounds: Mapping[str, Sequence[Round]]) -> str:
    """A table of the racers' `rounds`; the last racer's ratio to each of the others."""
    filled = {name: [rows(once) for once in each] for name, each in rounds.items()}
    *others, ours = filled
    titles = [
        title
        for figure in _FIGURES
        for title in (
            *(f"{name}, {figure}" for name in filled),
            *(f"{ours} / {name}" for name in others),
        )
    ]
    lines = [_line(["", *titles]), _line(["---", *(["---:"] * len(titles))])]
    for row in _in_order(filled.values()):
        cells = [row]
        for value, form in _FIGURES.values():
            of = {
                name: [value(once[row]) for once in each if row in once]
                for name, each in filled.items()
            }
            cells += [_median(of[name], form) for name in filled]
            compared = others if row != _TRAINER else []
            ratios = [_ratios(of[ours], of[name]) for name in compared]
            cells += [_median(each, ".2f") for each in ratios] or [""] * len(others)
        lines.append(_line(cells))
    return "\n".join(lines)


def _together(parts: Iterable[Spent]) -> Spent:
    """One after another."""
    parts = list(parts)
    return Spent(
        sum(one.wall for one in parts),
        sum(one.cpu for one in parts),
        max((one.memory for one in parts), default=0.0),
    )


def _in_order(filled: Iterable[Sequence[Mapping[str, Spent]]]) -> list[str]:
    """The rows that any racer has; all have those that are no step."""
    present = {row for each in filled for once in each for row in once}
    rest = ("start, end, between", "all but the trainer", WHOLE, AGAIN)
    return [row for row in (*_ROWS, *rest) if row in present]


def _ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """By round; none where one has no figure."""
    return [a / b for a, b in zip(ours, theirs, strict=False) if a and b]


def _median(values: Sequence[float], form: str) -> str:
    return format(statistics.median(values), form) if any(values) else "-"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
