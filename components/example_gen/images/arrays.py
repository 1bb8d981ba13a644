"""NumPy's `.npz` of pictures and labels, such as Keras' `mnist.npz`, as a source of image records.

The arrays are unpacked beside the records, so that workers map them instead of reading them whole.
Nothing in them is unpickled.
"""

import dataclasses
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from etils.epath import Path
from numpy.typing import NDArray

from millrace.components.artifacts import Examples, Rejected, SetAside
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.example_gen.images.pixel_rows import (
    PixelOptions,
    PixelRow,
    numbered,
)
from millrace.components.example_gen.shards.folders import ListedRow
from millrace.components.example_gen.shards.splits import SplitRule, canonical, is_split_name
from millrace.components.example_gen.shards.tally import IngestTally
from millrace.components.example_gen.shards.writing import Converted, Unlabelled, write_shards
from millrace.components.files import archives
from millrace.components.files.walk import is_hidden, walk
from millrace.serving.errors import few

_IMAGES = {"x", "image", "images", "img", "imgs", "data", "pixels", "pictures", "features", "arr0"}
_LABELS = {"y", "label", "labels", "target", "targets", "class", "classes", "arr1"}
_BLOCK = 1024  # pictures that a worker reads at once
_SHARD_BYTES = 2**26
_DEPTHS = (1, 3, 4)
_BY_PLACE = {"arr0", "arr1"}  # as numpy.savez calls arrays without a name
_JOINED = re.compile(  # where two words meet: trainX, Xtrain, testy
    r"[a-z](?=[A-Z])|^[xyXY](?=train|test|val)|(?:train|test|val|valid)(?=[xy]$)"
)
_MIDDLE = 128  # a highest value below it may be of another scale than 0 to 255
_FOLDER = ".arrays"
_log = logging.getLogger(__name__)


class _Pair(NamedTuple):
    """Files of an array of pictures and of one of labels, what they are called, their split."""

    pictures: str
    labels: str
    name: str
    split: str


@dataclasses.dataclass(frozen=True)
class PixelArrays:
    """Pairs of arrays; a row's path is the place of its pair and the first of its pictures.

    `sizes` are the height, width and channels of each pair's pictures, `scales` what their values
    are multiplied by.
    """

    pairs: tuple[_Pair, ...]
    sizes: tuple[tuple[int, int, int], ...]
    scales: tuple[int, ...]
    labels: Mapping[str, int]
    rule: SplitRule

    def read(self, rows: Sequence[ListedRow]) -> Iterator[PixelRow | Unlabelled]:
        """Yield the pictures of each block."""
        for row in rows:
            place, start = map(int, row.path.split("#"))
            pair = self.pairs[place]
            stop = start + _BLOCK
            block = _loaded(pair.pictures)[start:stop]
            values = np.rint(block.astype(np.float64) * self.scales[place])
            pictures = _in_order(values.astype(np.uint8)).reshape(-1, *self.sizes[place])
            names = _names(_labels(pair.labels)[start:stop])
            for number, (pixels, text) in enumerate(zip(pictures, names, strict=True), start):
                if text:
                    yield PixelRow(row.split, pair.name, number, text, np.ascontiguousarray(pixels))
                else:
                    yield Unlabelled(Rejected(pair.name, "no label", f"picture {number}"))

    def convert(self, item: PixelRow | Unlabelled) -> Converted:
        """Encode one picture."""
        if isinstance(item, Unlabelled):
            return item
        return item.record(self.labels[item.text], self.rule)


def holds_arrays(source: Path) -> bool:
    """Whether `source` is an `.npz`, or a folder of them and of no CSV."""
    return bool(_files(source))


