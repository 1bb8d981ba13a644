"""Settle what a table's columns are brought to, by one pass over the train split.

What is counted merges exactly (`millrace.components.statistics`): means, deviations, quantiles and
vocabularies do not depend on how the records lie in shards. The choices that follow are plain
functions, and each is logged.
"""

import dataclasses
import logging
from collections.abc import Iterator, Mapping, Sequence

from etils.epath import Path

from millrace.components.analysis import table_precision, table_survey
from millrace.components.analysis.table_survey import ColumnSurvey, Own, TableSurvey
from millrace.components.artifacts import Examples
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError, OptionError
from millrace.components.features import hook_spec, table_spec
from millrace.components.features.hook_spec import Hook
from millrace.components.features.table_spec import (
    Buckets,
    Category,
    Discrete,
    Number,
    Problem,
    RawColumn,
    TableOptions,
    TableSpec,
)

logger = logging.getLogger("millrace.components.analyze")

_LABELS = ("label", "target", "class", "species", "outcome", "price", "y")
_MOST_CLASSES = 20  # distinct whole numbers that are still taken for classes
_ROWS_PER_CLASS = 5  # and how many rows each of them has on average
_ID_SHARE = 0.5  # distinct texts per row above which they are names, not categories
_FEW_ROWS = 20  # below which that says nothing


def settle(examples: Examples, options: TableOptions, out: Path, run_on: BeamOptions) -> TableSpec:
    """The spec of the train split's table; what it follows from goes to `columns.json` in `out`.

    Raises:
        DataError: the records hold no label, or no column beside it.
        OptionError: an option names a column that is not there, or of another type.
    """
    survey = table_survey.survey(examples, options.bucket_count, out, "columns", run_on)
    last = str(examples.summary["notes"].get("last_column", ""))
    hook = hook_spec.settle(options.preprocess)
    if hook is None:
        return choose(survey, options, last)
    own = given(survey, options, last, hook)
    made = table_survey.survey(examples, options.bucket_count, out, "made", run_on, own)
    spec = choose(made, dataclasses.replace(options, label=own.label, exclude=()), "")
    return dataclasses.replace(spec, raw=own.raw, hook=hook)


def given(survey: TableSurvey, options: TableOptions, last: str, hook: Hook) -> Own:
    """What the function of `hook` is given: all columns but the label and those excluded."""
    named = {"label": (options.label,) if options.label else (), "exclude": options.exclude}
    _check_known(survey, named)
    label = options.label or _label(survey, last)
    raw = tuple(
        RawColumn(name, column.dtype)
        for name, column in survey.columns.items()
        if name != label and name not in options.exclude and column.longest == 1
    )
    logger.info("%s is given %s", hook.function, ", ".join(each.name for each in raw))
    return Own(hook, raw, label)


def choose(survey: TableSurvey, options: TableOptions, last: str) -> TableSpec:
    """The spec that follows from the train split where `options` leave it open.

    Args:
        survey: of the train split.
        options: what is given.
        last: the source's last column; empty where that is not known.
    """
    _check_names(survey, options)
    label = options.label or _label(survey, last)
    truth = survey.columns[label]
    problem = options.problem or _problem(label, truth)
    _check_label(label, truth, problem)
    if problem == "regression":
        table_precision.check_label(label, truth)
    columns = dict(_usable(survey, label, options))
    table_precision.warn(survey, (label, *options.exclude))
    if not columns:
        raise DataError(
            f"Table: expected columns beside the label {label!r} to predict it from. Received: "
            "none that is neither constant nor excluded. Add columns, or choose another label."
        )
    categories = [
        Category(name, _vocabulary(name, column, options))
        for name, column in columns.items()
        if column.dtype == "bytes" or name in options.categorical
    ]
    names = {category.name for category in categories}
    numbers = {name: column for name, column in columns.items() if name not in names}
    buckets = [
        Buckets(name, numbers[name].boundaries) for name in options.buckets if name in numbers
    ]
    discrete: tuple[Discrete, ...] = (*categories, *buckets)
    crossed = [each.name for each in discrete]
    scales_label = problem == "regression" and options.scaling != "none"
    spec = TableSpec(
        target=label,
        problem=problem,
        raw=tuple(RawColumn(name, column.dtype) for name, column in columns.items()),
        classes=_classes(truth) if problem == "classification" else (),
        numbers=tuple(_number(name, each, survey, options) for name, each in numbers.items()),
        discrete=discrete,
        crosses=table_spec.parse_crosses(options.crosses, crossed, options.cross_size),
        target_mean=truth.mean,
        target_deviation=truth.deviation if scales_label else 0.0,
    )
    _log_spec(spec)
    return spec


def _check_names(survey: TableSurvey, options: TableOptions) -> None:
    named: dict[str, Sequence[str]] = {
        "label": [options.label] if options.label else [],
        "exclude": options.exclude,
        "categorical": options.categorical,
        "buckets": options.buckets,
    }
    _check_known(survey, named)
    texts = [name for name in options.buckets if survey.columns[name].dtype == "bytes"]
    if texts:
        raise OptionError(
            "analyze.features.buckets: expected columns of numbers. Received: "
            f"{', '.join(texts)}, which hold text. Leave them out: they are categories already."
        )


