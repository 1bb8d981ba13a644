"""Settle how series are cut into windows and scaled: lookback, season, moments.

One Beam pass: the sums of every series of the train split, and how many rows the others have. The
arithmetic is in `series_shape`; the choices that follow from it are the plain functions below.
"""

import dataclasses
import functools
import itertools
import json
import logging
from collections.abc import Mapping, Sequence

import numpy as np
from etils.epath import Path
from pydantic import TypeAdapter

from millrace.components.analysis import series_own, series_shape
from millrace.components.analysis.series_own import MadeColumns
from millrace.components.analysis.series_shape import Shape
from millrace.components.artifacts import Examples
from millrace.components.beam.options import BeamOptions
from millrace.components.beam.shard_pass import shard_pass
from millrace.components.errors import DataError
from millrace.components.features import hook_spec, series
from millrace.components.features.series_spec import (
    Fill,
    Impute,
    SeriesOptions,
    SeriesSpec,
    time_unit,
)
from millrace.components.files import columns
from millrace.components.files.tfrecord import read_records
from millrace.serving.errors import few

logger = logging.getLogger("millrace.components.analyze")

_NO_SEASON = 30  # rows looked back at without a season
_SHORT = 60  # rows: two seasons are looked back at up to here
_SMALL = 0.1  # of the train split's longest series
_LARGE = 100_000  # rows, from which on windows take much room
_FOR_LOOKBACK = 0.3  # of the train split's longest series: the rest gives windows to learn from
_FOR_SEASONS = 1 / 3  # likewise, where a season has to be known
_LEAST_SEASONS = 2  # where half of the train split has them
_LONGEST = 400  # rows, of many seasons
_CELLS = 20_000_000  # of all windows of many seasons, at most


@dataclasses.dataclass(frozen=True)
class Stretch:
    """A series in a split.

    Attributes:
        first: Unix time.
        rows: how many.
        targets: rows of them with a target.
    """

    split: str
    series: str
    first: int
    rows: int
    targets: int


@dataclasses.dataclass(frozen=True)
class SeriesSurvey:
    """What the pass found.

    Attributes:
        stretches: every series in every split.
        train: of all series of that split.
    """

    stretches: tuple[Stretch, ...]
    train: Shape

    @property
    def train_rows(self) -> int:
        """Of the train split's longest series."""
        return max(each.rows for each in self.stretches if each.split == "train")

    def before(self, stretch: Stretch) -> int:
        """The rows of the same series in earlier splits."""
        own = self._by_series[stretch.series]
        return sum(each.rows for each in own if each.first < stretch.first)

    @functools.cached_property
    def _by_series(self) -> Mapping[str, Sequence[Stretch]]:
        found: dict[str, list[Stretch]] = {}
        for each in self.stretches:
            found.setdefault(each.series, []).append(each)
        return found


@dataclasses.dataclass(frozen=True)
class Roles:
    """The columns of the records, by the part they play."""

    targets: tuple[str, ...]
    covariates: tuple[str, ...]
    known: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """All of them, targets first."""
        return (*self.targets, *self.covariates, *self.known)


def settle(
    examples: Examples, options: SeriesOptions, out: Path, run_on: BeamOptions
) -> SeriesSpec:
    """The spec of the windows; the choices of what `options` leave open are logged.

    Raises:
        DataError: the records lack a column, an earlier version made values up in them, a column
            has no value to learn from, or a split is too short for a window.
        OptionError: `options.preprocess` cannot be used.
    """
    notes = examples.summary["notes"]
    check_not_filled(notes)
    roles = roles_of(notes, options)
    found = _survey(examples, roles, out, run_on)
    check_values(found.train, roles)
    spec = choose(found, roles, options, notes)
    check_lengths(found, spec)
    hook = hook_spec.settle(options.preprocess)
    if hook is None:
        return spec
    spec = dataclasses.replace(spec, hook=hook)
    return with_made(spec, series_own.survey(examples, spec, out, run_on), options)


def with_made(spec: SeriesSpec, found: MadeColumns, options: SeriesOptions) -> SeriesSpec:
    """`spec` with the columns that its hook makes, scaled as these are in the train split."""
    logger.info(
        "%s is given %s; makes %s",
        *(spec.hook and spec.hook.function, few(spec.channels), few(found.names)),
    )
    offset, spread = scale(found, options)
    first, last = len(spec.targets), len(spec.targets) + len(spec.covariates)
    return dataclasses.replace(
        spec,
        made=found.names,
        offset=(*spec.offset[:first], *offset, *spec.offset[last:]),
        spread=(*spec.spread[:first], *spread, *spec.spread[last:]),
    )


