"""The option by which the network is chosen from the data; no Keras, so reading it is cheap."""

import dataclasses
from collections.abc import Iterable
from typing import Any, Literal

from millrace.components.options.ranges import Count


@dataclasses.dataclass(frozen=True)
class Auto:
    """The best of a few networks for the kind of data, by the validation split.

    Which these are, and how long each is trained, follows from the data's kind and size; see
    `components.candidates`. Name another network to train that one alone.

    Attributes:
        tried: how many of them at most, in their order; None is all.
        averaged: how many at most give the answer together, as a weighted average, where that is
            better than the best alone; 1 keeps the best.
        held: options of the trainer that every network is trained with, whatever suits it, by
            name (`batch_size`, `optimizer.clipnorm`). Those that you set are added by themselves.
    """

    tried: Count | None = None
    averaged: Count = 3
    held: tuple[str, ...] = ()
    kind: Literal["auto"] = "auto"


def hold(options: dict[str, Any], ways: Iterable[str]) -> None:
    """Let a trainer's `options` hold for every network, where a person set what `ways` name.

    Args:
        options: values by name; changed in place, where the network is chosen by `auto`.
        ways: options by name, or by the way to a field in one, such as `schedule.warmup`.
    """
    model = options.get("model")
    if isinstance(model, Auto):
        found = {way.removesuffix(".kind") for way in ways if way.partition(".")[0] != "model"}
        options["model"] = dataclasses.replace(model, held=tuple(sorted({*model.held, *found})))
