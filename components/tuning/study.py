"""The search itself: which settings to try next, and what came of those tried; by Optuna.

The study is a SQLite file, so that a search that was killed goes on: finished trials stand, and
unfinished ones are taken up with their own settings. Optuna's samplers start their random
numbers again in each process and would propose the first trials again; here trial `n` is drawn
with a seed made of the search's seed and `n`, so that a search in one process and one in two
halves try the same.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Literal, Self

import numpy as np
import optuna
from etils.epath import Path
from optuna.trial import FrozenTrial, TrialState

from millrace.components.tuning import space as spaces
from millrace.components.tuning.space import Space

Direction = Literal["minimize", "maximize"]
Sampler = Literal["tpe", "random"]
Prune = Literal["none", "median"]

_NAME = "millrace"
_SETTINGS, _ERROR, _SECONDS, _EPOCH = "settings", "error", "seconds", "epoch"


@dataclasses.dataclass(frozen=True)
class Proposal:
    """What to try.

    Attributes:
        number: of the trial, from 0.
        settings: text by option.
    """

    number: int
    settings: dict[str, str]


@dataclasses.dataclass(frozen=True)
class TrialOutcome:
    """What came of a trial.

    Attributes:
        number: of the trial, from 0.
        state: complete, pruned or failed.
        settings: text by option.
        value: of the objective; NaN where there is none.
        epoch: from 1, the one with that value; 0 where there is none.
        seconds: that it took.
        error: why it failed.
    """

    number: int
    state: Literal["complete", "pruned", "failed"]
    settings: dict[str, str]
    value: float = math.nan
    epoch: int = 0
    seconds: float = 0.0
    error: str = ""


class Study:
    """A search over `space` whose state lies in `folder`."""

    def __init__(
        self,
        folder: Path,
        space: Space,
        direction: Direction,
        seed: int,
        sampler: Sampler,
        prune: Prune,
    ) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        pruners: dict[Prune, optuna.pruners.BasePruner] = {
            "none": optuna.pruners.NopPruner(),
            "median": optuna.pruners.MedianPruner(),
        }
        self._space, self._seed, self._sampler = space, seed, sampler
        self._storage = optuna.storages.RDBStorage(f"sqlite:///{folder}/study.db")
        self._study = optuna.create_study(
            storage=self._storage,
            study_name=_NAME,
            direction=direction,
            pruner=pruners[prune],
            load_if_exists=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections to its file."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    def unfinished(self) -> list[Proposal]:
        """The trials that an earlier process left, those to take up first."""
        running = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        return [self._proposal(trial.number) for trial in running]

    def ask(self) -> Proposal:
        """The next settings to try."""
        number = len(self._study.get_trials(deepcopy=False))
        self._study.sampler = self._seeded(number)
        return self._drawn(self._study.ask())

    def report(self, number: int, epoch: int, value: float) -> bool:
        """Note the objective after an epoch, from 1; whether the trial is not worth going on."""
        trial = self._trial(number)
        trial.report(value, epoch)
        return trial.should_prune()

    def tell(self, outcome: TrialOutcome) -> None:
        """Note what came of a trial."""
        trial = self._trial(outcome.number)
        for name, said in (
            (_ERROR, outcome.error),
            (_SECONDS, outcome.seconds),
            (_EPOCH, outcome.epoch),
        ):
            trial.set_user_attr(name, said)
        if outcome.state == "failed":
            self._study.tell(trial, state=TrialState.FAIL)
        elif outcome.state == "pruned":
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, outcome.value)

    def outcomes(self) -> list[TrialOutcome]:
        """What came of the finished trials, by their numbers."""
        return [
            _outcome(trial)
            for trial in self._study.get_trials(deepcopy=False)
            if trial.state.is_finished()
        ]

    def _proposal(self, number: int) -> Proposal:
        self._study.sampler = self._seeded(number)
        return self._drawn(self._trial(number))

    def _drawn(self, trial: optuna.Trial) -> Proposal:
        settings = spaces.draw(trial, self._space)
        trial.set_user_attr(_SETTINGS, settings)
        return Proposal(trial.number, settings)

    def _trial(self, number: int) -> optuna.Trial:
        frozen = self._study.get_trials(deepcopy=False)[number]
        return optuna.Trial(self._study, frozen._trial_id)

    def _seeded(self, number: int) -> optuna.samplers.BaseSampler:
        seed = int(np.random.SeedSequence(self._seed, spawn_key=(number,)).generate_state(1)[0])
        if self._sampler == "random":
            return optuna.samplers.RandomSampler(seed)
        return optuna.samplers.TPESampler(seed=seed)


def best(outcomes: Sequence[TrialOutcome], direction: Direction) -> TrialOutcome | None:
    """The complete trial with the best value, the first of equals; None if none is complete."""
    complete = [outcome for outcome in outcomes if outcome.state == "complete"]
    sign = 1 if direction == "minimize" else -1
    return min(complete, key=lambda one: sign * one.value, default=None)


def _outcome(trial: FrozenTrial) -> TrialOutcome:
    noted = trial.user_attrs
    state: dict[TrialState, Literal["complete", "pruned", "failed"]] = {
        TrialState.COMPLETE: "complete",
        TrialState.PRUNED: "pruned",
    }
    reached = trial.value if trial.value is not None else math.nan
    return TrialOutcome(
        number=trial.number,
        state=state.get(trial.state, "failed"),
        settings=noted.get(_SETTINGS, {}),
        value=reached,
        epoch=noted.get(_EPOCH, 0),
        seconds=noted.get(_SECONDS, 0.0),
        error=noted.get(_ERROR, ""),
    )
