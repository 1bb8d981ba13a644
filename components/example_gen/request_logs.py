"""The requests that a model server has logged to `Examples`."""

from etils.epath import Path

from millrace.components.artifacts import Examples, Model, RawFiles, Schema
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.example_gen.shards.folders import ListedRow, Listing
from millrace.components.example_gen.shards.tally import finish
from millrace.components.files.walk import is_hidden, is_unfinished, walk
from millrace.components.options.ranges import Shards, Share

_STEP = "request_log_example_gen"
_SUFFIXES = (".tfrecord", ".tfrecord.gz")


def request_log_example_gen(
    source: RawFiles,
    schema: Schema,
    model: Model | None,
    out: Path,
    *,
    run_on: BeamOptions,
    model_name: str,
    max_rejected: Share = 0.01,
    shards: Shards = 0,
) -> Examples:
    """Read back what was asked about a model, as raw records in the split `serving`.

    Every row of a logged Predict, Classify, Regress or MultiInference request becomes a record
    under the names that the training data has for it; pictures are measured again. Files that
    are still written (`.part`) are passed over.

    Args:
        source: TFRecord files of PredictionLog, or one of them.
        schema: of the training data; the records get its types.
        model: of a forecaster, says what its training windows are less.
        out: becomes the records.
        run_on: where Beam runs.
        model_name: requests about other models are passed over, and counted.
        max_rejected: share of unusable rows above which the step fails.
        shards: files to write; 0 makes one per 64 MiB, and no more than there are files.

    Raises:
        DataError: there are no such files, or no request about the model, or too many rows are
            unusable.
    """
    # Imported here: the command line imports this module for its signature alone.
    from millrace.components.example_gen.shards.writing import listed, shard_count, write_shards
    from millrace.components.example_gen.unlabelled_rows.logged_requests import (
        OTHERS,
        SPLIT,
        LoggedRequests,
    )
    from millrace.components.features.series_spec import bases_of
    from millrace.components.schema.serving import kinds
    from millrace.components.schema.text import read

    listing = _list(source.path)
    root = source.path if source.path.is_dir() else source.path.parent
    bases = bases_of(model.description) if model else {}
    logged = LoggedRequests(root, model_name, kinds(read(schema.file)), bases)
    examples = Examples(out)
    count = shard_count(root, listing.rows, shards)
    tally = write_shards(
        *(run_on, examples, logged, listing.rows),
        splits=[SPLIT],
        shards=count,
        reads=listed(root),
    )
    tally.rejected.extend(listing.rejected)
    if not tally.counts[SPLIT] and not tally.rejected:
        raise DataError(
            f"{source.path}: expected requests about {model_name!r}. Received: none, and "
            f"{tally.remarks.get(OTHERS, 0)} about other models. Serve it with logging "
            f"(`millrace serve --log FOLDER`), or name the folder of its log."
        )
    return finish(_STEP, examples, tally, listing.ignored, max_rejected, what="rows")


def _list(path: Path) -> Listing:
    """The log files at `path`, and what else lies there."""
    if not path.is_dir():
        return Listing([ListedRow(path.name, "")])
    entries = walk(path)
    names = [name for name in entries if is_unfinished(name) or not is_hidden(name)]
    listing = Listing(
        [ListedRow(name, "") for name in names if name.endswith(_SUFFIXES)],
        [name for name in names if not name.endswith(_SUFFIXES)],
    )
    if not listing.rows:
        raise DataError(
            f"{path}: expected a request log, files named *.tfrecord. Received: "
            f"{len(listing.ignored)} other file(s). A server finishes its files (.part until "
            "then) every minute and when it ends."
        )
    listing.set_aside(path, entries)
    return listing
