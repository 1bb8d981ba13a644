"""Settle what a table's columns are brought to, by one pass over the train split.

What is counted merges exactly (`millrace.components.statistics`): means, deviations, quantiles and
vocabularies do not depend on how the records lie in shards. The choices that follow are plain
functions, and each is logged.
"""

import dataclasses
import logging
from collections.abc import Mapping, Sequence

import numpy as np
from etils.epath import Path

from millrace.components.analysis import (
    table_duplicates,
    table_identifiers,
    table_leaks,
    table_precision,
    table_survey,
)
from millrace.components.analysis.table_survey import ColumnSurvey, Own, TableSurvey
from millrace.components.artifacts import Examples
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError, OptionError
from millrace.components.features import class_names, hook_spec, table_label, table_spec
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
from millrace.components.statistics import stand_ins
from millrace.serving.errors import few

logger = logging.getLogger("millrace.components.analyze")

_MOST_CLASSES = 20  # distinct whole numbers that are still taken for classes
_ROWS_PER_CLASS = 5  # and how many rows each of them has on average
_ID_SHARE = 0.5  # distinct texts per row above which they are names, not categories
_FEW_ROWS = 20  # below which that says nothing
_CLASS_SHARE = 0.5  # distinct labels per row above which they are no classes
_RARE = 10  # rows of a class below which it is hardly learnt
_CONSTANT = "constant"
_SHOWN = 20  # names that a line of the log has at most


def settle(examples: Examples, options: TableOptions, out: Path, run_on: BeamOptions) -> TableSpec:
    """The spec of the train split's table; what it follows from goes to `columns.json` in `out`.

    Raises:
        DataError: the records hold no label, or no column beside it.
        OptionError: an option names a column that is not there, or of another type.
    """
    survey = table_survey.survey(examples, options.bucket_count, out, "columns", run_on)
    notes = examples.summary["notes"]
    noted, rows = str(notes.get("label", "")), int(notes.get("found", 0))
    hook = hook_spec.settle(options.preprocess)
    if hook is None:
        spec = choose(survey, options, noted, rows)
    else:
        own = given(survey, options, noted, hook)
        made = table_survey.survey(examples, options.bucket_count, out, "made", run_on, own)
        spec = choose(made, dataclasses.replace(options, label=own.label, exclude=()), "", rows)
        spec = dataclasses.replace(spec, raw=own.raw, hook=hook)
    if notes.get("unlabelled") and spec.target != noted:
        logger.warning(
            "%d rows without %r were left out where the data was read: set its option label too",
            *(notes["unlabelled"], noted),
        )
    _warn_of_leaks(examples, spec)
    table_duplicates.warn(examples, out, run_on)
    if spec.classes:
        _warn_of_classes(spec)
        _warn_of_rare_classes(survey.columns[spec.target], examples, spec, out, run_on)
    return spec


def given(survey: TableSurvey, options: TableOptions, noted: str, hook: Hook) -> Own:
    """What the function of `hook` is given: all columns but the label and those excluded."""
    named = {"label": (options.label,) if options.label else (), "exclude": options.exclude}
    _check_known(survey, named)
    label = options.label or _label(survey, noted)
    raw = tuple(
        RawColumn(name, column.dtype)
        for name, column in survey.columns.items()
        if name != label and name not in options.exclude and column.longest == 1
    )
    logger.info("%s is given %s", hook.function, ", ".join(each.name for each in raw))
    return Own(hook, raw, label)


def choose(survey: TableSurvey, options: TableOptions, noted: str, rows: int = 0) -> TableSpec:
    """The spec that follows from the train split where `options` leave it open.

    Args:
        survey: of the train split.
        options: what is given.
        noted: the label by which the ingest left rows out; empty where that is not known.
        rows: of all splits, if that is known.
    """
    _check_names(survey, options)
    label = options.label or _label(survey, noted)
    truth = survey.columns[label]
    problem = options.problem or _problem(label, truth)
    _check_label(label, truth, problem)
    if problem == "regression":
        table_precision.check_label(label, truth)
    left_out = _left_out(survey, label, options, max(rows, survey.records))
    columns = {
        name: column
        for name, column in survey.columns.items()
        if name != label and name not in left_out
    }
    others = (name for name, reason in left_out.items() if reason != _CONSTANT)
    table_precision.warn(survey, (label, *others))  # float32 may have made a column constant
    if not columns:
        raise DataError(
            f"Table: expected columns beside the label {label!r} to predict it from. Received: "
            f"none, {_reasons(left_out)}. Add columns, take one by analyze.features.include, or "
            "choose another label."
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
        target_low=truth.low if problem == "regression" else None,
    )
    _log_spec(spec, left_out)
    _warn_of_stand_ins(numbers | ({label: truth} if problem == "regression" else {}))
    return spec


