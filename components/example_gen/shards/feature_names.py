"""What the features of somebody else's records are called."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class FeatureNames:
    """The names of four features: bytes, int64, bytes and bytes, one value each.

    Args:
        image: an encoded image file.
        label: the class's number; -1 stands for none.
        text: the class's name.
        filename: where the image came from.
    """

    image: str = "image/encoded"
    label: str = "image/class/label"
    text: str = "image/class/text"
    filename: str = "image/filename"