def roles_of(notes: Mapping[str, object], options: SeriesOptions) -> Roles:
    """The columns that `options` name, else those that the ingest noted.

    Raises:
        DataError: neither names a target.
    """

    def named(part: str) -> tuple[str, ...]:
        return getattr(options, part) or tuple(json.loads(str(notes.get(part, "[]"))))

    roles = Roles(named("targets"), named("covariates"), named("known"))
    if not roles.targets:
        raise DataError(
            "analyze.features.targets: expected columns to forecast. Received: none, and the "
            "records do not say. Name them, or ingest by series_example_gen."
        )
    return roles


def check_not_filled(notes: Mapping[str, object]) -> None:
    """Refuse records in which observed values and made-up ones cannot be distinguished.

    Raises:
        DataError: they are of an earlier version, and a cell was missing.
    """
    if notes.get("filled") or ("filled" in notes and notes.get("trimmed")):
        raise DataError(
            "Records of series: expected missing cells to be missing. Received: records of an "
            f"earlier version, in which {notes['filled']} cells were filled and "
            f"{notes.get('trimmed', 0)} rows cut off. Run series_example_gen again: leave out "
            "`--from`, or start from there."
        )


def check_values(train: Shape, roles: Roles) -> None:
    """Refuse columns that nothing can be learnt from: neither their scale nor anything else.

    Raises:
        DataError: a column has no value in the train split.
    """
    pairs = zip(roles.columns, train.count.tolist(), strict=True)
    if empty := [name for name, count in pairs if not count]:
        raise DataError(
            f"Split 'train': expected values of every column. Received: none of {few(empty)} "
            f"in {train.rows} rows. Leave out the column, or change series_example_gen.splits."
        )


def choose(
    found: SeriesSurvey, roles: Roles, options: SeriesOptions, notes: Mapping[str, object]
) -> SeriesSpec:
    """The spec that follows from the train split where `options` leave it open."""
    season = options.season or series_shape.season(found.train)
    lookback = options.lookback or default_lookback(
        season, found.train_rows, options, found.train.rows
    )
    average = options.average or series_shape.best_average(found.train, lookback)
    offset, spread = scale(found.train, options)
    logger.info(
        "windows of %d rows and %d to forecast; %s; compared with a moving average of %d rows",
        *(lookback, options.horizon),
        *(f"a season of {season} rows" if season > 1 else "no season", average),
    )
    return SeriesSpec(
        targets=roles.targets,
        covariates=roles.covariates,
        known=roles.known,
        calendar=options.calendar,
        lookback=lookback,
        horizon=options.horizon,
        stride=options.stride,
        frequency=str(notes.get("frequency", "")),
        zone=str(notes.get("zone", "UTC")),
        season=season,
        average=min(average, lookback),
        difference=options.difference,
        scale=options.scale,
        per_series=options.per_series,
        offset=offset,
        spread=spread,
        naive_error=tuple(series_shape.naive_error(found.train, season).tolist()),
        mean=tuple(found.train.mean[: len(roles.targets)].tolist()),
        least=tuple(found.train.least[: len(roles.targets)].tolist()),
        fill=fill(found.train, notes),
        base=base_of(roles, notes),
    )


def base_of(roles: Roles, notes: Mapping[str, object]) -> tuple[float, ...]:
    """What the ingest wrote each column less; none where that is 0 for all."""
    bases = json.loads(str(notes.get("bases", "{}")))
    found = tuple(float(bases.get(name, 0.0)) for name in roles.columns)
    return found if any(found) else ()


def fill(train: Shape, notes: Mapping[str, object]) -> Fill | None:
    """How the ingest was set to fill missing cells; None where it was set not to."""
    impute = TypeAdapter(Impute).validate_python(notes.get("impute", "none"))
    if impute == "none":
        return None
    return Fill(impute, int(str(notes["impute_season"])), tuple(train.mean.tolist()))


def default_lookback(
    season: int, train_rows: int, options: SeriesOptions, rows_of_all: int = 0
) -> int:
    """As many seasons and a row as a third of the train split has: what is the same in every season
    is known better the more of them a window has. Two, or one, where half of it has no more.

    Of a long season one and two rows, without a season 30 rows, as far as the train split allows.
    Of so many rows that windows would take much room, ten seasons, or five, or two.

    Args:
        season: rows; 1 if there is none.
        train_rows: of the train split's longest series.
        options: say whether windows see differences.
        rows_of_all: the series of the train split together. 0: those of the one.
    """
    room = int(_FOR_LOOKBACK * train_rows)
    if 1 < season <= _SHORT and (
        rows := _of_many_seasons(season, train_rows, max(train_rows, rows_of_all))
    ):
        return max(rows, min(_NO_SEASON, room))
    for seasons in (10, 5):
        rows = seasons * season + 1
        if 1 < season <= _SHORT and rows <= _SMALL * train_rows and train_rows <= _LARGE:
            return max(rows, min(_NO_SEASON, room))
    wanted = [_NO_SEASON]
    if season > 1:
        wanted = [*([2 * season + 1] if season <= _SHORT else []), season + 2]
        wanted = [max(rows, min(_NO_SEASON, room)) for rows in wanted] + [_NO_SEASON]
    fitting = next((rows for rows in wanted if rows <= room), room)
    if fitting < wanted[0]:
        logger.info(
            "a lookback of %d rows would leave the train split, %d rows, too few windows",
            *(wanted[0], train_rows),
        )
    least = {"none": 1, "previous": 2, "season": season + 1}[options.difference]
    return max(least, fitting)


