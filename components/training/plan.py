"""Everything that decides what a training comes to, settled before Keras is imported."""

import dataclasses
import hashlib
from collections.abc import Iterable

from etils.epath import Path

from millrace.components.artifacts import Examples
from millrace.components.errors import DataError, OptionError
from millrace.components.features.spec import Spec
from millrace.components.models.image_options import Augment
from millrace.components.models.options import Network
from millrace.components.training.objective import Objective
from millrace.components.training.options import Descent, Strategy, Watching
from millrace.components.user_code import calls


@dataclasses.dataclass(frozen=True)
class Split:
    """The files of a split, and how many examples they hold."""

    files: tuple[Path, ...]
    count: int

    @classmethod
    def of(cls, examples: Examples, name: str) -> "Split":
        """The split of `examples` called `name`."""
        return cls(tuple(examples.files(name)), examples.counts[name])

    @classmethod
    def to_train_on(cls, examples: Examples) -> "Split":
        """The train split of `examples`.

        Raises:
            DataError: it is empty.
        """
        if not examples.counts.get("train"):
            raise DataError(
                f"{examples.path}: expected examples in the train split. Received: "
                f"{examples.counts}. See what `transform` set aside."
            )
        return cls.of(examples, "train")


@dataclasses.dataclass(frozen=True)
class TrainingPlan:
    """What is to be trained, on what and how long.

    Attributes:
        warm_start: a `.keras` file with the first weights.
        buffer: examples shuffled among one another; None is as many as fit 256 MiB.
        balanced: whether each class weighs the same, however many examples it has.
        strategy: on what it is trained, by TensorFlow's names.
        metrics, callbacks: beside those that it has, see `user_code.calls`.

    Raises:
        OptionError: `stop_at` or `monitor` names a metric that there will not be, or other
            options do not fit one another.
    """

    spec: Spec
    model: Network
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
    strategy: Strategy = "none"
    metrics: tuple[str, ...] = ()
    callbacks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.descent.optimizer.check()
        validated = self.validation is not None
        known = metric_names(self.objective, self.top_k, self.metrics, validated=validated)
        self._check_pieces(known)
        for option, names in (
            ("stop_at", self.watching.stop_at),
            ("monitor", [self.watching.monitor]),
        ):
            _check_known(option, names, known)
        if self.objective.task != "classification" and (self.top_k or self.balanced):
            raise OptionError(
                f"trainer.top_k, trainer.class_weight: expected 0 and none for a "
                f"{self.objective.task}. Received: {self.top_k}, "
                f"{'balanced' if self.balanced else 'none'}. Only a classification has classes."
            )
        if self.top_k and self.top_k >= self.objective.classes:
            raise OptionError(
                f"trainer.top_k: expected less than the {self.objective.classes} classes. "
                f"Received: {self.top_k}. It would always be 1."
            )
        if self.augment.mixes and self.batch_size == 1:
            raise OptionError(
                "trainer.batch_size: expected 2 or more with trainer.augment.mixup or cutmix, "
                "which mix the pictures of a batch. Received: 1. Raise it, or leave these out."
            )
        descent = self.descent
        scaled = descent.precision == "mixed_float16" and descent.optimizer.clips
        if scaled and self.strategy != "none":
            raise OptionError(
                f"trainer.precision: expected another than mixed_float16 where gradients are "
                f"clipped under trainer.strategy={self.strategy}. Received: mixed_float16. Use "
                "mixed_bfloat16, or leave the clipping out."
            )

    def _check_pieces(self, known: list[str]) -> None:
        """Refuse pieces that do not go together."""
        twice = [name for name in known if known.count(name) > 1]
        if twice:
            raise OptionError(
                f"trainer.metrics: expected each name once. Received: {twice[0]} twice. Leave one "
                "out, or name it: AUC(name='of_ranks')."
            )
        if self.strategy == "none":
            return
        for option, received in (
            ("trainer.callbacks", ", ".join(self.callbacks)),
            ("trainer.optimizer", self.descent.optimizer.clips_in_brackets and "clipping in it"),
        ):
            if received:
                raise OptionError(
                    f"{option}: expected none with trainer.strategy={self.strategy}, whose loop "
                    f"is another than that of Model.fit. Received: {received}. Leave it out, or "
                    "set trainer.strategy=none."
                )

    @property
    def text(self) -> str:
        """A digest of the whole plan: a state saved under another one is not resumed."""
        return hashlib.sha256(repr(self).encode()).hexdigest()

    @property
    def steps(self) -> int:
        """Batches per epoch; the last may be smaller."""
        return -(-self.train.count // self.batch_size)


def metric_names(
    objective: Objective, top_k: int, others: Iterable[str] = (), *, validated: bool
) -> list[str]:
    """What Keras will call the figures of an epoch."""
    figures = ["accuracy"] if objective.classes else ["mae", "mse"]
    names = ["loss", *figures, *([f"top_{top_k}_accuracy"] if top_k else [])]
    names += [calls.parse(text).label for text in others]
    return [*names, *(f"val_{name}" for name in names if validated)]


def _check_known(option: str, names: Iterable[str], known: list[str]) -> None:
    for name in names:
        if name not in known:
            raise OptionError(
                f"trainer.{option}: expected metrics among {', '.join(known)}. "
                f"Received: {name!r}. Metrics in val_ need a split named by trainer.validation."
            )
