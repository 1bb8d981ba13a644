"""Points as the files that TensorBoard's projector reads.

`<name>-vectors.tsv` and `<name>-metadata.tsv` beside `projector_config.pbtxt`, which names them;
a sprite is a PNG with a thumbnail per point, row by row in a square.
"""

import math
from collections.abc import Sequence

import numpy as np
from etils.epath import Path
from google.protobuf import text_format
from PIL import Image
from tensorboard.plugins.projector import ProjectorConfig

from millrace.components.projecting.points import Points

CONFIG = "projector_config.pbtxt"
_SPRITE = 8192  # pixels a side, the most that a browser's textures allow
_THUMBNAIL = 64


def write(found: Sequence[Points], out: Path) -> None:
    """Write the files of all points, and the configuration that names them."""
    config = ProjectorConfig()
    for points in found:
        entry = config.embeddings.add()
        entry.tensor_name = points.name
        entry.tensor_path = f"{points.name}-vectors.tsv"
        entry.metadata_path = f"{points.name}-metadata.tsv"
        (out / entry.tensor_path).write_text(vectors_text(points.vectors))
        (out / entry.metadata_path).write_text(names_text(points.names))
        if points.pictures is not None:
            side = thumbnail_side(points.pictures)
            entry.sprite.image_path = f"{points.name}-sprite.png"
            entry.sprite.single_image_dim.extend([side, side])
            with (out / entry.sprite.image_path).open("wb") as file:
                sprite(points.pictures, side).save(file, "PNG")
    (out / CONFIG).write_text(text_format.MessageToString(config))


def vectors_text(vectors: np.ndarray) -> str:
    """float32 [points, dimensions] as tab-separated rows that read back as the same numbers."""
    return "".join("\t".join(map(repr, row)) + "\n" for row in vectors.astype(float).tolist())


def names_text(names: Sequence[str]) -> str:
    """One name per line, without a header, as TensorBoard reads a single column; never empty."""
    return "".join(f"{_visible(name)}\n" for name in names)


def thumbnail_side(pictures: np.ndarray) -> int:
    """Pixels a side of the thumbnails of uint8 [points, height, width, channels]."""
    across = math.ceil(math.sqrt(len(pictures)))
    return min(_THUMBNAIL, max(pictures.shape[1:3]), _SPRITE // across)


def sprite(pictures: np.ndarray, side: int) -> Image.Image:
    """The thumbnails of uint8 [points, height, width, 1 or 3], row by row in a square."""
    across = math.ceil(math.sqrt(len(pictures)))
    whole = Image.new("RGB", (across * side, across * side))
    for number, pixels in enumerate(pictures):
        picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
        row, column = divmod(number, across)
        whole.paste(picture.convert("RGB").resize((side, side)), (column * side, row * side))
    return whole


def _visible(name: str) -> str:
    """`name` on one line and in one column: control characters escaped, whitespace in quotes."""
    escaped = "".join(one if one.isprintable() else repr(one)[1:-1] for one in name)
    return escaped if escaped.strip() else repr(name)
