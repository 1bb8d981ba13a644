"""A network that is worth trying, and how it is trained."""

import dataclasses
from collections.abc import Collection
from typing import Any, TypeVar

from millrace.components.models.options import Network
from millrace.components.training.options import ADAM, Optimizer
from millrace.components.training.plan import TrainingPlan
from millrace.components.training.schedule_options import Schedule

Options = TypeVar("Options", Optimizer, Schedule)
_PATIENCE = "early_stopping.patience"


@dataclasses.dataclass(frozen=True)
class Candidate:
    """What a candidate says takes the place of the trainer's options; None leaves these.

    What a person set is the exception: see `yielding`.

    Attributes:
        name: a word, for people; no two candidates of a kind share one.
        model: the network.
        epochs: at most; those of the trainer's options, where these are fewer.
        batch_size: examples per step.
        learning_rate: the first one.
        optimizer: how the weights follow their gradients.
        schedule: how the rate changes.
        patience: of early stopping.
    """

    name: str
    model: Network
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    optimizer: Optimizer | None = None
    schedule: Schedule | None = None
    patience: int | None = None

    def yielding(self, plan: TrainingPlan, held: Collection[str]) -> "Candidate":
        """The same candidate, which says nothing of the options `held`, as a person set them.

        Args:
            plan: by the trainer's options.
            held: these by name, or by the way to a field in one, such as `schedule.warmup`.
        """
        descent = plan.descent
        own = self.optimizer or ADAM  # that the rate is meant for
        other = "optimizer" in held and descent.optimizer.kind != own.kind
        return dataclasses.replace(
            self,
            epochs=None if "epochs" in held else self.epochs,
            batch_size=None if "batch_size" in held else self.batch_size,
            learning_rate=None if other or "learning_rate" in held else self.learning_rate,
            optimizer=_kept(self.optimizer, descent.optimizer, "optimizer", held),
            schedule=_kept(self.schedule, descent.schedule, "schedule", held),
            patience=None if {"early_stopping", _PATIENCE} & {*held} else self.patience,
        )

    def applied(self, plan: TrainingPlan) -> TrainingPlan:
        """`plan` for this network."""
        descent, stopping = plan.descent, plan.watching.early_stopping
        if self.patience is not None:
            stopping = dataclasses.replace(stopping, patience=self.patience)
        return dataclasses.replace(
            plan,
            model=self.model,
            epochs=min(plan.epochs, self.epochs or plan.epochs),
            batch_size=self.batch_size or plan.batch_size,
            watching=dataclasses.replace(plan.watching, early_stopping=stopping),
            descent=dataclasses.replace(
                descent,
                optimizer=self.optimizer or descent.optimizer,
                learning_rate=self.learning_rate or descent.learning_rate,
                schedule=self.schedule or descent.schedule,
            ),
        )

    @property
    def settings(self) -> str:
        """The options of the trainer that train this network alone, as after `--set`."""
        named: dict[str, Any] = {
            "model": self.model.kind,
            **{f"model.{name}": value for name, value in changed(self.model).items()},
        }
        for option in ("optimizer", "schedule"):
            if value := getattr(self, option):
                named[option] = value.kind
                named |= {f"{option}.{name}": each for name, each in changed(value).items()}
        for option in ("epochs", "batch_size", "learning_rate"):
            if value := getattr(self, option):
                named[option] = value
        if self.patience is not None:
            named["early_stopping.patience"] = self.patience
        return " ".join(f"trainer.{name}={_text(value)}" for name, value in named.items())


def _kept(
    own: Options | None, set_to: Options, option: str, held: Collection[str]
) -> Options | None:
    """What a candidate says of `option`, with the fields that are held as they are set."""
    if own is None or option in held:
        return None
    ways = [way.removeprefix(f"{option}.") for way in held if way.startswith(f"{option}.")]
    if not all(hasattr(own, way) for way in ways):  # of another kind
        return None
    return dataclasses.replace(own, **{way: getattr(set_to, way) for way in ways})


def changed(options: Any) -> dict[str, Any]:
    """The fields of a dataclass that differ from their defaults, its `kind` aside."""
    return {
        field.name: value
        for field in dataclasses.fields(options)
        if field.name != "kind" and (value := getattr(options, field.name)) != field.default
    }


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "[]"
    return str(value).lower() if isinstance(value, bool) else str(value)
