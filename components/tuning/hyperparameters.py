"""Settings as text, laid over the options of a component: what a search tries and what it finds.

Text is read as after `--set`: `learning_rate` is `0.003`, `model.units` is `64,64`.
"""

import functools
import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from millrace.components.artifacts import Hyperparameters
from millrace.components.errors import OptionError
from millrace.components.models.auto_options import hold
from millrace.components.options import settings
from millrace.components.options.component_spec import MISSING, ComponentSpec

P = ParamSpec("P")
R = TypeVar("R")


def settled(
    component: Callable[..., Any], base: Mapping[str, Any], texts: Mapping[str, str], place: str
) -> dict[str, Any]:
    """The options of `component`: `base` where it says something, then `texts` over them.

    Args:
        component: whose options these are.
        base: values, or what they are as plain JSON, by option.
        texts: by option or by the way to a field in one, such as `model.units`.
        place: what holds `texts`, for the errors.

    Raises:
        OptionError: `component` has no such option, or a text does not fit.
    """
    known = ComponentSpec.of(component).options
    values = {
        name: settings.check(annotation, base[name], name) if name in base else default
        for name, (annotation, default) in known.items()
        if name in base or default is not MISSING
    }
    for way, text in texts.items():
        option, *keys = way.split(".")
        annotations = {name: annotation for name, (annotation, _) in known.items()}
        if option not in known:
            raise OptionError(
                f"{place}: expected options of {component.__name__}. Received: {option!r}. "
                f"{settings.nearest_option(option, annotations)}"
            )
        annotation, current = annotations.pop(option), values.get(option)
        values[option] = settings.assign(
            annotation, current, keys, text, f"{place}.{way}", annotations
        )
    hold(values, texts)
    return values


def tunable(component: Callable[P, R]) -> Callable[P, R]:
    """Let the input `hyperparameters` of `component`, if it is given, override its options."""

    @functools.wraps(component)
    def tuned(*args: P.args, **kwargs: P.kwargs) -> R:
        bound = inspect.signature(component).bind(*args, **kwargs)
        found = bound.arguments.get("hyperparameters")
        if isinstance(found, Hyperparameters):
            options = ComponentSpec.of(component).options
            given = {name: bound.arguments[name] for name in options if name in kwargs}
            place = str(found.path / "best.json")
            bound.arguments.update(settled(component, given, found.settings, place))
            said = ", ".join(f"{way}={text}" for way, text in found.settings.items())
            logging.getLogger(component.__module__).info("tuned: %s", said)
        return component(*bound.args, **bound.kwargs)

    return tuned
