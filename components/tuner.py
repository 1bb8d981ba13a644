"""Search for the settings of a training that reach the best of some figure.

This module holds the options; the work is in `tuning`, which imports Optuna and is imported when
it runs. Which training that is, the pipeline says by name: a component does not know another.
"""

import logging
from typing import Literal

from etils.epath import Path
from pydantic import JsonValue

from millrace.components.artifacts import Analysis, Examples, Hyperparameters
from millrace.components.errors import ModelError, OptionError
from millrace.components.options.ranges import Count, Positive, Seed
from millrace.components.tuning.hyperparameters import settled
from millrace.components.tuning.space import Space, parse
from millrace.components.user_code import references

logger = logging.getLogger(__name__)

DEFAULTS: dict[str, JsonValue] = {}
NOTHING: dict[str, str] = {}
RATE = {"learning_rate": "log 1e-4..1e-2"}


def tuner(
    examples: Examples,
    analysis: Analysis,
    out: Path,
    resume: Path,
    *,
    train: str,
    base: dict[str, JsonValue] = DEFAULTS,
    search: dict[str, str] = RATE,
    fixed: dict[str, str] = NOTHING,
    trials: Count = 10,
    parallel: Count = 1,
    objective: str = "val_loss",
    direction: Literal["auto", "minimize", "maximize"] = "auto",
    sampler: Literal["tpe", "random"] = "tpe",
    prune: Literal["none", "median"] = "none",
    seed: Seed = 42,
    trial_seconds: Positive | None = None,
    seconds: Positive | None = None,
) -> Hyperparameters:
    """Train with one set of settings after another, and find the best.

    Args:
        examples: transformed records.
        analysis: how they were preprocessed.
        out: gets `best.json`, `trials.csv`, `trials.png` and the logs of failed trials.
        resume: survives a kill; the search goes on there, half-trained trials included.
        train: the component to train with, `package.module:function`.
        base: its options, as plain JSON; those it leaves out have their defaults.
        search: what to draw each option from, such as `log 1e-4..1e-1`, `uniform 0..0.5`,
            `int 16..128 step 16` or `choice 64|128|64,64`, by option or field (`model.units`).
        fixed: settings of the trials alone, such as fewer `epochs`, by option or field.
        trials: how many.
        parallel: how many at once, each in a process of its own; with more than one, which
            settings are tried depends on which trial ends first.
        objective: the figure of an epoch to go by; a trial's value is that of its best epoch.
        direction: whether less of it is better; auto: less of a loss or an error (mae, mse).
        sampler: `tpe` learns from the trials before, `random` does not.
        prune: `median` gives up a trial that falls behind the median of the others.
        seed: of the draws; the same search with the same seed tries the same.
        trial_seconds: seconds after which a trial is given up.
        seconds: seconds after which no further trial begins.

    Raises:
        OptionError: a range or a setting does not fit the component's options, or the
            objective is not among its figures.
        ModelError: no trial came to an end.
    """
    space = {way: parse(text, f"tuner.search.{way}") for way, text in search.items()}
    _check(train, base, fixed, space)
    sign = _direction(objective) if direction == "auto" else direction

    from millrace.components.tuning import report  # Optuna
    from millrace.components.tuning import search as searching
    from millrace.components.tuning.study import Study, best
    from millrace.components.tuning.trial import TrialTask

    task = TrialTask(train, str(examples.path), str(analysis.path), base, fixed)
    plan = searching.Search(task, resume, trials, parallel, objective, sign, trial_seconds, seconds)
    with Study(resume, space, sign, seed, sampler, prune) as study:
        outcomes = searching.run(plan, study)
    winner = best(outcomes, sign)
    if winner is None:
        errors = "; ".join(sorted({one.error for one in outcomes if one.error})) or "no trial ran"
        raise ModelError(
            f"tuner: expected a trial that comes to an end. Received: {len(outcomes)} that did "
            f"not: {errors}. Narrow tuner.search, or give the trials more time."
        )
    report.write_table(outcomes, list(space), out / "trials.csv")
    report.draw(outcomes, space, objective, sign, out / "trials.png")
    report.keep_logs(outcomes, resume, out / "logs")
    said = ", ".join(f"{way}={text}" for way, text in winner.settings.items())
    logger.info("best: trial %d, %s %.5g: %s", winner.number + 1, objective, winner.value, said)
    states = [one.state for one in outcomes]
    return Hyperparameters(out).write_best(
        {
            "settings": winner.settings,
            "objective": objective,
            "value": winner.value,
            "epoch": winner.epoch,
            "trial": winner.number + 1,
            **{state: states.count(state) for state in ("complete", "pruned", "failed")},
        }
    )


def _check(train: str, base: dict[str, JsonValue], fixed: dict[str, str], space: Space) -> None:
    """Refuse at once what would make every trial fail."""
    if not space:
        raise OptionError(
            "tuner.search: expected a range for one option or more. Received: none. For example "
            "`--set 'tuner.search.learning_rate=log 1e-4..1e-1'`."
        )
    component = references.load(train, "tuner.train")
    settled(component, base, fixed, "tuner.fixed")
    for way, one in space.items():
        for text in one.probes:
            settled(component, base, {**fixed, way: text}, "tuner.search")


def _direction(objective: str) -> Literal["minimize", "maximize"]:
    less = ("loss", "mae", "mse")
    return "minimize" if objective.removeprefix("val_") in less else "maximize"