def _check_names(survey: TableSurvey, options: TableOptions) -> None:
    named: dict[str, Sequence[str]] = {
        "label": [options.label] if options.label else [],
        "exclude": options.exclude,
        "include": options.include,
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
                f"{few(survey.columns)}. Received: {few(unknown)}. Correct the name."
            )


def _label(survey: TableSurvey, noted: str) -> str:
    if noted in survey.columns:
        return noted
    label, how = table_label.choose(list(survey.columns), "")
    if not label:
        raise DataError(
            "Table: expected records with features. Received: none in the train split. "
            "Give a table with columns."
        )
    logger.info("label: %r (%s); analyze.features.label names another", label, how)
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
    if not truth.present:
        raise DataError(
            f"Label {label!r}: expected values in the train split. Received: none. "
            "Choose another column by analyze.features.label."
        )
    if problem == "classification" and not _is_number(truth):
        _check_one_each(label, truth)
    many = truth.present >= _FEW_ROWS and truth.distinct > _CLASS_SHARE * truth.present
    if problem == "classification" and (many or not truth.counts):
        fix = "or set analyze.features.problem=regression"
        if not _is_number(truth):
            fix = f"or, if its cells are numbers, set csv_example_gen.csv.types.{label}=number"
        raise DataError(
            f"Label {label!r}: expected few classes, each in several rows. Received: "
            f"{truth.distinct:,} classes in {truth.present:,} rows. Choose another column by "
            f"analyze.features.label, {fix}."
        )


def _check_one_each(label: str, truth: ColumnSurvey) -> None:
    several = {name: each for name, each in class_names.lists(truth.counts).items() if each[1:]}
    if several:
        name = max(several, key=lambda each: (truth.counts[each], each))
        raise DataError(
            f"Label {label!r}: expected one class in a cell. Received: several in "
            f"{sum(map(truth.counts.__getitem__, several))} rows, such as {name!r}, which lists "
            f"{_listed(several[name])}. Keep one in each row, or make a column of yes and no for "
            "each and name one by analyze.features.label."
        )


def _left_out(survey: TableSurvey, label: str, options: TableOptions, rows: int) -> dict[str, str]:
    """Why columns of a table of `rows` are kept from the model, by name; the label apart."""
    asked_for = {*options.include, *options.categorical, *options.buckets}
    found = {
        name: "excluded" if name in options.exclude else _useless(name, survey, rows)
        for name in survey.columns
        if name != label and (name in options.exclude or name not in asked_for)
    }
    for name, reason in found.items():
        if not reason and table_identifiers.counts_rows(name, survey, rows):
            logger.warning(
                "column %r holds whole numbers of 0 to %d, each once, as row numbers are; "
                "analyze.features.exclude=%s leaves it out",
                *(name, rows, name),
            )
    return {name: reason for name, reason in found.items() if reason}


def _useless(name: str, survey: TableSurvey, rows: int) -> str:
    column = survey.columns[name]
    if column.longest > 1:
        return f"up to {column.longest} values in a row"
    if column.distinct <= 1:
        return _CONSTANT
    are_names = column.present >= _FEW_ROWS and column.distinct > _ID_SHARE * column.present
    names = f"names or identifiers, {column.distinct} distinct texts in {column.present} rows"
    is_text = column.dtype == "bytes"
    return table_identifiers.reason(name, survey, rows) or (names if is_text and are_names else "")


def _warn_of_leaks(examples: Examples, spec: TableSpec) -> None:
    names = [column.name for column in spec.raw]
    leaks = table_leaks.find(table_leaks.sample(examples), spec.target, names)
    for name, how in leaks.items():
        logger.warning(
            "column %s gives the label %r away: %s; if it is not known when the model is asked, "
            "leave it out by analyze.features.exclude=%s",
            *(name, spec.target, how, ",".join(name.split(" + "))),
        )


def _warn_of_classes(spec: TableSpec) -> None:
    """Warn of classes that differ in case or blanks alone, and of words for a missing label."""
    alike: dict[str, list[str]] = {}
    for name in spec.classes:
        alike.setdefault("".join(name.casefold().split()), []).append(name)
    for names in alike.values():
        if len(names) > 1:
            logger.warning(
                "classes %s differ in case or blanks alone, and are learnt as %d: write them alike",
                *(_listed(names), len(names)),
            )
    for name in filter(class_names.means_none, spec.classes):
        logger.warning(
            "class %r may mean that there is no label. If so: "
            "`--set csv_example_gen.csv.missing=%s` leaves its rows out",
            *(name, name),
        )


