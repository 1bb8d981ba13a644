"""A network that is worth trying, and how it is trained."""

import dataclasses
from typing import Any

from millrace.components.models.options import Network
from millrace.components.training.options import ADAM, Optimizer
from millrace.components.training.plan import TrainingPlan
from millrace.components.training.schedule_options import CONSTANT, Schedule


@dataclasses.dataclass(frozen=True)
class Candidate:
    """What a candidate says takes the place of the trainer's options; None leaves these.

    Attributes:
        name: a word, for people; no two candidates of a kind share one.
        model: the network.
        epochs: at most; those of the trainer's options, where these are fewer.
        batch_size: examples per step.
        learning_rate: where the trainer's options name none.
        optimizer: how the weights follow their gradients, where the trainer's options leave it.
        schedule: how the rate changes, where the trainer's options leave it constant.
        patience: of early stopping, where the trainer's options leave it open.
    """

    name: str
    model: Network
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    optimizer: Optimizer | None = None
    schedule: Schedule | None = None
    patience: int | None = None

    def applied(self, plan: TrainingPlan) -> TrainingPlan:
        """`plan` for this network."""
        descent = plan.descent
        constant = descent.schedule == CONSTANT
        plain = descent.optimizer == ADAM
        stopping = plan.watching.early_stopping
        if stopping.patience is None:
            stopping = dataclasses.replace(stopping, patience=self.patience)
        return dataclasses.replace(
            plan,
            model=self.model,
            epochs=min(plan.epochs, self.epochs or plan.epochs),
            batch_size=self.batch_size or plan.batch_size,
            watching=dataclasses.replace(plan.watching, early_stopping=stopping),
            descent=dataclasses.replace(
                descent,
                optimizer=self.optimizer if self.optimizer and plain else descent.optimizer,
                learning_rate=descent.learning_rate or self.learning_rate,
                schedule=self.schedule if self.schedule and constant else descent.schedule,
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
