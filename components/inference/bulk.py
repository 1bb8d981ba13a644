"""A shard of rows, predicted and written: what a Beam worker does for `bulk_inferrer`.

A shard is a file of Examples or a list of files. Each writes its own part of the output, in
the order of its rows; nothing but counts and rejected rows travels on.
"""

import contextlib
import csv
import dataclasses
import functools
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
from etils.epath import Path

from millrace.components.artifacts import Examples, RawFiles, Rejected
from millrace.components.errors import DataError, ModelError, OptionError
from millrace.components.files import arrow_examples, columns
from millrace.components.files.picture_names import is_other
from millrace.components.files.pictures import read_picture
from millrace.components.files.tfrecord import record_writer
from millrace.components.files.walk import is_hidden, unreadable, walk
from millrace.components.inference import prediction_logs, predictions, requests
from millrace.components.inference.rows import Rows, read_rows
from millrace.components.inference.saved_model import (
    SIGNATURE,
    Models,
    Outputs,
    RowAnswers,
    ahead,
    answer,
    batched,
    predictor,
)
from millrace.serving import example
from millrace.serving.signature import Signature

Format = Literal["jsonl", "csv", "examples"]
PARTS = ".parts"  # folder of the parts of one text file, gone in the end
TIMES = "forecast/times"  # a feature, texts: of the rows that a forecaster is to forecast
_PICTURE = "image/encoded"  # the feature
_SOURCE = "filename"  # the feature
UNLABELLED = "unlabelled"  # the split that files are put into
Write = Callable[[Rows, Outputs], object]


@dataclasses.dataclass(frozen=True)
class BulkShard:
    """Rows to predict: `files` below `folder`, one file of Examples where `is_examples`.

    `index` counts from 0 over all of `shards`; `split_index` over the `split_shards` of its
    split. `rejected` beside them could not be read as files.
    """

    index: int
    shards: int
    split: str
    split_index: int
    split_shards: int
    folder: str
    files: tuple[str, ...]
    is_examples: bool
    rejected: tuple[Rejected, ...] = ()


@dataclasses.dataclass(frozen=True)
class BulkOutput:
    """Where and how to write what bulk inference predicts."""

    folder: str
    format: Format
    prediction_logs: bool
    batch_size: int


