"""Options of the ingests of images in groups; light, for the command line reads them."""

import dataclasses
from typing import Literal

from millrace.components.files.paths import LocalPath


@dataclasses.dataclass(frozen=True)
class Manifest:
    """Where the CSV lies and what its columns are called; how it is written says option csv.

    Args:
        file: the CSV's path below the source folder; empty means class folders instead.
        path_column: an image's path, below the source folder or absolute within it, or below the
            CSV's own folder or any other that all the images lie in, here or on the machine
            where the CSV was written; it may lack its extension.
            Empty: found by its name (`path`, `file`, `filename`, `image`, `id` and so on).
        label_column: an image's class; empty: found by its name, likewise.
        split_column: an image's split; used where the CSV has it, empty to ignore it. A row
            whose cell is empty is put by content.
    """

    file: LocalPath | Literal[""] = ""
    path_column: str = ""
    label_column: str = ""
    split_column: str = "split"


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
