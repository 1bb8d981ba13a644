"""Rows to be predicted to `Examples`, read as the model's training data was."""

import itertools
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from etils.epath import Path

from millrace.components.artifacts import Analysis, Examples, Model, RawFiles, Rejected
from millrace.components.options.ranges import Count, Share

if TYPE_CHECKING:
    from millrace.components.example_gen.unlabelled_rows.reading import UnlabelledRow

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
    """Read rows of tables, texts, or the end of each series, as raw records in one split.

    Cells are read as the training data's were (`source.json` beside its records): delimiter aside,
    which is the file's own, its numbers, dates, missing cells and time zone. Columns that the
    model does not take, such as the label, are ignored. A record's `filename` says where it
    stood, a forecaster's `forecast/times` what is forecast.

    Args:
        source: a table or texts, or a folder or an archive of them.
        model: says what it takes.
        learnt: what it was trained on. None: the cells are read as they look.
        analysis: what was settled of that; a forecaster needs both.
        out: becomes the records.
        rows_per_shard: of a file of records, each of which one worker predicts.
        max_rejected: share of rows that may be unusable.

    Raises:
        DataError: it is nothing that the model takes, or too many rows are unusable.
    """
    from millrace.components.example_gen.shards.tally import IngestTally, finish
    from millrace.components.files import archives
    from millrace.components.files.tfrecord import write_records
    from millrace.components.files.walk import is_hidden

    tally, ignored = IngestTally({SPLIT: {}}), list[str]()
    examples = Examples(out)
    examples.split_path(SPLIT).mkdir(parents=True)

    def usable(root: Path) -> Iterator[bytes]:
        for item in _read(root, model, learnt, analysis, ignored):
            if isinstance(item, Rejected):
                tally.rejected.append(item)
            else:
                tally.count(SPLIT, "")
                yield item

    parts = list[Path]()
    with archives.unpacked(source.path, out, is_hidden) as root:
        records = usable(root)
        while first := list(itertools.islice(records, 1)):
            parts.append(out / f"part-{len(parts)}.gz")
            rest = itertools.islice(records, rows_per_shard - 1)
            write_records(parts[-1], itertools.chain(first, rest))
    for index, part in enumerate(parts):
        part.rename(examples.shard(SPLIT, index, len(parts)))
    return finish(_STEP, examples, tally, ignored, max_rejected, what="rows")


def takes_rows(model: Model) -> bool:
    """Whether `model` is asked about rows, lines or texts, which are read as its training data was.

    A model of pictures is asked about the files as they are.
    """
    wanted = _wanted(model) if (model.path / "model.json").exists() else {}
    return bool(wanted) and "image/encoded" not in wanted


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
    path: Path,
    model: Model,
    learnt: Examples | None,
    analysis: Analysis | None,
    ignored: list[str],
) -> Iterator[bytes | Rejected]:
    """The records of what `path` holds; files that are not used are added to `ignored`."""
    from millrace.components.example_gen.csv.files import list_tables
    from millrace.components.example_gen.unlabelled_rows import reading
    from millrace.components.example_gen.unlabelled_rows import source as sources
    from millrace.components.features import spec as specs
    from millrace.serving.example import encode

    wanted = _wanted(model)
    source = sources.read(learnt) if learnt else None
    if reading.takes_texts(wanted, source):
        from millrace.components.example_gen.unlabelled_rows import texts

        learnt_from = source if isinstance(source, sources.TextSource) else None
        found, others = texts.read_all(path, learnt_from)
        ignored += others
        for text in found:
            if isinstance(text, Rejected):
                yield text
            else:
                yield encode({"filename": text[0], "text": text[1]})
        return
    spec = specs.read(analysis.file) if analysis else None
    root, listing = list_tables(path)
    ignored += listing.ignored
    yield from listing.rejected
    for row in listing.rows:
        for item in reading.read(root / row.path, wanted, source, spec):
            yield item if isinstance(item, Rejected) else _record(row.path, item)


def _record(path: str, item: "UnlabelledRow") -> bytes:
    from millrace.serving.example import Value, encode

    named: dict[str, Value] = {"filename": item.name if item.times else f"{path}, {item.name}"}
    if item.times:
        named["forecast/times"] = [time.encode() for time in item.times]
    return encode({**named, **item.features})
