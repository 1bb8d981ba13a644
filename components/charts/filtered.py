"""A grey picture under a filter of 3x3 numbers, and pooled; and charts of both with captions."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from etils.epath import Path
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from millrace.components.charts import style
from millrace.components.errors import DataError

_WIDTH, _LINE = 4.2, 0.9  # inches of a panel, and above and below it


def grey(file: Path, largest: int) -> np.ndarray:
    """The picture in `file`, upright: float32 0..255, [height, width], `largest` a side at most.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with file.open("rb") as source, Image.open(source) as image:
            shown = image.convert("L")
            shown.thumbnail((largest, largest))
            return np.asarray(shown, np.float32)
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(
            f"{file}: expected a picture. Received: {error}. Give a PNG or JPEG by --data."
        ) from None


def through(pixels: np.ndarray, numbers: Sequence[float]) -> np.ndarray:
    """The map of a filter, float32 0..255, [height - 2, width - 2].

    Args:
        pixels: float32 [height, width].
        numbers: nine, row by row; divided by their sum, if that is neither 0 nor 1.
    """
    kernel = np.array(numbers, np.float32).reshape(3, 3)
    total = float(kernel.sum())
    if not np.isclose(total, 0) and not np.isclose(total, 1):
        kernel = kernel / total
    found = np.einsum("hwij,ij->hw", sliding_window_view(pixels, (3, 3)), kernel)
    return np.clip(found, 0, 255).astype(np.float32)


def pooled(pixels: np.ndarray, size: int, kind: Literal["max", "average"]) -> np.ndarray:
    """The largest, or the mean, of each square of `size`: [height // size, width // size].

    What is left at the right and below counts for nothing, as in Keras's pooling layers.
    """
    height, width = (side // size for side in pixels.shape)
    squares = pixels[: height * size, : width * size].reshape(height, size, width, size)
    return squares.max((1, 3)) if kind == "max" else squares.mean((1, 3))


def draw_picture(pixels: np.ndarray, name: str, file: Path) -> None:
    """Write the picture with its name and size."""
    _draw([(pixels, f"{style.label(name, 'the picture', 40)}: {_size(pixels)}")], file)


def draw_filter(
    found: np.ndarray,
    small: np.ndarray,
    name: str,
    numbers: Sequence[float],
    pooling: str,
    file: Path,
) -> None:
    """Write a filter's map beside the pooled one, with its numbers."""
    rows = "  ".join(" ".join(f"{number:g}" for number in numbers[at : at + 3]) for at in (0, 3, 6))
    title = f"{style.label(name, 'filter')}: {rows}"
    _draw([(found, f"{title}\n{_size(found)}"), (small, f"{pooling}\n{_size(small)}")], file)


def _draw(panels: Sequence[tuple[np.ndarray, str]], file: Path) -> None:
    height, width = panels[0][0].shape
    tall = _WIDTH * height / width + _LINE
    figure, found = style.panels((_WIDTH * len(panels), tall), columns=len(panels))
    for axes, (pixels, caption) in zip(found, panels, strict=True):
        axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.grid(visible=False)
        axes.set_title(caption, fontsize=9)
    style.write(figure, file)


def _size(pixels: np.ndarray) -> str:
    return f"{pixels.shape[1]} x {pixels.shape[0]} pixels"