def write_files(
    run_on: BeamOptions,
    out: Examples,
    source: Path,
    options: PixelOptions,
    rule: SplitRule,
    *,
    shards: int,
) -> tuple[IngestTally, list[str]]:
    """Write the pictures of the `.npz` files at `source`; what became of them, and no file.

    Raises:
        DataError: they hold no pictures and labels of one length, or other values than pixels.
    """
    folder = out.path / _FOLDER
    try:
        found = [_pairs(file, folder / file.name) for file in _files(source)]
        pairs = tuple(pair for of_file, _ in found for pair in of_file)
        sizes, scales = zip(*(_form(pair, options) for pair in pairs), strict=True)
        classes = {name for pair in pairs for name in _names(_labels(pair.labels))} - {""}
        if len(classes) < 2:
            raise DataError(
                f"{source}: expected labels of at least two classes. Received: "
                f"{few(classes) or 'none'}. Add pictures of others."
            )
        rows = [
            ListedRow(f"{place}#{start}", "", pair.split)
            for place, pair in enumerate(pairs)
            for start in range(0, len(_loaded(pair.pictures)), _BLOCK)
        ]
        splits = {pair.split for pair in pairs}
        rule = rule.for_given(splits)
        total = sum(_loaded(pair.pictures).size for pair in pairs)
        tally = write_shards(
            run_on,
            out,
            PixelArrays(pairs, sizes, scales, numbered(classes), rule),
            rows,
            splits=rule.reachable(splits),
            shards=min(shards or -(-total // _SHARD_BYTES), len(rows)),
        )
        tally.unlabelled.extend(SetAside.of(item for _, without in found for item in without))
    finally:
        folder.rmtree(missing_ok=True)
    return tally, []


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source] if source.suffix.lower() == ".npz" else []
    entries = sorted(entry for entry in source.iterdir() if not is_hidden(entry.name))
    if any(entry.suffix.lower() in (".csv", ".tsv") for entry in entries):
        return []
    return [entry for entry in entries if entry.suffix.lower() == ".npz"]


def _pairs(file: Path, folder: Path) -> tuple[list[_Pair], list[Rejected]]:
    """The pictures and labels in `file`, unpacked into `folder`; pictures that have no labels."""
    archives.unpack(file, folder)
    keys = [path.removesuffix(".npy") for path in walk(folder) if path.endswith(".npy")]
    arrays = {key: _loaded(str(folder / f"{key}.npy")) for key in keys}
    found: dict[str, dict[str, str]] = {}
    for key in keys:
        role, split = _role(key, arrays[key])
        found.setdefault(split, {}).setdefault(role, key)
    for split, each in found.items():
        if "images" in each and "labels" not in each:
            count = len(arrays[each["images"]])
            others = [key for key in keys if _role(key, arrays[key]) == ("", split)]
            alike = [key for key in others if arrays[key].shape in ((count,), (count, 1))]
            each.update({"labels": alike[0]} if len(alike) == 1 else {})
    complete = {split: each for split, each in found.items() if {"images", "labels"} <= {*each}}
    if not complete:
        raise DataError(
            f"{file}: expected arrays of pictures and of labels, such as x_train and y_train, or "
            f"images and labels. Received: {', '.join(keys) or 'none'}. Rename them."
        )
    pairs = []
    for split, each in complete.items():
        images, labels = each["images"], each["labels"]
        _log.info("%s: %s are pictures, %s their labels, split %r", file, images, labels, split)
        name = f"{file.name}/{images}"
        pair = _Pair(str(folder / f"{images}.npy"), str(folder / f"{labels}.npy"), name, split)
        _check_lengths(pair)
        pairs.append(pair)
    bare = [e["images"] for e in found.values() if "images" in e and e not in complete.values()]
    used = {key for each in complete.values() for key in (each["images"], each["labels"])}
    if rest := [key for key in keys if key not in used and key not in bare]:
        _log.warning("%s: ignored %s", file, ", ".join(rest))
    return pairs, [
        Rejected(f"{file.name}/{key}", "no label", f"picture {number}")
        for key in bare
        for number in range(len(arrays[key]))
    ]


def _role(key: str, array: NDArray[np.generic]) -> tuple[str, str]:
    """What the array `key` is, `images` or `labels` or nothing that is known, and its split."""
    parted = _JOINED.sub(r"\g<0>_", key)
    words = [word.lower() for word in re.split(r"[\W_]+", parted) if word]
    splits = [canonical(word) for word in words if is_split_name(word)]
    name = "".join(word for word in words if not is_split_name(word))
    role = "images" if name in _IMAGES else "labels" if name in _LABELS else ""
    if name in _BY_PLACE and (array.ndim > 2) != (role == "images"):
        role = "images" if array.ndim > 2 else "labels"
    if not role:
        role = "images" if array.ndim > 2 else ""
    return role, splits[0] if splits else ""


def _loaded(file: str) -> NDArray[np.generic]:
    """The array in `file`, mapped.

    Raises:
        DataError: it is none, or holds Python objects, which may run any code when they are read.
    """
    place = f"{Path(file).parent.name}/{Path(file).stem}"
    again = "Save it again, such as by numpy.savez(file, images=images, labels=labels)."
    try:
        array: NDArray[np.generic] = np.load(file, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        if "Python objects" in str(error):
            raise DataError(
                f"{place}: expected an array of numbers or text. Received: Python objects, which "
                "may run any code when they are read. Save labels.astype(str), or pictures of one "
                "size as an array of uint8."
            ) from error
        raise DataError(f"{place}: expected an array. Received: {error}. {again}") from error
    return array


def _labels(file: str) -> NDArray[np.generic]:
    """The labels in `file`, [n]; of rows with a single 1, as Keras' to_categorical, its place."""
    labels = _loaded(file)
    return labels.argmax(axis=1) if _is_one_hot(labels) else labels


def _is_one_hot(labels: NDArray[np.generic]) -> bool:
    if labels.ndim != 2 or labels.shape[1] < 2 or labels.dtype.kind not in "biuf":
        return False
    numbers = labels.astype(np.float64)
    return bool((np.isin(numbers, (0, 1)).all(axis=1) & (numbers.sum(axis=1) == 1)).all())


def _check_lengths(pair: _Pair) -> None:
    pictures, labels = _loaded(pair.pictures), _loaded(pair.labels)
    if labels.dtype.kind not in "biufSU":
        raise DataError(
            f"{pair.name}: expected labels that are numbers or text. Received: {labels.dtype}. "
            "Save labels.astype(str)."
        )
    if _is_one_hot(labels):
        _log.info("%s: labels have a single 1 in each row: its place is the class", pair.name)
        labels = labels[:, 0]
    if labels.ndim == 2 and labels.shape[1] > 1:
        raise DataError(
            f"{pair.name}: expected one label for each picture. Received: labels of shape "
            f"{labels.shape}. If the highest of each row is meant, save labels.argmax(axis=1)."
        )
    if pictures.ndim < 2 or not len(pictures) or labels.size != len(pictures):
        is_last = pictures.ndim > 2 and pictures.shape[-1] == labels.size
        advice = "Save numpy.moveaxis(images, -1, 0)." if is_last else "Correct the arrays."
        raise DataError(
            f"{pair.name}: expected as many labels as pictures. Received: pictures of shape "
            f"{pictures.shape}, labels of shape {labels.shape}. {advice}"
        )


def _form(pair: _Pair, options: PixelOptions) -> tuple[tuple[int, int, int], int]:
    """Height, width and channels of the pictures, and what makes their values 0 to 255."""
    array = _loaded(pair.pictures)
    sizes: tuple[int, ...] | None = array.shape[1:]
    if array.ndim == 2:
        sizes = options.sizes(array.shape[1])
    elif array.ndim == 3:
        sizes = (*array.shape[1:], 1)
    elif _is_channels_first(array.shape):
        _log.info("%s: channels stand first: moved last", pair.name)
        sizes = (*array.shape[2:], array.shape[1])
    if sizes is None or len(sizes) != 3 or sizes[2] not in _DEPTHS:
        raise DataError(
            f"{pair.name}: expected pictures of shape [n, height, width], with 1, 3 or 4 channels "
            f"or none, or the pixels of each. Received: {array.shape}. Reshape the array, or set "
            "the options height, width and channels."
        )
    return (sizes[0], sizes[1], sizes[2]), _scale(pair.name, array)


def _is_channels_first(of: tuple[int, ...]) -> bool:
    return len(of) == 4 and of[3] > max(_DEPTHS) and of[1] in _DEPTHS


def _in_order(block: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.moveaxis(block, 1, -1) if _is_channels_first(block.shape) else block


def _scale(name: str, array: NDArray[np.generic]) -> int:
    """1 for values from 0 to 255, 255 for parts of 1 and for black and white."""
    lowest, highest, is_whole = np.inf, -np.inf, True
    for start in range(0, len(array), _BLOCK) if array.dtype.kind in "biuf" else ():
        block = array[start : start + _BLOCK].astype(np.float64)
        lowest = np.minimum(lowest, block.min())  # NaN stays
        highest = np.maximum(highest, block.max())
        is_whole = is_whole and bool((block == np.rint(block)).all())
    is_parts = lowest >= 0 and highest <= 1
    is_levels = lowest >= 0 and highest <= 255 and (is_whole or highest >= _MIDDLE)
    if array.dtype.kind not in "biuf" or not (is_parts or is_levels):
        advice = "Scale the array."
        if -1 <= lowest < 0 and highest <= 1:
            advice = "If they are from -1 to 1, save (images + 1) / 2."
        elif lowest >= 0 and 255 < highest < 2**16 and is_whole:
            advice = "If they are of 16 bits, save images / 65535."
        raise DataError(
            f"{name}: expected values from 0 to 255, or parts of 1. Received: "
            f"{array.dtype} from {lowest:g} to {highest:g}. {advice}"
        )
    scale = 255 if is_parts else 1
    rounded = "" if is_whole or is_parts else ", rounded"
    _log.info(
        "%s: %s from %g to %g, times %d%s", name, array.dtype, lowest, highest, scale, rounded
    )
    return scale


def _names(labels: NDArray[np.generic]) -> list[str]:
    """The class of each label as text; "" where there is none."""
    values = labels.reshape(-1).tolist()
    return list(map(_name, values))


def _name(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode(errors="replace").strip()
    if isinstance(value, float):
        if value != value:
            return ""
        return str(int(value)) if value.is_integer() else f"{value:g}"
    return str(value).strip()
