"""What the layers of an image model make of a few pictures, as PNG files."""

import itertools
import logging
from collections.abc import Iterator

from etils.epath import Path

from millrace.components.artifacts import Analysis, Examples, Plots, TrainedModel
from millrace.components.errors import DataError, OptionError
from millrace.components.features import spec as specs
from millrace.components.features.image_spec import ImageSpec
from millrace.components.features.layout import LayoutColumn
from millrace.components.options.ranges import Count

logger = logging.getLogger(__name__)


def feature_maps(
    model: TrainedModel,
    examples: Examples,
    analysis: Analysis,
    out: Path,
    *,
    split: str = "eval",
    pictures: Count = 3,
    layers: tuple[str, ...] = (),
    at_most: Count = 24,
    maps: Count = 16,
) -> Plots:
    """Draw what each layer makes of a few pictures: one file per layer, one row per picture.

    A row begins with the average of the layer's maps; `captions.json` says what each file shows.

    Args:
        model: an image model.
        examples: transformed records.
        analysis: how they were preprocessed.
        out: gets `00-pictures.png`, then `<number>-<layer>.png` in the order of the layers.
        split: of the pictures; if it is missing or empty, the first split.
        pictures: how many, from the start.
        layers: by name; a pretrained network's are `backbone.<layer>`. Empty: all that return
            maps, or `at_most` of them, evenly spaced.
        at_most: layers, if none are named.
        maps: of each layer, from the first.

    Raises:
        DataError: there is no picture.
        OptionError: the model does not take images, or has no such layer.
    """
    spec = specs.read(analysis.file)
    if not isinstance(spec, ImageSpec):
        raise OptionError(
            f"feature_maps: expected an image model. Received: one of the kind {spec.kind}. "
            "Leave feature_maps out."
        )

    import numpy as np

    from millrace.components.charts import feature_maps as drawing
    from millrace.components.models import keras_file

    rows = list(itertools.islice(_pixels(examples, split, spec.layout.inputs[0]), pictures))
    if not rows:
        raise DataError(
            f"{examples.path}: expected pictures to show. Received: none. See what "
            "`transform` set aside."
        )
    pixels = np.stack([np.frombuffer(row, np.uint8).reshape(spec.shape) for row in rows])
    network = keras_file.load(model.keras_file)
    wanted = layers or drawing.spread_evenly(drawing.names_with_maps(network), at_most)
    shown = np.concatenate(list(pixels), axis=1)
    drawing.write_picture(shown[..., 0] if spec.channels == 1 else shown, out / "00-pictures.png")
    captions = {"00-pictures.png": "The pictures, as the network takes them"}
    for number, found in enumerate(drawing.layer_maps(network, pixels, wanted), start=1):
        file = out / drawing.file_name(number, found.layer)
        drawing.write_picture(drawing.grid(found.values, maps), file)
        captions[file.name] = drawing.caption(found, maps)
    logger.info("%d pictures through %d layers", len(rows), len(wanted))
    return Plots(out).write_captions(captions)


def _pixels(examples: Examples, split: str, column: LayoutColumn) -> Iterator[bytes]:
    """The pixels of the records of `split`, else of the first split, in their order."""
    from millrace.components.files.tfrecord import read_records
    from millrace.serving.example import decode

    chosen = split if examples.counts.get(split) else examples.splits[0]
    for file in examples.files(chosen):
        for record in read_records(file):
            yield bytes(decode(record)[column.name][0])
