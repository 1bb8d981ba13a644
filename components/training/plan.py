"""Everything that decides what a training comes to, settled before Keras is imported."""

import dataclasses
from collections.abc import Iterable

from etils.epath import Path

from components.errors import OptionError
from components.features.spec import ImageSpec
from components.models.options import Augment, Cnn, Dense
from components.training.objective import Objective
from components.training.options import Descent, Watching


@dataclasses.dataclass(frozen=True)
class Split:
    """The files of a split, and how many examples they hold."""

    files: tuple[Path, ...]
    count: int


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be trained, on what and how long.

    Attributes:
        warm_start: a `.keras` file with the first weights.
        buffer: examples shuffled among one another; None is as many as fit 256 MiB.
        balanced: whether each class weighs the same, however many examples it has.

    Raises:
        OptionError: `stop_at` or `monitor` names a metric that there will not be.
    """

    spec: ImageSpec
    model: Dense | Cnn
    augment: Augment
    objective: Objective
    descent: Descent
    watching: Watching
    train: Split
    validation: Split | None
    warm_start: Path | None
    epochs: int
    batch_size: int
    seed: int
    deterministic: bool
    buffer: int | None
    balanced: bool
    top_k: int

    def __post_init__(self) -> None:
        known = metric_names(self.top_k, validated=self.validation is not None)
        for option, names in (
            ("stop_at", self.watching.stop_at),
            ("monitor", [self.watching.monitor]),
        ):
            _check_known(option, names, known)
        if self.top_k >= self.objective.classes:
            raise OptionError(
                f"trainer.top_k: expected less than the {self.objective.classes} classes. "
                f"Received: {self.top_k}. It would always be 1."
            )

    @property
    def text(self) -> str:
        """The whole plan in words: a state saved under another text is not resumed."""
        return repr(self)

    @property
    def steps(self) -> int:
        """Batches per epoch; the last may be smaller."""
        return -(-self.train.count // self.batch_size)


def metric_names(top_k: int, *, validated: bool) -> list[str]:
    """What Keras will call the figures of an epoch."""
    names = ["loss", "accuracy", *([f"top_{top_k}_accuracy"] if top_k else [])]
    return [*names, *(f"val_{name}" for name in names if validated)]


def _check_known(option: str, names: Iterable[str], known: list[str]) -> None:
    for name in names:
        if name not in known:
            raise OptionError(
                f"trainer.{option}: expected metrics among {', '.join(known)}. "
                f"Received: {name!r}. Metrics in val_ need a split named by trainer.validation."
            )
