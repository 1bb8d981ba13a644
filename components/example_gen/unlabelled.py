"""Rows to be predicted to `Examples`, read as the model's training data was."""

import itertools
import logging
from collections.abc import Iterator

from etils.epath import Path

from millrace.components.artifacts import Analysis, Examples, Model, RawFiles, Rejected
from millrace.components.options.ranges import Count, Share

_STEP = "unlabelled_example_gen"
_log = logging.getLogger(__name__)
SPLIT = "unlabelled"


def unlabelled_example_gen(
    source: RawFiles,
    model: Model,
    learnt: Examples | None,
    analysis: Analysis | None,
    out: Path,
    *,
    rows_per_shard: Count = 50_000,
    max_rejected: Share = 0.01,
) -> Examples:
    """Read the rows of a table, or the end of each series, as raw records in one split.

    Cells are read as the training data's were (`source.json` beside its records): delimiter aside,
    which is the file's own, its numbers, dates, missing cells and time zone. Columns that the
    model does not take, such as the label, are ignored. A record's `filename` says where it
    stood, a forecaster's `forecast/times` what is forecast.

    Args:
        source: a table, or a folder of them.
        model: says what it takes.
        learnt: what it was trained on. None: the cells are read as they look.
        analysis: what was settled of that; a forecaster needs both.
        out: becomes the records.
        rows_per_shard: of a file of records, each of which one worker predicts.
        max_rejected: share of rows that may be unusable.

    Raises:
        DataError: it is no table of the model's, or too many rows are unusable.
    """
    from millrace.components.example_gen.shards.tally import IngestTally, finish
    from millrace.components.files.tfrecord import write_records

    tally = IngestTally({SPLIT: {}})
    examples = Examples(out)
    examples.split_path(SPLIT).mkdir(parents=True)

    def usable() -> Iterator[bytes]:
        for item in _read(source.path, model, learnt, analysis):
            if isinstance(item, Rejected):
                tally.rejected.append(item)
            else:
                tally.count(SPLIT, "")
                yield item

    records, parts = usable(), list[Path]()
    while first := list(itertools.islice(records, 1)):
        parts.append(out / f"part-{len(parts)}.gz")
        rest = itertools.islice(records, rows_per_shard - 1)
        write_records(parts[-1], itertools.chain(first, rest))
    for index, part in enumerate(parts):
        part.rename(examples.shard(SPLIT, index, len(parts)))
    return finish(_STEP, examples, tally, (), max_rejected, what="rows")


def takes_rows(model: Model, data: str) -> bool:
    """Whether `model` is asked about the rows of the files at `data`, not about each file.

    A model of texts is where the one file there is a table.
    """
    if not (model.path / "model.json").exists():
        return False
    wanted = _wanted(model)
    if "image/encoded" in wanted or not wanted:
        return False
    if list(wanted) == ["text"] and model.description["kind"] != "table":
        from millrace.components.example_gen.texts import tables

        return Path(data).is_file() and tables.is_table(data)
    return True


def _wanted(model: Model) -> dict[str, bool]:
    """The features that fill the model's inputs, and whether each is text."""
    from millrace.components.inference.requests import feature_of

    signatures = model.description["signatures"]
    inputs = signatures.get("serving_default", {"inputs": {}})["inputs"]
    return {
        feature_of(alias): tensor["dtype"] == "string"
        for alias, tensor in inputs.items()
        if tensor["shape"] != []
    }


def _read(
    path: Path, model: Model, learnt: Examples | None, analysis: Analysis | None
) -> Iterator[bytes | Rejected]:
    from millrace.components.example_gen.csv.files import list_tables
    from millrace.components.example_gen.unlabelled_rows import reading
    from millrace.components.example_gen.unlabelled_rows import source as sources
    from millrace.components.features import spec as specs
    from millrace.serving.example import Value, encode

    wanted = _wanted(model)
    source = sources.read(learnt) if learnt else None
    spec = specs.read(analysis.file) if analysis else None
    root, listing = list_tables(path)
    yield from listing.rejected
    for file in (root / row.path for row in listing.rows):
        for item in reading.read(file, wanted, source, spec):
            if isinstance(item, Rejected):
                yield item
                continue
            place = item.name if item.times else f"{file.name}, {item.name}"
            named: dict[str, Value] = {"filename": place}
            if item.times:
                named["forecast/times"] = [time.encode() for time in item.times]
            yield encode({**named, **item.features})