def _of_many_seasons(season: int, train_rows: int, rows_of_all: int) -> int:
    """Rows of a window of whole seasons; 0 where it would take much room, or there are too few."""
    seasons = min(int(_FOR_SEASONS * train_rows - 1), _LONGEST) // season
    if seasons < _LEAST_SEASONS:
        seasons = min(_LEAST_SEASONS, (train_rows // 2 - 1) // season)
    rows = max(season + 2, seasons * season + 1)
    return rows if seasons > 0 and rows * rows_of_all <= _CELLS else 0


def scale(
    train: Shape | MadeColumns, options: SeriesOptions
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Offset and spread per column; a constant column, and one left as it is, has spread 1."""
    match options.scale:
        case "standard":
            offset, spread = train.mean, train.deviation
        case "min_max":
            offset, spread = train.least, train.greatest - train.least
        case "none":
            offset, spread = np.zeros_like(train.mean), np.ones_like(train.mean)
    is_flat = spread <= 1e-9 * (1 + np.abs(offset))
    return tuple(offset.tolist()), tuple(np.where(is_flat, 1.0, spread).tolist())


def check_lengths(found: SeriesSurvey, spec: SeriesSpec) -> None:
    """Refuse splits in which nothing can be forecast.

    A window looks back at earlier splits, but what it forecasts lies in one.

    Raises:
        DataError: no series of a split is long enough, or none has a target in it.
    """
    for split in dict.fromkeys(each.split for each in found.stretches):
        own = [each for each in found.stretches if each.split == split]
        rows = max(each.rows for each in own)
        before = max(found.before(each) for each in own)
        if not any(each.targets for each in own):
            raise DataError(
                f"Split {split!r}: expected a value of {' or '.join(spec.targets)}. Received: none "
                f"in {rows} rows. Give the split others by series_example_gen.splits."
            )
        if not any(_windows(found.before(each), each.rows, spec) for each in own):
            raise DataError(
                f"Split {split!r}: expected {spec.horizon} rows to forecast, and {spec.lookback} "
                f"before the first of them to look back at. Received: {rows} rows at most, and "
                f"{before} before them. Lower analyze.features.lookback, or give the split more by "
                "series_example_gen.splits."
            )


def _windows(before: int, rows: int, spec: SeriesSpec) -> int:
    return series.count(before + rows, spec.lookback, spec.horizon, spec.stride, before)


def _survey(examples: Examples, roles: Roles, out: Path, run_on: BeamOptions) -> SeriesSurvey:
    files = [(split, str(file)) for split in examples.splits for file in examples.files(split)]
    frequency = str(examples.summary["notes"].get("frequency", ""))
    second = 1 if time_unit(frequency) == "s" else 1_000_000
    find = functools.partial(_of_shard, roles=roles, second=second)
    found = list(itertools.chain.from_iterable(shard_pass("Survey", files, find, out, run_on)))
    order = {split: place for place, split in enumerate(examples.splits)}
    found.sort(key=lambda one: (order[one[0].split], one[0].series))
    shapes = [shape for _, shape in found if shape]
    return SeriesSurvey(tuple(stretch for stretch, _ in found), series_shape.merge(shapes))


def _of_shard(
    shard: tuple[str, str], roles: Roles, second: int
) -> list[tuple[Stretch, Shape | None]]:
    split, file = shard
    found = []
    for row in columns.decoded(read_records(Path(file)), file):
        values, times = series.columns(row, roles.columns), series.times_of(row)
        shape = None
        if split == "train":
            period = float(np.median(np.diff(times))) / second if len(times) > 1 else 0.0
            shape = series_shape.of(values.astype(np.float64), len(roles.targets), period)
        known = np.isfinite(values[:, : len(roles.targets)]).any(axis=1)
        counts = int(times[0]), len(times), int(known.sum())
        found.append((Stretch(split, series.name_of(row), *counts), shape))
    return found
