"""The size of a convolutional model's maps after each block: plain arithmetic.

Convolution and pooling arithmetic: Dumoulin, Visin, "A guide to convolution arithmetic for
deep learning" (2016), relationships 6 (valid) and 5 (same, "half" padding).
"""

from millrace.components.errors import OptionError
from millrace.components.models.image_options import Cnn

Size = tuple[int, int]  # height, width


def after_blocks(options: Cnn, height: int, width: int) -> list[Size]:
    """Height and width of the maps after each block.

    Raises:
        OptionError: a kernel or a pool is larger than its input.
    """
    sizes: list[Size] = []
    size = height, width
    for block in range(1, len(options.filters) + 1):
        size = _after_block(options, size, f"block {block} of pictures of {height} x {width}")
        sizes.append(size)
    return sizes


def after_window(size: int, window: int, stride: int, padding: str) -> int:
    """Pixels left of `size` under a window: `valid` floor((n - k) / s) + 1, `same` ceil(n / s)."""
    return -(-size // stride) if padding == "same" else (size - window) // stride + 1


def _after_block(options: Cnn, size: Size, place: str) -> Size:
    for number in range(1, options.convolutions + 1):
        if options.padding == "valid":
            _check(size, options.kernel_size, "kernel_size", f"convolution {number} in {place}")
        size = _apply(size, options.kernel_size, options.strides, options.padding)
    if options.pooling == "none":
        return size
    _check(size, options.pool_size, "pool_size", f"pooling in {place}")
    return _apply(size, options.pool_size, options.pool_size, "valid")


def _apply(size: Size, window: int, stride: int, padding: str) -> Size:
    return after_window(size[0], window, stride, padding), after_window(
        size[1], window, stride, padding
    )


def _check(size: Size, window: int, option: str, place: str) -> None:
    if min(size) < window:
        raise OptionError(
            f"trainer.model.{option}, {place}: expected maps of at least {window} x {window}. "
            f"Received: {size[0]} x {size[1]}. Use padding=same, fewer or smaller blocks, or "
            "larger pictures (analyze.features.height)."
        )
