"""One picture file: proven to decode, measured, and re-encoded where TensorFlow could not read it.

`tf.io.decode_image` reads JPEG, PNG, GIF, BMP and WebP, though not every variant of them.
A file that it reads is kept byte for byte; any other that Pillow reads (TIFF, PGM, AVIF,
JPEG 2000, a BMP with a palette ...) is encoded again as PNG, upright, losing nothing that
8 or 16 bits a channel can hold.
"""

import dataclasses
import io
import math
import struct
import warnings
import zlib

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from millrace.components.errors import DataError
from millrace.serving.example import Value

# Formats that are known by their first bytes and need no outside program (EPS does).
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "JPEG2000", "AVIF")

_OTHERS = {
    b"<!doctype html": "a web page",
    b"<html": "a web page",
    b"<svg": "SVG: save it as PNG",
    b"<?xml": "XML, maybe SVG: save it as PNG",
    b"%pdf": "PDF: save its pages as PNG",
    b"version https://git-lfs": "a pointer of Git LFS: fetch the file by git lfs pull",
}
_HEIC = {b"ftyp" + brand for brand in (b"heic", b"heix", b"hevc", b"mif1", b"msf1")}
_GREY = {"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N", "F"}
_ALPHA = {"RGBA", "RGBa", "PA"}
_TURNED = {5, 6, 7, 8}  # EXIF orientations that swap height and width
_PNG_MODES = {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}
_PNG_SIGNATURE = 8  # bytes
_GIF_TRAILER = b";"
_BMP_HEADER = 40  # bytes of a BITMAPINFOHEADER
_BMP_24_BITS = b"\x18\0\0\0\0\0"  # bits a pixel, and no compression
_LIGHT = 1  # zlib level of pictures encoded again

Image.init()  # with `formats` named, `open` knows only the plugins loaded so far
# Pillow warns of a picture of over 89 million pixels and refuses one of twice that; here the
# warning refuses too.
warnings.simplefilter("error", Image.DecompressionBombWarning)


@dataclasses.dataclass(frozen=True)
class Picture:
    """An encoded picture and its measures.

    `height` and `width` in pixels are as displayed, after the EXIF orientation, which the bytes of
    a JPEG, PNG or WebP keep and `features` honours. `channels` is 1 (grey), 3 (colour) or 4 (colour
    with transparency).
    """

    encoded: bytes
    format: str
    height: int
    width: int
    channels: int

    @property
    def measures(self) -> dict[str, str | int]:
        """What there is to say of it but its pixels, by feature."""
        return {
            "image/format": self.format,
            "image/height": self.height,
            "image/width": self.width,
            "image/channels": self.channels,
        }

    def features(self, *, filename: str, label: int, text: str) -> dict[str, Value]:
        """The features of its `tf.train.Example`."""
        return {
            "image/encoded": self.encoded,
            **self.measures,
            "image/filename": filename,
            "image/class/label": label,
            "image/class/text": text,
        }


