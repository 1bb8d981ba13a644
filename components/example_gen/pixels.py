"""CSV files of pixels, one picture a line, and NumPy arrays to `Examples` of images."""

from typing import Annotated, Literal

from etils.epath import Path
from pydantic import Field

from millrace.components.artifacts import Examples, RawFiles
from millrace.components.beam.options import BeamOptions
from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.shards.splits import DEFAULT_SHARES, Shares, SplitRule
from millrace.components.example_gen.shards.tally import finish
from millrace.components.options.ranges import Shards, Share, ShareBelowOne

_STEP = "pixels_example_gen"

Side = Annotated[int, Field(ge=1, le=4096)]
DETECTED = CsvFormat()


def pixels_example_gen(
    source: RawFiles,
    out: Path,
    *,
    run_on: BeamOptions,
    splits: Shares = DEFAULT_SHARES,
    eval_from_train: ShareBelowOne = 0.0,
    label_column: str = "",
    csv: CsvFormat = DETECTED,
    height: Side | None = None,
    width: Side | None = None,
    channels: Literal[1, 3] | None = None,
    max_rejected: Share = 0.01,
    shards: Shards = 0,
) -> Examples:
    """Turn lines of a label and pixels 0 to 255, row by row, into records of PNGs.

    Such as Sign-Language-MNIST's `label,pixel1,...,pixel784`. Lines are read as a stream; one
    with a cell too few or too many or a pixel that is no number from 0 to 255 is set
    aside with its line, one without a label is unlabelled. An `.npz` holds pictures [n, height,
    width] or [n, height, width, channels], or their pixels [n, pixels], and labels [n], by splits
    or not, such as Keras' `x_train`, `y_train`, `x_test`, `y_test`; its floats are 0 to 1.

    Args:
        source: a CSV or `.npz` file, a folder of them, or an archive of either;
            `sign_mnist_train.csv` is of the split train.
        out: becomes the records.
        run_on: where Beam runs.
        splits: share of each split, chosen by the pixels; used for files of no split.
        eval_from_train: share of a given train split to hold out as `eval`, where the data
            has no eval split of its own.
        label_column: the column with the class, or `first` or `last`; if not given, it is found
            by its name, or by the values in the first and the last.
        csv: how a CSV is written.
        height: of the pictures, in pixels; if not given, it follows from the width, and
            without that they are square.
        width: likewise.
        channels: 1 grey, 3 red, green, blue of each pixel in turn; if not given, whichever
            makes a square.
        max_rejected: share of unusable lines above which the step fails.
        shards: files per split; 0 makes one per 64 MiB.

    Raises:
        DataError: there is no such file, its columns make no picture, it has fewer than two
            classes, which column holds them cannot be told, or too many lines are unusable.
        OptionError: the shares are not valid.
    """
    from millrace.components.example_gen.images import arrays, pixel_rows, pixel_tables
    from millrace.components.files import archives
    from millrace.components.files.walk import is_hidden

    rule = SplitRule.of(_STEP, splits, eval_from_train)
    options = pixel_rows.PixelOptions(label_column, csv, height, width, channels)
    examples = Examples(out)
    with archives.unpacked(source.path, out, is_hidden) as root:
        write = arrays.write_files if arrays.holds_arrays(root) else pixel_tables.write_files
        tally, ignored = write(run_on, examples, root, options, rule, shards=shards)
    return finish(_STEP, examples, tally, ignored, max_rejected)
