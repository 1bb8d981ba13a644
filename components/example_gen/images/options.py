"""Options of the ingests of images in groups; light, for the command line reads them."""

import dataclasses
from typing import Literal

from millrace.components.errors import OptionError
from millrace.components.files.paths import LocalPath


@dataclasses.dataclass(frozen=True)
class Manifest:
    """Where the CSV lies and what its columns are called.

    Args:
        file: the CSV's path below the source folder; empty means class folders instead.
        path_column: a image's path, below the source folder or absolute within it.
        label_column: a image's class.
        split_column: a image's split; used where the CSV has it, empty to ignore it. A row
            whose cell is empty is put by content.
        delimiter: between columns.
    """

    file: LocalPath | Literal[""] = ""
    path_column: str = "path"
    label_column: str = "label"
    split_column: str = "split"
    delimiter: str = ","

    def __post_init__(self) -> None:
        if len(self.delimiter) != 1 or self.delimiter in '"\r\n':
            raise OptionError(
                "Option manifest.delimiter: expected one character, neither a quote nor a line's "
                f"end. Received: {self.delimiter!r}. Give one, or leave it out."
            )


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
