"""Predict whole data sets: Examples, or a folder of files."""

import functools
import logging
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from etils.epath import Path

from millrace.components.artifacts import (
    Evaluation,
    Examples,
    InferenceResult,
    Model,
    RawFiles,
)
from millrace.components.beam.exchange import Reads
from millrace.components.beam.options import BeamOptions
from millrace.components.beam.rejected import check_rejected
from millrace.components.beam.shard_pass import shard_pass
from millrace.components.errors import DataError, ModelError, OptionError
from millrace.components.options.ranges import Count, Share
from millrace.serving import tensorflow_import

if TYPE_CHECKING:
    from millrace.components.inference.bulk import BulkOutput, BulkResult, BulkShard

_log = logging.getLogger(__name__)


def bulk_inferrer(
    model: Model,
    evaluation: Evaluation | None,
    examples: Examples | None,
    source: RawFiles | None,
    out: Path,
    *,
    run_on: BeamOptions,
    format: Literal["jsonl", "csv", "examples"] = "jsonl",  # noqa: A002  # the option's name
    prediction_logs: bool = True,
    splits: tuple[str, ...] = (),
    batch_size: Count = 128,
    files_per_shard: Count = 1000,
    allow_unblessed: bool = False,
    max_rejected: Share = 0.01,
) -> InferenceResult:
    """Predict every record of Examples, or every file of a folder and the folders in it.

    A picture is read as an ingest reads it: what TensorFlow cannot decode is encoded again, and
    notes and tables beside the pictures are ignored.

    The predictions lie in the order of the records, or of the files' names:

        predictions.jsonl        `filename`, `split` and the model's outputs
        predictions.csv          the same, one column per value
        Split-<name>/            the records with features `prediction/<output>`, as Examples
        prediction_logs-*.gz     PredictionLog: each request as a model server would get it
        rejected.jsonl           rows that could not be predicted: source, position, reason
        summary.json             how many of each

    Args:
        model: called by its `serving_default` signature.
        evaluation: its evaluator's verdict, if it has one.
        examples: what to predict.
        source: what to predict instead: a file, a folder, or an archive of one; hidden files
            are passed over.
        out: where the predictions go.
        run_on: the Beam runner.
        format: of the predictions.
        prediction_logs: whether to write those too; they hold the inputs.
        splits: of the examples; none named means all.
        batch_size: rows per call of the model.
        files_per_shard: how many files one worker reads in a row.
        allow_unblessed: whether to go on with a model that its evaluator did not bless.
        max_rejected: share of rows that may be set aside.

    Raises:
        ModelError: the model is not blessed.
        OptionError: not exactly one of `examples` and `source`, or an unknown split.
        DataError: nothing to predict, or too much that cannot be.
    """
    _check_blessing(evaluation, allow_unblessed=allow_unblessed)
    if (examples is None) == (source is None):
        raise OptionError(
            "bulk_inferrer: expected `examples` or `source`. "
            f"Received: {'neither' if examples is None else 'both'}. Wire one of them."
        )
    tensorflow_import.load()
    from millrace.components.inference import bulk

    output = bulk.BulkOutput(str(out), format, prediction_logs, batch_size)
    if source is not None:
        done = _predict_files(model, source, output, run_on, files_per_shard)
    elif examples is not None:
        done = _run(model, bulk.example_shards(examples, splits), output, run_on)
    total = done.counts.total() + len(done.rejected)
    check_rejected("bulk_inferrer", done.rejected, total, max_rejected, what="rows")
    if done.rejected:
        _log.info("%d of %d rows were set aside, see rejected.jsonl", len(done.rejected), total)
    if format == "examples":
        Examples(out).write_summary(dict(sorted(done.counts.items())), done.rejected)
    else:
        _join_parts(out, format, done.columns)
    for split, count in sorted(done.counts.items()):
        _log.info("predicted %d rows of split %r", count, split)
    return InferenceResult(out)


def _check_blessing(evaluation: Evaluation | None, *, allow_unblessed: bool) -> None:
    if evaluation is not None and not evaluation.blessed and not allow_unblessed:
        raise ModelError(
            f"Model of {evaluation.path}: expected one that its evaluator blessed. Received: "
            f"one it did not bless ({'; '.join(evaluation.reasons)}). "
            "Train a better one, or set `allow_unblessed`."
        )


def _predict_files(
    model: Model, source: RawFiles, output: "BulkOutput", run_on: BeamOptions, files_per_shard: int
) -> "BulkResult":
    """The files of a folder, or of the archive of one.

    Raises:
        DataError: there is nothing to predict.
    """
    from millrace.components.files import archives
    from millrace.components.inference import bulk

    with archives.unpacked(source.path, Path(output.folder)) as files:
        shards = bulk.file_shards(RawFiles(files), files_per_shard)
        done = _run(model, shards, output, run_on)
    if done.ignored:
        _log.info("%d files are no pictures by their names: ignored", done.ignored)
    if not done.counts.total() and not done.rejected:
        raise DataError(f"{source.path}: expected pictures. Received: none. Check the path.")
    return done


def _run(
    model: Model, shards: "list[BulkShard]", output: "BulkOutput", run_on: BeamOptions
) -> "BulkResult":
    """One pass over the shards, each of which writes its own files; leaves their summary."""
    from millrace.components.inference import bulk
    from millrace.components.inference.saved_model import Models

    out = Path(output.folder)
    if output.format != "examples":
        (out / bulk.PARTS).mkdir()
    predict = functools.partial(bulk.predict_shard, models=Models(model.saved_model), output=output)
    reads = Reads(Path(shards[0].folder), lambda shard: shard.files)  # all are of one folder
    done = bulk.merge(shard_pass("Predict", shards, predict, out, run_on, reads=reads))
    bulk.write_summary(done, output.folder)
    return done


def _join_parts(out: Path, form: str, columns: Sequence[str]) -> None:
    """Make one text file of the shards' parts, in their order; remove the parts."""
    from millrace.components.inference.bulk import PARTS, csv_line

    parts = out / PARTS
    with (out / f"predictions.{form}").open("wb") as whole:
        if form == "csv":
            whole.write(csv_line(["filename", "split", *columns]).encode())
        for part in sorted(parts.iterdir()):
            with part.open("rb") as file:
                shutil.copyfileobj(file, whole)
    parts.rmtree()
