"""Ranges that a search draws from, as a person writes them.

log 1e-4..1e-1          a number, its logarithm drawn evenly
uniform 0..0.5          a number; also `uniform 0..0.5 step 0.1`
int 16..128 step 16     a whole number; also `int log 1..1024`
choice 64|128|64,64     one of some texts
"""

import dataclasses
import decimal
import re
from collections.abc import Mapping
from typing import Any

from millrace.components.errors import OptionError

_NUMBER = r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_RANGE = re.compile(
    rf"(?P<form>uniform|log|int log|int)\s+(?P<low>{_NUMBER})\s*\.\.\s*(?P<high>{_NUMBER})"
    rf"(?:\s+step\s+(?P<step>{_NUMBER}))?"
)
_DIGITS = ".4g"  # more make no difference to a training, and a person has to read them
_FORMS = "`log 1e-4..1e-1`, `uniform 0..0.5`, `int 16..128 step 16` or `choice relu|tanh`"


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of some texts."""

    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"choice {'|'.join(self.values)}"

    @property
    def probes(self) -> tuple[str, ...]:
        """The texts to try whether an option takes what may be drawn."""
        return self.values


@dataclasses.dataclass(frozen=True)
class Range:
    """A number between two, both included."""

    low: float
    high: float
    step: float | None = None
    is_log: bool = False
    is_whole: bool = False

    def __str__(self) -> str:
        words = [word for word, said in (("int", self.is_whole), ("log", self.is_log)) if said]
        step = f" step {self.text(self.step)}" if self.step is not None else ""
        ends = f"{self.text(self.low)}..{self.text(self.high)}"
        return f"{' '.join(words) or 'uniform'} {ends}{step}"

    @property
    def probes(self) -> tuple[str, ...]:
        """The texts to try whether an option takes what may be drawn: the ends and one between."""
        between = self.low + (self.step or (self.high - self.low) / 3)
        return self.text(self.low), self.text(between), self.text(self.high)

    def text(self, value: float) -> str:
        """`value` as it is written after `--set`."""
        return str(int(value)) if self.is_whole else repr(float(value))


Space = Mapping[str, Choice | Range]  # by option


def parse(text: str, place: str) -> Choice | Range:
    """The range that `text` says.

    Raises:
        OptionError: it says none; names `place`.
    """
    form, _, rest = text.strip().partition(" ")
    if form == "choice":
        values = tuple(value.strip() for value in rest.split("|"))
        if all(values):
            return Choice(values)
    elif match := _RANGE.fullmatch(text.strip()):
        found = _range(match)
        if found is not None:
            return found
    raise OptionError(
        f"{place}: expected a range such as {_FORMS}, the lower end first (above 0 for log, "
        f"without a step). Received: {text!r}. Write it so."
    )


def draw(trial: Any, space: Space) -> dict[str, str]:
    """What the optuna trial `trial` proposes for each option, as text."""
    return {way: _draw(trial, way, one) for way, one in space.items()}


def _range(match: re.Match[str]) -> Range | None:
    low, high = float(match["low"]), float(match["high"])
    step = float(match["step"]) if match["step"] else None
    form = match["form"]
    is_whole, is_log = form.startswith("int"), form.endswith("log")
    is_sound = low < high and (step is None or 0 < step <= high - low)
    if is_log:
        is_sound = is_sound and low > 0 and step is None
    if is_whole:
        is_sound = is_sound and all(number.is_integer() for number in (low, high, step or 1.0))
    if not is_sound:
        return None
    return Range(low, _last_step(match) if step else high, step, is_log, is_whole)


def _last_step(match: re.Match[str]) -> float:
    """The highest number that whole steps from the low end reach, reckoned in decimals."""
    low, high, step = (decimal.Decimal(match[name]) for name in ("low", "high", "step"))
    return float(low + (high - low) // step * step)


def _draw(trial: Any, way: str, one: Choice | Range) -> str:
    if isinstance(one, Choice):
        return trial.suggest_categorical(way, one.values)
    if one.is_whole:
        step = int(one.step or 1)
        low, high = int(one.low), int(one.high)
        return one.text(trial.suggest_int(way, low, high, step=step, log=one.is_log))
    value = trial.suggest_float(way, one.low, one.high, step=one.step, log=one.is_log)
    return one.text(min(max(float(f"{value:{_DIGITS}}"), one.low), one.high))
