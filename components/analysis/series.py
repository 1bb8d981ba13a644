"""Settle how series are cut into windows and scaled: lookback, season, moments.

One Beam pass: the sums of every series of the train split, and the lengths of the others. The
arithmetic is in `series_shape`; the choices that follow from it are the plain functions below.
"""

import dataclasses
import functools
import json
import logging
from collections.abc import Mapping

import numpy as np
from etils.epath import Path

from components.analysis import gathering, series_own, series_shape
from components.analysis.series_own import Made
from components.analysis.series_shape import Shape
from components.artifacts import Examples
from components.beam_options import BeamOptions
from components.errors import DataError
from components.features import hook_spec, series
from components.features.series_spec import SeriesOptions, SeriesSpec
from components.tfrecord import read_records
from serving.example import decode

logger = logging.getLogger("components.analyze")

_NO_SEASON = 30  # rows looked back at without a season
_SHORT = 60  # rows: two seasons are looked back at up to here
_FOR_LOOKBACK = 0.65  # of the shortest split: what is left gives windows to judge by


@dataclasses.dataclass(frozen=True)
class Survey:
    """What the pass found.

    Attributes:
        lengths: rows of the longest series of each split.
        train: of all its series.
    """

    lengths: Mapping[str, int]
    train: Shape


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
        DataError: the records lack a column, or a split is too short for a window.
        OptionError: `options.preprocess` cannot be used.
    """
    notes = examples.summary["notes"]
    roles = roles_of(notes, options)
    found = _survey(examples, roles, out, run_on)
    frequency, zone = str(notes.get("frequency", "")), str(notes.get("zone", "UTC"))
    spec = choose(found, roles, options, frequency, zone)
    check_lengths(found.lengths, spec)
    hook = hook_spec.settle(options.preprocess)
    if hook is None:
        return spec
    spec = dataclasses.replace(spec, hook=hook)
    return with_made(spec, series_own.survey(examples, spec, out, run_on), options)


def with_made(spec: SeriesSpec, found: Made, options: SeriesOptions) -> SeriesSpec:
    """`spec` with the columns that its hook makes, scaled as these are in the train split."""
    logger.info(
        "%s is given %s; makes %s",
        *(spec.hook and spec.hook.function, ", ".join(spec.channels), ", ".join(found.names)),
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


def choose(
    found: Survey, roles: Roles, options: SeriesOptions, frequency: str, zone: str
) -> SeriesSpec:
    """The spec that follows from the train split where `options` leave it open."""
    season = options.season or series_shape.season(found.train)
    lookback = options.lookback or default_lookback(season, found.lengths, options)
    average = options.average or series_shape.best_average(found.train, lookback)
    offset, spread = scale(found.train, options)
    logger.info(
        "windows of %d rows and %d to forecast; %s; held against a moving average of %d rows",
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
        frequency=frequency,
        zone=zone,
        season=season,
        average=min(average, lookback),
        difference=options.difference,
        scale=options.scale,
        per_series=options.per_series,
        offset=offset,
        spread=spread,
        naive_error=tuple(series_shape.naive_error(found.train, season).tolist()),
    )


def default_lookback(season: int, lengths: Mapping[str, int], options: SeriesOptions) -> int:
    """Two seasons if they are short, else one and a row, or 30 rows: as the shortest split
    allows.

    Where it allows none of them, as much as it does.
    """
    room = int(_FOR_LOOKBACK * min(lengths.values()))
    wanted = [_NO_SEASON]
    if season > 1:
        wanted = [*([2 * season] if season <= _SHORT else []), season + 1, _NO_SEASON]
    fitting = next((rows for rows in wanted if rows <= room), room)
    if fitting < wanted[0]:
        logger.info(
            "a lookback of %d rows would leave the shortest split, %d rows, too few windows",
            *(wanted[0], min(lengths.values())),
        )
    least = {"none": 1, "previous": 2, "season": season + 1}[options.difference]
    return max(least, fitting)


def scale(
    train: Shape | Made, options: SeriesOptions
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


def check_lengths(lengths: Mapping[str, int], spec: SeriesSpec) -> None:
    """Refuse windows that do not fit a split, for none may cross from one into the next.

    Raises:
        DataError: no series of a split is long enough.
    """
    needed = spec.lookback + spec.horizon
    for split, rows in lengths.items():
        if rows < needed:
            raise DataError(
                f"Split {split!r}: expected a series of {needed} rows or more, {spec.lookback} to "
                f"look back at and {spec.horizon} to forecast. Received: {rows} at most. Lower "
                "analyze.features.lookback, or give the split more by series_example_gen.splits."
            )


def _survey(examples: Examples, roles: Roles, out: Path, run_on: BeamOptions) -> Survey:
    files = [(split, str(file)) for split in examples.splits for file in examples.files(split)]
    find = functools.partial(_of_shard, roles=roles)
    found = gathering.gather(files, find, out / "survey.pickle", run_on)
    shapes = [shape for _, _, _, shape in sorted(found, key=lambda one: one[:2]) if shape]
    lengths: dict[str, int] = {}
    for split, _, rows, _ in found:
        lengths[split] = max(lengths.get(split, 0), rows)
    return Survey(lengths, series_shape.merge(shapes))


def _of_shard(shard: tuple[str, str], roles: Roles) -> list[tuple[str, str, int, Shape | None]]:
    split, file = shard
    found = []
    for raw in read_records(Path(file)):
        row = decode(raw)
        values, times = series.columns(row, roles.columns), series.times_of(row)
        shape = None
        if split == "train":
            period = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
            shape = series_shape.of(values.astype(np.float64), len(roles.targets), period)
        found.append((split, series.name_of(row), len(times), shape))
    return found
