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

from etils.epath import Path

from millrace.components.artifacts import Examples, RawFiles, Rejected
from millrace.components.errors import DataError, ModelError, OptionError
from millrace.components.files.picture_names import is_other
from millrace.components.files.pictures import read_picture
from millrace.components.files.tfrecord import record_writer
from millrace.components.files.walk import is_hidden, unreadable, walk
from millrace.components.inference import predictions, requests
from millrace.components.inference.predictions import Prediction
from millrace.components.inference.saved_model import (
    SIGNATURE,
    InputRow,
    Models,
    Predict,
    RowAnswers,
    ahead,
    answer,
    batched,
    predictor,
    read_rows,
)
from millrace.serving import example
from millrace.serving.signature import Signature

Format = Literal["jsonl", "csv", "examples"]
PARTS = ".parts"  # folder of the parts of one text file, gone in the end
TIMES = "forecast/times"  # a feature, texts: of the rows that a forecaster is to forecast
_PICTURE = "image/encoded"  # the feature
UNLABELLED = "unlabelled"  # the split that files are put into
Write = Callable[[InputRow, Prediction], object]


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
    rejected, count, columns = list[Rejected](), 0, tuple[str, ...]()
    feature = "" if shard.is_examples else _feature_of_files(signature)
    shard, ignored = _without_others(shard, feature)
    batches = batched(input_rows(shard, feature), output.batch_size)
    with contextlib.ExitStack() as stack:
        writers = _writers(shard, output, signature, stack)
        for answers in ahead(functools.partial(_answer_batch, predict), batches):
            rejected += answers.rejected
            count += len(answers.rows)
            for row, prediction in zip(
                answers.rows, predictions.each(answers.outputs), strict=True
            ):
                columns = columns or tuple(predictions.as_columns(prediction))
                for write in writers:
                    write(row, prediction)
    return BulkResult(Counter({shard.split: count}), columns, tuple(rejected), ignored)


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


def input_rows(shard: BulkShard, feature: str) -> Iterator[InputRow | Rejected]:
    """What the model is asked about, `feature` being what a file's bytes are."""
    yield from shard.rejected
    for name in shard.files:
        file = Path(shard.folder) / name
        if shard.is_examples:
            yield from read_rows(file)
        else:
            try:
                data = file.read_bytes()
                yield InputRow(name, "", {feature: [_as_learnt(data, feature)]})
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


def _answer_batch(predict: Predict, batch: Sequence[InputRow | Rejected]) -> RowAnswers:
    """The answers of a batch; the rejected include those that never reached the model."""
    answers = answer(predict, [row for row in batch if isinstance(row, InputRow)])
    lost = [row for row in batch if isinstance(row, Rejected)]
    return dataclasses.replace(answers, rejected=lost + answers.rejected)


def _writers(
    shard: BulkShard, output: BulkOutput, signature: Signature, stack: contextlib.ExitStack
) -> list[Write]:
    """A function for each file that a row goes into; the stack closes the files."""
    out = Path(output.folder)
    writers: list[Write] = []
    if output.prediction_logs:
        file = f"prediction_logs-{shard.index:05d}-of-{shard.shards:05d}.gz"
        log = stack.enter_context(record_writer(out / file))
        writers.append(lambda row, found: log(predictions.as_log(row, found, signature)))
    if output.format == "examples":
        path = Examples(out).shard(shard.split, shard.split_index, shard.split_shards)
        path.parent.mkdir(parents=True, exist_ok=True)
        record = stack.enter_context(record_writer(path))
        writers.append(lambda row, found: record(_encode(row, found)))
    else:
        line = _json_line if output.format == "jsonl" else _csv_line
        part = out / PARTS / f"{shard.index:05d}"
        text = stack.enter_context(part.open("w"))
        writers.append(lambda row, found: text.write(line(shard.split, row, found)))
    return writers


def _json_line(split: str, row: InputRow, found: Prediction) -> str:
    content = {"filename": row.source, "split": split, **predictions.as_json(found)}
    times = row.features.get(TIMES)
    if isinstance(times, list):
        content["times"] = [time.decode() for time in times]
    return json.dumps(content, ensure_ascii=False) + "\n"


def _csv_line(split: str, row: InputRow, found: Prediction) -> str:
    return csv_line([row.source, split, *predictions.as_columns(found).values()])


def _encode(row: InputRow, found: Prediction) -> bytes:
    return example.encode(
        {"filename": row.source, **row.features, **predictions.as_features(found)}
    )
