"""The trials of a search, one after another or some at once, each in its own process."""

import dataclasses
import logging
import math
import os
import subprocess
import time
from collections.abc import Mapping, Sequence

from etils.epath import Path

from millrace.components.errors import OptionError
from millrace.components.tuning import study as studies
from millrace.components.tuning import trial as trials
from millrace.components.tuning.study import Direction, Proposal, Study, TrialOutcome
from millrace.components.tuning.trial import TrialTask

logger = logging.getLogger("millrace.components.tuner")

_POLL = 0.2  # seconds
_DIGITS = 5


@dataclasses.dataclass(frozen=True)
class Search:
    """How a search goes on.

    Attributes:
        task: what every trial trains, without the settings that differ.
        folder: outlives a kill; holds the study and `trial-<n>`.
        trials: how many to finish, those of an earlier process included.
        parallel: how many at once.
        objective: a column of the history.
        direction: whether less of it is better.
        trial_seconds: seconds after which a trial is given up; None waits.
        seconds: seconds after which no further trial begins; None is no limit.
    """

    task: TrialTask
    folder: Path
    trials: int
    parallel: int
    objective: str
    direction: Direction
    trial_seconds: float | None
    seconds: float | None


@dataclasses.dataclass
class _Running:
    """A trial under way."""

    proposal: Proposal
    folder: Path
    process: subprocess.Popen[bytes]
    started: float
    seen: int = 0  # epochs that the study knows of

    def stop(self) -> None:
        """Kill it, if it lives, and let go of its pipe."""
        self.process.kill()
        self.process.communicate()


def run(search: Search, study: Study) -> list[TrialOutcome]:
    """Run trials until there are as many as requested, and return what came of each.

    Raises:
        OptionError: the objective is not among the figures of an epoch.
    """
    start = time.monotonic()
    waiting = study.unfinished()
    if finished := study.outcomes():
        logger.info("going on after %d finished trials", len(finished))
    running: list[_Running] = []
    try:
        while True:
            is_late = search.seconds is not None and time.monotonic() - start > search.seconds
            _fill(search, study, waiting, running, is_late=is_late)
            if not running:
                return study.outcomes()
            time.sleep(_POLL)
            for one in list(running):
                if (outcome := _look(search, study, one)) is not None:
                    running.remove(one)
                    one.stop()
                    study.tell(outcome)
                    _tidy(one.folder)
                    _say(search, study, outcome)
    finally:
        for one in running:
            one.stop()


def _fill(
    search: Search,
    study: Study,
    waiting: list[Proposal],
    running: list[_Running],
    *,
    is_late: bool,
) -> None:
    while len(running) < search.parallel:
        if waiting:
            proposal = waiting.pop(0)
        elif not is_late and len(study.outcomes()) + len(running) < search.trials:
            proposal = study.ask()
        else:
            return
        said = ", ".join(f"{way}={text}" for way, text in proposal.settings.items())
        logger.info("trial %d of %d: %s", proposal.number + 1, search.trials, said)
        folder = search.folder / f"trial-{proposal.number:04d}"
        task = dataclasses.replace(
            search.task, settings={**search.task.settings, **proposal.settings}
        )
        process = trials.start(task, folder, _environment(search.parallel))
        running.append(_Running(proposal, folder, process, time.monotonic()))


def _look(search: Search, study: Study, one: _Running) -> TrialOutcome | None:
    """What came of a trial, or None while it goes on."""
    seconds = time.monotonic() - one.started
    ended = one.process.poll()
    rows = trials.history(one.folder)
    values = _values(rows, search.objective)
    is_hopeless = _report(study, one, values)
    outcome = TrialOutcome(one.proposal.number, "failed", one.proposal.settings, seconds=seconds)
    if ended is None and is_hopeless:
        return dataclasses.replace(outcome, state="pruned", value=values[-1], epoch=len(values))
    if ended is None:
        if search.trial_seconds is None or seconds < search.trial_seconds:
            return None
        return dataclasses.replace(outcome, error=f"gave up after {search.trial_seconds:g} s")
    if ended:
        return dataclasses.replace(outcome, error=trials.reason(one.folder, ended))
    return _completed(outcome, values, search)


def _completed(outcome: TrialOutcome, values: Sequence[float], search: Search) -> TrialOutcome:
    finite = [(value, epoch) for epoch, value in enumerate(values, start=1) if math.isfinite(value)]
    if not finite:
        return dataclasses.replace(outcome, error=f"{search.objective} was never a number")
    sign = 1 if search.direction == "minimize" else -1
    value, epoch = min(finite, key=lambda pair: (sign * pair[0], pair[1]))
    return dataclasses.replace(outcome, state="complete", value=value, epoch=epoch)


def _values(rows: Sequence[Mapping[str, float]], objective: str) -> list[float]:
    if rows and objective not in rows[0]:
        known = ", ".join(name for name in rows[0] if name != "epoch")
        raise OptionError(
            f"tuner.objective: expected a figure of each epoch: {known}. Received: {objective!r}. "
            "Set tuner.objective to one of these; those in val_ need an eval split."
        )
    return [row[objective] for row in rows]


def _report(study: Study, one: _Running, values: Sequence[float]) -> bool:
    """Tell the study of the epochs that it does not know; whether to go on is of no use."""
    is_hopeless = False
    for epoch, value in enumerate(values[one.seen :], start=one.seen + 1):
        if math.isfinite(value):
            is_hopeless = study.report(one.proposal.number, epoch, value) or is_hopeless
    one.seen = len(values)
    return is_hopeless


def _tidy(folder: Path) -> None:
    """Keep of a finished trial its history and its log."""
    for part in (folder / "resume", folder / "out" / "Format-Keras", folder / "out" / "logs"):
        part.rmtree(missing_ok=True)


def _say(search: Search, study: Study, outcome: TrialOutcome) -> None:
    number = outcome.number + 1
    if outcome.state == "failed":
        logger.warning("trial %d failed: %s", number, outcome.error)
        return
    said = f"trial {number} {outcome.state}: {search.objective} {outcome.value:.{_DIGITS}g}"
    best = studies.best(study.outcomes(), search.direction)
    if best is not None and best.number != outcome.number:
        said += f" (best {best.value:.{_DIGITS}g}, trial {best.number + 1})"
    logger.info("%s in %.0f s", said, outcome.seconds)


def _environment(parallel: int) -> dict[str, str]:
    """Shares the cores and a GPU's memory among trials that run at once."""
    if parallel == 1:
        return {}
    cores = str(max(1, (os.cpu_count() or 1) // parallel))
    return {
        "TF_NUM_INTRAOP_THREADS": cores,
        "TF_NUM_INTEROP_THREADS": cores,
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    }