def read_picture(data: bytes) -> Picture:
    """The picture in the file bytes `data`, whatever the file was called.

    Raises:
        DataError: `data` is empty, no known format, broken, cut short or too large; the text
            is the reason alone, for the caller knows the place.
    """
    if not data:
        raise DataError("empty file")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return _measured(image, data)
    except UnidentifiedImageError:
        known = "not an image in a format that Pillow knows"
        raise DataError(f"{known}{_told(data)}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(f"more than {Image.MAX_IMAGE_PIXELS} pixels") from None
    except DataError:
        raise
    except Exception as error:  # what a decoder raises on broken bytes is not bounded
        raise DataError(f"cannot be decoded: {error or type(error).__name__}") from error


def _told(data: bytes) -> str:
    """What `data` is instead, where its first bytes say it."""
    start = data[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    kinds = [kind for mark, kind in _OTHERS.items() if start.startswith(mark)]
    if data[4:12] in _HEIC:
        kinds = ["HEIC: save it as JPEG"]
    return f", but {kinds[0]}" if kinds else ""


def _measured(image: Image.Image, data: bytes) -> Picture:
    kept = _tensorflow_format(image, data)
    if not kept:
        return _encoded_again(image)
    width, height = image.size
    # A JPEG at an eighth of its size still has its every byte read, in half the time.
    image.draft(None, (1, 1))
    image.load()
    orientation = _orientation(image)
    if orientation != _orientation_in_exif(
        image
    ):  # in XMP, say, where TensorFlow's ops do not look
        with Image.open(io.BytesIO(data), formats=FORMATS) as again:
            return _encoded_again(again)
    if orientation in _TURNED:
        width, height = height, width
    return Picture(data, kept, height, width, _channels(image))


def _tensorflow_format(image: Image.Image, data: bytes) -> str:
    """The format's name if `tf.io.decode_image` reads `data` right, else the empty string."""
    match image.format:
        case "JPEG" | "MPO" if data.rfind(b"\xff\xd9") > data.rfind(b"\xff\xda"):
            return "jpeg"  # its end marker stands after its last scan
        case "PNG" if _chunks_hold(data):
            return "png"
        case "GIF" if data.endswith(_GIF_TRAILER) and _colours_hold(image):
            return "gif"
        case "BMP" if _is_plain(image, data):
            return "bmp"
        case "WEBP" if image.mode == "RGB" and getattr(image, "n_frames", 1) == 1:
            return "webp"  # TensorFlow refuses alpha with three channels; animation aborts it
    return ""


def _chunks_hold(data: bytes) -> bool:
    """Whether every chunk of a PNG up to its end has the right checksum (Pillow reads on)."""
    start = _PNG_SIGNATURE
    while len(data) >= start + 12:
        length, kind = struct.unpack_from(">I4s", data, start)
        end = start + 8 + length
        if data[end : end + 4] != struct.pack(">I", zlib.crc32(data[start + 4 : end])):
            return False
        if kind == b"IEND":
            return True
        start = end + 4
    return False


def _colours_hold(image: Image.Image) -> bool:
    """Whether a GIF is one picture that has a palette with every colour that it uses."""
    if image.mode != "P" or getattr(image, "n_frames", 1) > 1:
        return False
    return int(np.max(image.getextrema())) < len(image.getpalette() or ()) // 3


def _is_plain(image: Image.Image, data: bytes) -> bool:
    """Whether a BMP is of 24 bits a pixel, neither compressed nor followed by anything."""
    size = image.height * math.ceil(image.width * 3 / 4) * 4  # rows are padded to 4 bytes
    start = int.from_bytes(data[10:14], "little")
    plain_header = data[14] == _BMP_HEADER and data[28:34] == _BMP_24_BITS
    return plain_header and len(data) == start + size


def _encoded_again(image: Image.Image) -> Picture:
    image.load()
    upright = _for_png(ImageOps.exif_transpose(image))
    sink = io.BytesIO()
    upright.save(sink, "PNG", compress_level=_LIGHT, exif=b"")  # it is upright now
    width, height = upright.size
    return Picture(sink.getvalue(), "png", height, width, _channels(upright))


def _for_png(image: Image.Image) -> Image.Image:
    """`image` in a mode that PNG has, without loss."""
    if image.mode in _PNG_MODES:
        return image
    if image.mode in _GREY:
        return _sixteen_bits(image)
    return image.convert("RGBA" if image.mode in _ALPHA else "RGB")


def _sixteen_bits(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        levels = np.asarray(image.getextrema())
        if levels.min() >= 0 and levels.max() < 2**16:
            return image.convert("I").convert("I;16")
    raise DataError(
        f"grey levels of mode {image.mode} outside 0 to 65535; convert them to 8 or 16 bits"
    )


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # a broken EXIF block does not spoil the pixels; viewers ignore it too
        return 1


def _orientation_in_exif(image: Image.Image) -> int:
    """What `features.exif` reads of the file."""
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif", b""))
        return exif.get(ExifTags.Base.Orientation, 1)
    except Exception:  # as above
        return 1


def _channels(image: Image.Image) -> int:
    if image.mode in _GREY:
        return 1
    return 4 if image.mode in _ALPHA or "transparency" in image.info else 3
