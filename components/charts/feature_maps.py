"""What the layers of an image model make of some pictures, as grids of grey tiles."""

import math
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import keras
import numpy as np
from etils.epath import Path
from PIL import Image

from millrace.components.errors import OptionError
from millrace.components.models import transfer

_TILE = 48  # pixels a side, at least
_GAP = 2
_PAPER = 255
_SPREAD = 64  # grey levels per standard deviation of a map


class Maps(NamedTuple):
    """A layer's name and its output, float32 [pictures, height, width, maps]."""

    layer: str
    values: np.ndarray


def layer_maps(model: keras.Model, pixels: np.ndarray, wanted: Sequence[str]) -> Iterator[Maps]:
    """The output of each layer that returns maps, in order, including a pretrained network's.

    Args:
        model: takes uint8 [batch, height, width, channels], layer after layer.
        pixels: such a batch.
        wanted: names of layers; all if empty.

    Raises:
        OptionError: a name is not that of a layer with maps.
    """
    known = _with_maps(model)
    unknown = sorted(set(wanted) - known.keys())
    if unknown:
        raise OptionError(
            f"feature_maps.layers: expected layers with maps: {', '.join(known)}. "
            f"Received: {', '.join(unknown)}. Correct the names."
        )
    for name, outputs in known.items():
        if not wanted or name in wanted:
            yield Maps(name, _through(outputs, pixels))


def spread_evenly(names: Sequence[str], at_most: int) -> list[str]:
    """`names`, or `at_most` of them, evenly spaced, including the first and the last."""
    if len(names) <= at_most:
        return list(names)
    places = np.linspace(0, len(names) - 1, at_most).round().astype(int)
    return [names[place] for place in places]


def caption(found: Maps, at_most: int) -> str:
    """What `grid` shows of a layer, in words."""
    _, height, width, count = found.values.shape
    size = f"{height} by {width}"
    if count == 1:
        return f"{found.layer}: its map of {size}, a row for each picture"
    some = f"the first {at_most}" if count > at_most else "each"
    return (
        f"{found.layer}: the average of its {count} maps of {size}, then {some}, a row for each "
        "picture"
    )


def grid(values: np.ndarray, at_most: int) -> np.ndarray:
    """The average of each picture's maps, then the first `at_most`: uint8 [height, width].

    One row per picture. Of a single map there is no average.

    Each map is scaled around middle grey by its own mean and deviation, and enlarged by an integer
    factor if it is smaller than a tile.

    Args:
        values: float32 [pictures, height, width, maps].
        at_most: maps per row, beside the average.
    """
    shown = values[..., :at_most]
    if values.shape[-1] > 1:
        shown = np.concatenate([values.mean(axis=-1, keepdims=True), shown], axis=-1)
    tiles = _levels(np.moveaxis(shown, -1, 1))
    factor = math.ceil(_TILE / max(tiles.shape[2:]))
    tiles = tiles.repeat(factor, axis=2).repeat(factor, axis=3)
    margins = ((0, 0), (0, 0), (0, _GAP), (0, _GAP))
    framed = np.pad(tiles, margins, constant_values=_PAPER)
    rows, columns, height, width = framed.shape
    return framed.transpose(0, 2, 1, 3).reshape(rows * height, columns * width)


def write_picture(pixels: np.ndarray, file: Path) -> None:
    """Write uint8 [height, width] or [height, width, 3] as PNG."""
    with file.open("wb") as sink:
        Image.fromarray(pixels).save(sink, "PNG")


def file_name(number: int, layer: str) -> str:
    """Such as `03-block1_conv1.png`."""
    return f"{number:02d}-{re.sub(r'[^A-Za-z0-9_.-]', '_', layer)}.png"


def names_with_maps(model: keras.Model) -> list[str]:
    """The layers of `model` that return maps, in order."""
    return list(_with_maps(model))


def _with_maps(model: keras.Model) -> dict[str, list[keras.Model]]:
    """By a layer's name, the networks that lead to its output, one after another."""
    found: dict[str, list[keras.Model]] = {}
    before = model.input
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        if layer.name == transfer.BACKBONE and isinstance(layer, keras.Model):
            to_it = keras.Model(model.input, before)
            for name, inner in _with_maps(layer).items():
                found[f"{transfer.BACKBONE}.{name}"] = [to_it, *inner]
        elif len(layer.output.shape) == 4:
            found[layer.name] = [keras.Model(model.input, layer.output)]
        before = layer.output
    return found


def _through(networks: Sequence[keras.Model], pixels: np.ndarray) -> np.ndarray:
    values = pixels
    for network in networks:
        values = network(values, training=False)
    return np.asarray(values, np.float32)


def _levels(maps: np.ndarray) -> np.ndarray:
    """Grey levels uint8 of maps [pictures, maps, height, width]; a flat map is middle grey."""
    mean = maps.mean(axis=(2, 3), keepdims=True)
    deviation = maps.std(axis=(2, 3), keepdims=True)
    spread = (maps - mean) / np.where(deviation > 0, deviation, 1) * _SPREAD + 128
    return np.clip(spread, 0, 255).astype(np.uint8)
