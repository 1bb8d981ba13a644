"""Every number that a person can set has a range, or a reason to have none."""

import dataclasses
import importlib
import inspect
import typing

import pytest

from millrace.components.options import settings
from millrace.components.options.component_spec import MISSING, ComponentSpec
from tests.test_floors import STEPS

FREE = {
    "convolutions.filters",
    *("synthetic_series.level", "synthetic_series.slope", "synthetic_series.amplitude"),
    *("evaluator.at_least", "evaluator.at_most"),  # metrics have ranges of their own
    *("evaluator.change_at_least", "evaluator.change_at_most", "trainer.stop_at"),
}
"""Any finite number."""


def components():
    """The functions of the steps' modules that a DAG takes."""
    for name in sorted(STEPS):
        for found in vars(importlib.import_module(name)).values():
            is_own = inspect.isfunction(found) and found.__module__ == name
            if is_own and not found.__name__.startswith("_") and "out" in found.__annotations__:
                yield found


def numbers(place, annotation):
    """Each annotation of a number below `place`, with its own place."""
    bare = typing.get_args(annotation)[0] if hasattr(annotation, "__metadata__") else annotation
    if bare in (int, float):
        yield place, annotation
    elif dataclasses.is_dataclass(bare):
        hints = typing.get_type_hints(bare, include_extras=True)
        for field in dataclasses.fields(bare):
            yield from numbers(f"{place}.{field.name}", hints[field.name])
    else:
        for inner in typing.get_args(bare):
            yield from numbers(place, inner)


OPTIONS = [
    (f"{component.__name__}.{option}", annotation, default)
    for component in components()
    for option, (annotation, default) in ComponentSpec.of(component).options.items()
]


def test_every_number_has_a_range():
    assert len(OPTIONS) > 150
    lacking = {
        place
        for option, annotation, _ in OPTIONS
        for place, number in numbers(option, annotation)
        if not {"from", "above"} & set(settings.describe(number).split())
    }
    # Shares are held to a sum, a person's own network says what its settings may be.
    held = {place for place in lacking if place.endswith((".splits", ".model.settings"))}
    assert lacking - held == FREE


@pytest.mark.parametrize(("place", "annotation", "default"), OPTIONS)
def test_every_default_is_in_its_range(place, annotation, default):
    if default is not MISSING:
        assert settings.check(annotation, default, place) == default
