"""How sure a model may be of its answers: what its trainer measured on the eval split.

`calibration.json` beside a trained model; without the file nothing was measured. The temperature is
part of the network's last layer already (`models.temperature`). What only a signature can say is
read by `export`: the threshold that tells two classes apart, and intervals around numbers.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any, Self

from etils.epath import Path

LEVELS = (0.8, 0.95)  # of the intervals, in the order of the last axis of `*_lower` and `*_upper`
EVEN = 0.5  # the threshold that is no threshold
_FILE = "calibration.json"


@dataclasses.dataclass(frozen=True)
class Widths:
    """Intervals around predicted numbers: `prediction ± half width`, at each of `LEVELS`.

    Attributes:
        edges: predictions that part one bin from the next, ascending; the errors of a large
            number are not those of a small one.
        half: the half width at each level, [bins][levels], in the label's unit.
    """

    edges: tuple[float, ...]
    half: tuple[tuple[float, ...], ...]

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """From JSON."""
        return cls(tuple(found["edges"]), tuple(map(tuple, found["half"])))


@dataclasses.dataclass(frozen=True)
class ForecastWidths:
    """Intervals around forecasts: `forecast ± share * (variation + floor)`, at each of `LEVELS`.

    `variation` is the mean absolute change from row to row of the target within the window: a
    restless window, or series, has wider intervals.

    Attributes:
        floor: per target, in its unit.
        share: [horizon][targets][levels].
    """

    floor: tuple[float, ...]
    share: tuple[tuple[tuple[float, ...], ...], ...]

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Self:
        """From JSON."""
        share = tuple(tuple(map(tuple, step)) for step in found["share"])
        return cls(tuple(found["floor"]), share)


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What was measured.

    Attributes:
        split: on which.
        rows: how many.
        temperature: by which a classifier's logits are divided; 1 where that gains nothing.
        threshold: of two classes, the second is the answer from this probability on. The place
            for one that is chosen: the signature's `class` and the evaluator go by it.
        before, after: a classifier's `loss` and `expected_calibration_error` on the split, without
            the temperature and with it; empty of other models.
        reliability: likewise, by bin of confidence: its count, mean confidence and accuracy.
        widths: of a regressor's or a forecaster's intervals.
    """

    split: str = ""
    rows: int = 0
    temperature: float = 1.0
    threshold: float = EVEN
    before: Mapping[str, float] = dataclasses.field(default_factory=dict)
    after: Mapping[str, float] = dataclasses.field(default_factory=dict)
    reliability: Mapping[str, Sequence[Sequence[float]]] = dataclasses.field(default_factory=dict)
    widths: Widths | ForecastWidths | None = None

    def write(self, folder: Path) -> None:
        """Write it beside a trained model."""
        found = dataclasses.asdict(self)
        (folder / _FILE).write_text(json.dumps(found, indent=1, allow_nan=False))


NOTHING = Calibration()


def read(folder: Path) -> Calibration:
    """What was measured of the trained model in `folder`; `NOTHING` where nothing was."""
    if not (folder / _FILE).exists():
        return NOTHING
    found = json.loads((folder / _FILE).read_text())
    if (widths := found["widths"]) is not None:
        kind = Widths if "edges" in widths else ForecastWidths
        found["widths"] = kind.of(widths)
    return Calibration(**found)