def _check_known(survey: TableSurvey, named: Mapping[str, Sequence[str]]) -> None:
    for option, names in named.items():
        unknown = [name for name in names if name not in survey.columns]
        if unknown:
            raise OptionError(
                f"analyze.features.{option}: expected columns of the table: "
                f"{', '.join(survey.columns)}. Received: {', '.join(unknown)}. Correct the name."
            )


def _label(survey: TableSurvey, last: str) -> str:
    by_name = {name.lower(): name for name in survey.columns}
    known = next((by_name[name] for name in _LABELS if name in by_name), None)
    label = known or (last if last in survey.columns else next(reversed(survey.columns), ""))
    if not label:
        raise DataError(
            "Table: expected records with features. Received: none in the train split. "
            "Give a table with columns."
        )
    why = "by its name" if known else "the last column"
    logger.info("label: %r (%s); analyze.features.label names another", label, why)
    return label


def _problem(label: str, truth: ColumnSurvey) -> Problem:
    """Classification for text, and for few distinct whole numbers with rows enough of each."""
    few = truth.distinct <= _MOST_CLASSES and truth.present >= _ROWS_PER_CLASS * truth.distinct
    problem: Problem = "regression"
    if not _is_number(truth) or (truth.counts and few and _whole(truth)):
        problem = "classification"
    logger.info(
        "%s of %r: %d distinct values in %d rows; analyze.features.problem says otherwise",
        *(problem, label, truth.distinct, truth.present),
    )
    return problem


def _is_number(column: ColumnSurvey) -> bool:
    return column.dtype != "bytes"


def _check_label(label: str, truth: ColumnSurvey, problem: Problem) -> None:
    if problem == "regression" and not _is_number(truth):
        raise OptionError(
            f"analyze.features.problem: expected classification of the text {label!r}. Received: "
            "regression. Choose a column of numbers by analyze.features.label."
        )
    if problem == "classification" and not truth.counts:
        raise OptionError(
            f"analyze.features.problem: expected regression of {label!r}, which has "
            f"{truth.distinct:,} distinct values or more. Received: classification. Choose another "
            "label, or leave the problem out."
        )
    if not truth.present:
        raise DataError(
            f"Label {label!r}: expected values in the train split. Received: none. "
            "Choose another column by analyze.features.label."
        )


def _usable(
    survey: TableSurvey, label: str, options: TableOptions
) -> Iterator[tuple[str, ColumnSurvey]]:
    """The columns that the model is given; those left out are logged."""
    asked_for = {*options.categorical, *options.buckets}
    for name, column in survey.columns.items():
        if name == label or name in options.exclude:
            continue
        reason = "" if name in asked_for else _useless(name, column)
        if reason:
            logger.info("column %r is left out: %s", name, reason)
        else:
            yield name, column


def _useless(name: str, column: ColumnSurvey) -> str:
    if column.longest > 1:
        return f"up to {column.longest} values in a row"
    if column.distinct <= 1:
        return "it is constant"
    are_names = column.present >= _FEW_ROWS and column.distinct > _ID_SHARE * column.present
    if column.dtype == "bytes" and are_names:
        return (
            f"{column.distinct} distinct texts in {column.present} rows are names; "
            f"analyze.features.categorical={name} takes them for categories"
        )
    return ""


def _vocabulary(name: str, column: ColumnSurvey, options: TableOptions) -> tuple[str, ...]:
    """The most frequent values, sorted; equals at the edge by their text."""
    counts = column.counts
    if column.dtype == "float32":
        counts = (
            {str(int(float(value))): n for value, n in counts.items()} if _whole(column) else {}
        )
    if not counts:
        raise OptionError(
            "analyze.features.categorical: expected columns of text, or of whole numbers of which "
            f"few differ. Received: {name!r}. Take it as a number, or make buckets of it."
        )
    known = [(-n, value) for value, n in counts.items() if n >= options.minimum_count]
    kept = sorted(known)[: options.vocabulary_size]
    if len(kept) < len(known):
        message = "column %r: the %d most frequent of %d values are kept; %s allows more"
        logger.info(message, name, len(kept), len(known), "analyze.features.vocabulary_size")
    return tuple(sorted(value for _, value in kept))


def _whole(column: ColumnSurvey) -> bool:
    return all(float(value).is_integer() for value in column.counts)


def _classes(truth: ColumnSurvey) -> tuple[str, ...]:
    return tuple(sorted(truth.counts, key=float if _is_number(truth) else None))


def _number(name: str, column: ColumnSurvey, survey: TableSurvey, options: TableOptions) -> Number:
    center, scale = {
        "z_score": (column.mean, column.deviation),
        "min_max": (column.low, column.high - column.low),
        "none": (0.0, 1.0),
    }[options.scaling]
    is_missing = column.present < survey.records
    indicator = options.missing_indicators and is_missing
    return Number(name, center, scale or 1.0, column.mean, indicator)


def _log_spec(spec: TableSpec) -> None:
    if spec.numbers:
        missing = [each.name for each in spec.numbers if each.indicator]
        also = f"; missing cells in {', '.join(missing)}" if missing else ""
        logger.info("numbers: %s%s", ", ".join(each.name for each in spec.numbers), also)
    sizes = zip((*spec.discrete, *spec.crosses), spec.sizes, strict=True)
    named = ", ".join(f"{each.name} ({size} ids)" for each, size in sizes)
    if named:
        logger.info("categories: %s", named)
    if spec.classes:
        logger.info("%d classes: %s", len(spec.classes), ", ".join(spec.classes[:20]))