def _warn_of_rare_classes(
    truth: ColumnSurvey, examples: Examples, spec: TableSpec, out: Path, run_on: BeamOptions
) -> None:
    written = class_names.merged(truth.counts)
    once = sorted(names[0] for names in written if _rows_of(names, truth) == 1)
    if once:
        logger.warning(
            "classes with one row in train: %s; add rows, or, if it means that there is no label: "
            "`--set csv_example_gen.csv.missing=%s`",
            *(_listed(once), once[0]),
        )
    few = {names[0]: rows for names in written if 1 < (rows := _rows_of(names, truth)) < _RARE}
    if few:
        logger.warning(
            "classes with under %d rows in train, which are hardly learnt: %s; add rows, write "
            "them as another class, or let all weigh the same by trainer.class_weight=balanced",
            *(_RARE, ", ".join(f"{name!r} ({few[name]})" for name in sorted(few)[:_SHOWN])),
        )
    elsewhere = table_survey.labels_elsewhere(examples, spec.target, out, run_on)
    known = set(map(class_names.meaning, spec.classes))
    unknown = sorted(name for name in elsewhere if class_names.meaning(name) not in known)
    if unknown:
        logger.warning(
            "classes that are not in train: %s; their %d rows will be set aside, unless "
            "csv_example_gen.splits gives train more rows, or their cells are corrected",
            *(_listed(unknown), sum(elsewhere[name] for name in unknown)),
        )


def _rows_of(names: Sequence[str], truth: ColumnSurvey) -> int:
    """How many rows have a class that is written in each of these ways."""
    return sum(map(truth.counts.__getitem__, names))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(repr, names[:_SHOWN])) + more


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
    return table_identifiers.are_whole(column.counts)


def _classes(truth: ColumnSurvey) -> tuple[str, ...]:
    if _is_number(truth):
        return tuple(sorted(truth.counts, key=float))
    classes = class_names.merged(truth.counts)
    for first, *others in classes:
        if others:
            logger.warning(
                "class %r is also written %s, and is learnt as one; write them as other words to "
                "tell them apart",
                *(first, _listed(others)),
            )
    return tuple(sorted(first for first, *_ in classes))


def _number(name: str, column: ColumnSurvey, survey: TableSurvey, options: TableOptions) -> Number:
    center, scale = {
        "z_score": (column.mean, column.deviation),
        "min_max": (column.low, column.high - column.low),
        "none": (0.0, 1.0),
    }[options.scaling]
    is_missing = column.present < survey.records
    indicator = options.missing_indicators and is_missing
    return Number(name, center, scale or 1.0, column.mean, indicator)


def _warn_of_stand_ins(columns: Mapping[str, ColumnSurvey]) -> None:
    for name, column in columns.items():
        counts = sorted((float(text), count) for text, count in column.counts.items())
        values, numbers = np.array(counts, np.float64).reshape(-1, 2).T
        for found in stand_ins.find(values, numbers.astype(np.int64)):
            logger.warning(
                "column %r: %s. If it means that there is no value: "
                "`--set csv_example_gen.csv.missing=%s`",
                *(name, found, found.text),
            )


def _log_spec(spec: TableSpec, left_out: Mapping[str, str]) -> None:
    """What each column became, a line for all of one fate."""
    if spec.numbers:
        missing = [each.name for each in spec.numbers if each.indicator]
        also = f"; missing cells in {', '.join(missing)}" if missing else ""
        logger.info("numbers: %s%s", ", ".join(_with_parts(spec.numbers)), also)
    sizes = zip((*spec.discrete, *spec.crosses), spec.sizes, strict=True)
    named = ", ".join(f"{each.name} ({size} ids)" for each, size in sizes)
    if named:
        logger.info("categories: %s", named)
    if left_out:
        logger.info(
            "left out: %s; analyze.features.include takes a column all the same", _reasons(left_out)
        )
    if spec.classes:
        logger.info("%d classes: %s", len(spec.classes), ", ".join(spec.classes[:_SHOWN]))


def _reasons(left_out: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({reason})" for name, reason in left_out.items()) or "no other column"


def _with_parts(numbers: Sequence[Number]) -> list[str]:
    """The names of `numbers`, the parts of a date as one: `when (day, month)`."""
    parts: dict[str, list[str]] = {}
    for each in numbers:
        name, _, part = each.name.rpartition("/")
        parts.setdefault(name or each.name, []).extend([part] if name else [])
    return [f"{name} ({', '.join(each)})" if each else name for name, each in parts.items()]
