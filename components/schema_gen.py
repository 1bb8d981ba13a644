"""The schema that data must satisfy: inferred, a curated file imported, or cut to requests."""

import logging
from typing import Literal

from etils.epath import Path

from millrace.components.artifacts import Model, RawFiles, Schema, Statistics
from millrace.components.errors import DataError
from millrace.components.options.ranges import Count, Share

logger = logging.getLogger(__name__)

Threshold = Share | None


def schema_gen(
    statistics: Statistics,
    out: Path,
    *,
    splits: Literal["train", "all"] = "train",
    infer_feature_shape: bool = True,
    disallow_nan: bool = True,
    max_categories: Count = 1000,
    categorical: tuple[str, ...] = ("image/class/text",),
    labels: tuple[str, ...] = ("image/class/label", "label"),
    min_examples: Count | None = None,
    drift_linf: Threshold = None,
    drift_js: Threshold = None,
    skew_linf: Threshold = None,
    skew_js: Threshold = None,
) -> Schema:
    """Infer a schema: types, presence, shapes, classes and ranges of every feature.

    Args:
        statistics: of the data that is taken to be right.
        out: gets `schema.pbtxt`.
        splits: infer from the split `train` alone, or from all.
        infer_feature_shape: lists that are equally long in every record must stay that long;
            not where each record is a whole series, whose lengths say nothing.
        disallow_nan: a float feature without NaN must stay so; not where NaN is a missing cell,
            as in series.
        max_categories: text with more values than this gets no domain.
        categorical: text features that are categories even if their values hardly repeat.
        labels: integer features whose range becomes their domain.
        min_examples: a split with fewer records is an anomaly.
        drift_linf: how far, by L-infinity (0 to 1), a categorical feature may drift from
            the previous run's statistics.
        drift_js: the same for numeric features, by Jensen-Shannon divergence (0 to 1).
        skew_linf: how far a categorical feature of another split may be from `train`.
        skew_js: the same for numeric features.

    Raises:
        DataError: there is no split `train`, or the splits hold no records, or a feature is
            of different types in two splits.
    """
    # Imported here: the command line imports this module for its signature alone.
    from millrace.components.schema.infer import SchemaRules, infer
    from millrace.components.schema.text import write
    from millrace.components.statistics.reading import read

    found = statistics.splits
    chosen = [split for split in found if splits == "all" or split == "train"]
    datasets = [read(statistics, split) for split in chosen]
    if not any(dataset.num_examples for dataset in datasets):
        raise DataError(
            f"{statistics.path}: expected records in {splits} to infer a schema from. "
            f"Received: splits {', '.join(found) or 'none'}, with records in none of "
            f"{chosen}. Give data for `train`, or set `schema_gen.splits=all`."
        )
    schema = infer(
        datasets,
        SchemaRules(
            fixed_shapes=infer_feature_shape,
            disallow_nan=disallow_nan,
            max_categories=max_categories,
            categorical=categorical,
            labels=labels,
            min_examples=min_examples,
            drift_linf=drift_linf,
            drift_js=drift_js,
            skew_linf=skew_linf,
            skew_js=skew_js,
        ),
    )
    artifact = Schema(out)
    write(schema, artifact.file)
    logger.info("%d features inferred from %s", len(schema.feature), ", ".join(chosen))
    return artifact


def import_schema(source: RawFiles, out: Path) -> Schema:
    """Take over a curated schema, checked and otherwise unchanged, comments included.

    Args:
        source: a schema in protobuf's text form, or a folder with `schema.pbtxt`.
        out: gets `schema.pbtxt`.

    Raises:
        DataError: there is no such file, it is not a schema (with the line), or it contradicts
            itself.
    """
    from millrace.components.schema.text import read, unchecked_in

    file = source.path / "schema.pbtxt" if source.path.is_dir() else source.path
    schema = read(file)
    artifact = Schema(out)
    artifact.file.write_bytes(file.read_bytes())
    for constraint in unchecked_in(schema):
        logger.warning("%s: %s is kept, but example_validator does not check it", file, constraint)
    logger.info("%d features imported from %s", len(schema.feature), file)
    return artifact


def serving_schema(
    schema: Schema,
    model: Model,
    out: Path,
    *,
    skew_linf: Threshold = 0.1,
    skew_js: Threshold = 0.1,
) -> Schema:
    """The part of a training schema that requests have to satisfy, with limits for skew.

    TFX calls it an environment: labels, and what else the model does not take, are not in it.

    Args:
        schema: of the data that the model was trained on; limits that it has are kept.
        model: whose signatures say what it takes.
        out: gets `schema.pbtxt`.
        skew_linf: how far a categorical feature may be from the training data, by L-infinity
            (0 to 1).
        skew_js: the same for numeric features, by Jensen-Shannon divergence (0 to 1).
    """
    # Imported here: the command line imports this module for its signature alone.
    from millrace.components.inference.requests import request_features
    from millrace.components.schema.serving import for_requests
    from millrace.components.schema.text import read, write

    taken = request_features(model.description["signatures"])
    found = for_requests(read(schema.file), taken, linf=skew_linf, js=skew_js)
    artifact = Schema(out)
    write(found, artifact.file)
    logger.info("requests have %s", ", ".join(feature.name for feature in found.feature))
    return artifact
