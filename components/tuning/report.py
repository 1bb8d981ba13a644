"""What a search leaves to be read: a table of its trials, and a picture of them."""

import csv
import io
import math
from collections.abc import Sequence

from etils.epath import Path
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from millrace.components.charts import style
from millrace.components.tuning.space import Choice, Range, Space
from millrace.components.tuning.study import Direction, TrialOutcome

_ACROSS = 3  # panels


def write_table(outcomes: Sequence[TrialOutcome], ways: Sequence[str], file: Path) -> None:
    """Write a CSV row per trial: number from 1, state, value, epoch, seconds, settings, error."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", "state", "value", "epoch", "seconds", *ways, "error"])
    for one in outcomes:
        value = "" if math.isnan(one.value) else one.value
        settings = [one.settings.get(way, "") for way in ways]
        seconds = round(one.seconds, 1)
        head = (one.number + 1, one.state, value, one.epoch, seconds)
        writer.writerow([*head, *settings, one.error])
    file.write_text(text.getvalue())


def best_so_far(outcomes: Sequence[TrialOutcome], direction: Direction) -> list[tuple[int, float]]:
    """The trial, from 1, and the best value up to it, for each complete trial."""
    better = min if direction == "minimize" else max
    found: list[tuple[int, float]] = []
    for one in outcomes:
        if one.state == "complete":
            found.append((one.number + 1, better(one.value, found[-1][1]) if found else one.value))
    return found


def draw(
    outcomes: Sequence[TrialOutcome], space: Space, objective: str, direction: Direction, file: Path
) -> None:
    """Draw the objective trial by trial, then against each option."""
    panels = 1 + len(space)
    rows, columns = -(-panels // _ACROSS), min(panels, _ACROSS)
    figure, grid = style.panels((4.5 * columns, 3.5 * rows), rows, columns)
    for axes in grid[panels:]:
        axes.set_visible(False)
    _draw_trials(grid[0], outcomes, direction)
    complete = [one for one in outcomes if one.state == "complete"]
    for axes, (way, one) in zip(grid[1:panels], space.items(), strict=True):
        _draw_option(axes, way, one, complete)
    for axes in grid[:panels]:
        axes.set_ylabel(objective)
    style.write(figure, file)


def _draw_trials(axes: Axes, outcomes: Sequence[TrialOutcome], direction: Direction) -> None:
    for state, marker, colour in (
        ("complete", "o", style.MODEL),
        ("pruned", "x", style.VERMILION),
    ):
        some = [one for one in outcomes if one.state == state]
        if some:
            numbers, values = [one.number + 1 for one in some], [one.value for one in some]
            axes.scatter(numbers, values, marker=marker, color=colour, label=state)
    steps = best_so_far(outcomes, direction)
    numbers, best = [n for n, _ in steps], [v for _, v in steps]
    axes.step(numbers, best, where="post", color=style.TRUTH, label="best so far")
    axes.legend()
    axes.set(title="trials", xlabel="trial")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_option(
    axes: Axes, way: str, one: Choice | Range, outcomes: Sequence[TrialOutcome]
) -> None:
    axes.set_title(way)
    values = [outcome.value for outcome in outcomes]
    texts = [outcome.settings[way] for outcome in outcomes]
    if isinstance(one, Choice):
        axes.scatter([one.values.index(text) for text in texts], values, color=style.MODEL)
        axes.set_xticks(range(len(one.values)), one.values, rotation=45)
        return
    axes.scatter([float(text) for text in texts], values, color=style.MODEL)
    if one.is_log:
        axes.set_xscale("log")
    axes.set_xlim(one.low, one.high)


def keep_logs(outcomes: Sequence[TrialOutcome], trials: Path, out: Path) -> None:
    """Copy the logs of the failed trials from their folders below `trials` to `out`."""
    for one in outcomes:
        log = trials / f"trial-{one.number:04d}" / "log.txt"
        if one.state == "failed" and log.exists():
            out.mkdir(parents=True, exist_ok=True)
            log.copy(out / f"trial-{one.number + 1}.txt", overwrite=True)