@dataclasses.dataclass(frozen=True)
class BulkResult:
    """Rows predicted by split, the columns of a CSV file, the rows set aside, and how many files
    are none.
    """

    counts: Counter[str] = dataclasses.field(default_factory=Counter)
    columns: tuple[str, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    ignored: int = 0


def example_shards(examples: Examples, splits: Sequence[str]) -> list[BulkShard]:
    """The files of `splits`, or of all splits where none is named.

    Raises:
        OptionError: there is no such split.
        DataError: there is no file.
    """
    there = examples.splits
    if unknown := [split for split in splits if split not in there]:
        raise OptionError(
            f"splits: expected some of {', '.join(there)}. Received: {', '.join(unknown)}. "
            "Choose among these."
        )
    named = [
        (split, (f"{file.parent.name}/{file.name}",))
        for split in (splits or there)
        for file in examples.files(split)
    ]
    return _shards(named, examples.path, examples.path, is_examples=True)


def file_shards(source: RawFiles, files_per_shard: int) -> list[BulkShard]:
    """The files of a folder and the folders in it, by name; hidden ones are passed over.

    Raises:
        DataError: there is no file, or none that can be read.
    """
    if source.path.is_dir():
        folder, entries = source.path, walk(source.path)
    else:
        folder = source.path.parent
        entries = {source.path.name: ""} if source.path.exists() else {}
    names = [name for name in entries if not is_hidden(name)]
    reasons = unreadable(source.path, entries, names)
    usable = [name for name in names if name not in reasons]
    named = [
        (UNLABELLED, tuple(usable[start : start + files_per_shard]))
        for start in range(0, len(usable), files_per_shard)
    ]
    first, *others = _shards(named, source.path, folder, is_examples=False)
    rejected = tuple(Rejected(name, reason) for name, reason in reasons.items())
    return [dataclasses.replace(first, rejected=rejected), *others]


def _shards(
    named: Sequence[tuple[str, tuple[str, ...]]], place: Path, folder: Path, *, is_examples: bool
) -> list[BulkShard]:
    if not named:
        raise DataError(
            f"{place}: expected one file or more to predict. Received: none. "
            "Name a folder that holds some."
        )
    sizes = Counter(split for split, _ in named)
    seen = Counter[str]()
    shards = []
    for index, (split, names) in enumerate(named):
        where = (index, len(named), split, seen[split], sizes[split])
        shards.append(BulkShard(*where, str(folder), names, is_examples))
        seen[split] += 1
    return shards


def merge(parts: Iterable[BulkResult]) -> BulkResult:
    """All of them together, in any order."""
    known = list(parts)
    rejected = [item for part in known for item in part.rejected]
    return BulkResult(
        counts=sum((part.counts for part in known), Counter()),
        columns=next((part.columns for part in known if part.columns), ()),
        rejected=tuple(sorted(rejected, key=lambda item: (item.source, item.position))),
        ignored=sum(part.ignored for part in known),
    )


def predict_shard(shard: BulkShard, models: Models, output: BulkOutput) -> BulkResult:
    """Predict the rows of `shard` and write its part of the output."""
    (model,) = models.load()
    predict = predictor(model)
    signature = model.signatures[SIGNATURE]
    rejected, count, names = list[Rejected](), 0, tuple[str, ...]()
    feature = "" if shard.is_examples else _feature_of_files(signature)
    shard, ignored = _without_others(shard, feature)
    size = output.batch_size

    def ask(asked: tuple[Rows, list[Rejected]]) -> RowAnswers:
        answers = answer(predict, asked[0], size)
        return dataclasses.replace(answers, rejected=asked[1] + answers.rejected)

    with contextlib.ExitStack() as stack:
        writers = _writers(shard, output, signature, stack)
        for answers in ahead(ask, input_rows(shard, feature, size)):
            rejected += answers.rejected
            count += len(answers.rows)
            if len(answers.rows):
                names = names or tuple(next(predictions.as_columns(answers.outputs)))
                for write in writers:
                    write(answers.rows, answers.outputs)
    return BulkResult(Counter({shard.split: count}), names, tuple(rejected), ignored)


def write_summary(done: BulkResult, out: str) -> None:
    """Write `rejected.jsonl` and `summary.json`, whose `counts` are rows predicted by split."""
    folder = Path(out)
    lines = [json.dumps(dataclasses.asdict(item), ensure_ascii=False) for item in done.rejected]
    (folder / "rejected.jsonl").write_text("".join(line + "\n" for line in lines))
    summary = {
        "counts": dict(sorted(done.counts.items())),
        "rejected": len(lines),
        "ignored": done.ignored,
        "columns": done.columns,
    }
    (folder / "summary.json").write_text(json.dumps(summary, indent=1, ensure_ascii=False))


def csv_line(values: Iterable[object]) -> str:
    """One line of a CSV file (RFC 4180, but for its line end)."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(values)
    return line.getvalue()


def _without_others(shard: BulkShard, feature: str) -> tuple[BulkShard, int]:
    """`shard` without the files that are no pictures by their names, where pictures are wanted."""
    if feature != _PICTURE:
        return shard, 0
    files = tuple(name for name in shard.files if not is_other(name))
    return dataclasses.replace(shard, files=files), len(shard.files) - len(files)


def input_rows(shard: BulkShard, feature: str, size: int) -> Iterator[tuple[Rows, list[Rejected]]]:
    """What the model is asked about, and what it cannot be.

    Args:
        shard: the files.
        feature: what a file's bytes are.
        size: rows are a multiple of it, files as many; but for the last ones.
    """
    if shard.is_examples:
        for name in shard.files:
            for rows in read_rows(Path(shard.folder) / name, size):
                yield rows, []
        return
    for batch in batched(_read_files(shard, feature), size):
        rejected = [each for each in batch if isinstance(each, Rejected)]
        read = [each for each in batch if not isinstance(each, Rejected)]
        features: list[example.Decoded] = [{feature: [data]} for _, data in read]
        yield Rows.of(features, [name for name, _ in read], [""] * len(read)), rejected


def _read_files(shard: BulkShard, feature: str) -> Iterator[tuple[str, bytes] | Rejected]:
    yield from shard.rejected
    for name in shard.files:
        try:
            data = (Path(shard.folder) / name).read_bytes()
            yield name, _as_learnt(data, feature)
        except OSError as error:
            yield Rejected(name, f"cannot be read: {error.strerror or error}")
        except DataError as error:
            yield Rejected(name, str(error))


def _as_learnt(data: bytes, feature: str) -> bytes:
    """`data` in the form that an ingest gives to what is learnt from.

    Raises:
        DataError: it is no picture where one is wanted.
    """
    return read_picture(data).encoded if feature == _PICTURE else data


def _feature_of_files(signature: Signature) -> str:
    """The feature that a file's bytes are.

    Raises:
        ModelError: the model takes more than one text or picture.
    """
    aliases = [alias for alias, tensor in signature.inputs.items() if tensor.shape != ()]
    if len(aliases) == 1 and signature.inputs[aliases[0]].dtype == "string":
        return requests.feature_of(aliases[0])
    raise ModelError(
        "source: expected a model that takes one picture or text, for each file to be one. "
        f"Received one that takes {', '.join(aliases)}. Give it Examples instead."
    )


def _writers(
    shard: BulkShard, output: BulkOutput, signature: Signature, stack: contextlib.ExitStack
) -> list[Write]:
    """A function for each file that a row goes into; the stack closes the files."""
    out = Path(output.folder)
    writers: list[Write] = []
    if output.prediction_logs:
        file = f"prediction_logs-{shard.index:05d}-of-{shard.shards:05d}.gz"
        log = stack.enter_context(record_writer(out / file))
        logged = functools.partial(prediction_logs.logs, signature=signature)
        writers.append(lambda rows, found: log(list(logged(rows.features, found))))
    if output.format == "examples":
        path = Examples(out).shard(shard.split, shard.split_index, shard.split_shards)
        path.parent.mkdir(parents=True, exist_ok=True)
        record = stack.enter_context(record_writer(path))
        writers.append(lambda rows, found: record(arrow_examples.as_bytes(_encoded(rows, found))))
    else:
        lines = _json_lines if output.format == "jsonl" else _csv_lines
        part = out / PARTS / f"{shard.index:05d}"
        text = stack.enter_context(part.open("w"))
        writers.append(lambda rows, found: text.writelines(lines(shard.split, rows, found)))
    return writers


def _json_lines(split: str, rows: Rows, found: Outputs) -> Iterator[str]:
    names = [name for name in (TIMES,) if name in rows.features.schema.names]
    others = columns.rows(rows.features.select(names))
    each = zip(rows.sources, predictions.as_json(found), others, strict=True)
    for source, prediction, other in each:
        content = {"filename": source, "split": split, **prediction}
        times = other.get(TIMES)
        if isinstance(times, list):
            content["times"] = [time.decode() for time in times]
        yield json.dumps(content, ensure_ascii=False) + "\n"


def _csv_lines(split: str, rows: Rows, found: Outputs) -> Iterator[str]:
    for source, cells in zip(rows.sources, predictions.as_columns(found), strict=True):
        yield csv_line([source, split, *cells.values()])


def _encoded(rows: Rows, found: Outputs) -> pa.BinaryArray:
    """The records of `rows` with their predictions, and with their source where they name none."""
    features = dict(zip(rows.features.schema.names, rows.features.columns, strict=True))
    cells = {**features, **predictions.as_features(found)}
    own = features.get(_SOURCE)
    is_named = np.zeros(len(rows), bool) if own is None else ~columns.is_null(own)
    if is_named.all():
        return arrow_examples.records(cells, prefix_last=True)
    if not is_named.any():
        sources = pa.array(rows.sources, pa.string())
        return arrow_examples.records({**cells, _SOURCE: sources}, prefix_last=True)
    masks = (is_named, ~is_named)
    parts = [
        _encoded(rows.where(mask), {name: each[mask] for name, each in found.items()})
        for mask in masks
    ]
    places = np.concatenate([np.flatnonzero(mask) for mask in masks])
    return pa.concat_arrays(parts).take(pa.array(np.argsort(places)))
