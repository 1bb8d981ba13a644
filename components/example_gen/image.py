"""Images in class folders, or named by their names or a CSV, to `Examples`."""

import functools

from etils.epath import Path

from millrace.components.artifacts import Examples, RawFiles
from millrace.components.beam.options import BeamOptions
from millrace.components.example_gen.csv.dialect import CsvFormat
from millrace.components.example_gen.images.options import Manifest
from millrace.components.example_gen.shards.folders import FolderLayout, list_classes
from millrace.components.example_gen.shards.splits import DEFAULT_SHARES, Shares, SplitRule
from millrace.components.example_gen.shards.tally import finish
from millrace.components.options.ranges import Shards, Share, ShareBelowOne

_STEP = "image_example_gen"
CLASS_FOLDERS = Manifest()
DETECTED = CsvFormat()


def image_example_gen(
    source: RawFiles,
    out: Path,
    *,
    run_on: BeamOptions,
    splits: Shares = DEFAULT_SHARES,
    eval_from_train: ShareBelowOne = 0.0,
    layout: FolderLayout = "auto",
    pattern: str = "",
    manifest: Manifest = CLASS_FOLDERS,
    csv: CsvFormat = DETECTED,
    max_rejected: Share = 0.01,
    shards: Shards = 0,
) -> Examples:
    """Turn folders of images, one per class, into records for training.

    Args:
        source: `class/.../file`, or `train/class/.../file` and so on, or a folder with a CSV; or
            an archive of it, `.zip` or `.tar`, compressed or not.
        out: becomes the records.
        run_on: where Beam runs.
        splits: share of each split, chosen by each file's content; used for images that
            come in no split of their own.
        eval_from_train: share of a given train split to hold out as `eval`, where the data
            has no eval split of its own.
        layout: whether the top folders are `classes` or `splits`; `auto` looks at their names.
        pattern: of the files' names where these say the class, such as `{class}.{number}.jpg` for
            `cat.0.jpg`; also `{split}`, `{ext}`, and `{name}` for anything. With a `/` it is of
            the folders as well, such as `{split}/{class}-{name}.png`.
        manifest: a CSV of paths and labels, instead of class folders.
        csv: how that is written.
        max_rejected: share of unusable images above which the step fails.
        shards: files per split; 0 makes one per 64 MiB or 65,536 images.

    Raises:
        DataError: there are no two classes of images, or too many are unusable.
        OptionError: the shares are not valid, or the pattern is none.
    """
    from millrace.components.example_gen.images.files import PictureFiles
    from millrace.components.example_gen.images.manifest import list_manifest
    from millrace.components.example_gen.shards.writing import write_class_folders
    from millrace.components.files import archives

    rule = SplitRule.of(_STEP, splits, eval_from_train)
    examples = Examples(out)
    with archives.unpacked(source.path, out) as root:
        if manifest.file:
            listing = list_manifest(root, manifest, csv)
        else:
            listing = list_classes(root, layout, pattern=pattern)
        pictures = functools.partial(PictureFiles, str(root))
        tally = write_class_folders(run_on, examples, root, listing, rule, pictures, shards=shards)
    notes = {"empty_classes": ", ".join(listing.empty)} if listing.empty else {}
    return finish(_STEP, examples, tally, listing.ignored, max_rejected, notes=notes)
