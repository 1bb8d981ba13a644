"""scikit-learn's scanned digits as image files: real data that needs no network."""

from etils.epath import Path

from millrace.components.artifacts import RawFiles

_LEVELS = 16  # the scans' pixels are 0 (paper) to 16 (ink)


def digits_images(out: Path) -> RawFiles:
    """Write scikit-learn's 1,797 digit scans as 8x8 grey PNGs in class folders 0 to 9.

    Files are `<digit>/<number of the scan>.png`; pixels are scaled to 0..255, rounded.
    Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998, by
    `sklearn.datasets.load_digits`.

    Args:
        out: becomes the folder of images.
    """
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    scans = load_digits()
    pixels = np.rint(scans.images * (255 / _LEVELS)).astype(np.uint8)
    for digit in range(10):
        (out / str(digit)).mkdir()
    for number, (image, digit) in enumerate(zip(pixels, scans.target, strict=True)):
        with (out / str(digit) / f"{number:04d}.png").open("wb") as file:
            Image.fromarray(image).save(file, "PNG")
    return RawFiles(out)
