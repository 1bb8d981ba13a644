"""The names in a raw image record, and in a transformed one, and what its class is called."""

from millrace.serving.example import Decoded

ENCODED = "image/encoded"  # bytes: a JPEG, PNG, GIF, BMP or WebP file as it was
HEIGHT, WIDTH = "image/height", "image/width"  # int64: pixels, as displayed
CHANNELS = "image/channels"  # int64: 1 grey, 3 colour, 4 with alpha
FILENAME = "image/filename"  # bytes: path relative to the source
LABEL = "image/class/label"  # int64
TEXT = "image/class/text"  # bytes: the class name

PIXELS = "image"  # transformed, bytes: uint8, height * width * channels, row-major
INDEX = "label"  # transformed, int64: index in the analysis' classes


def class_name(row: Decoded) -> str | None:
    """The class of a raw record: its text, else its label's number, else None."""
    text, label = row.get(TEXT), row.get(LABEL)
    if text is not None and len(text):
        return bytes(text[0]).decode("utf-8", "backslashreplace")
    return str(label[0]) if label is not None and len(label) else None


def source(row: Decoded) -> str:
    """Where a record came from, for messages; empty where it does not say."""
    name = row.get(FILENAME)
    return bytes(name[0]).decode("utf-8", "backslashreplace") if name is not None else ""
