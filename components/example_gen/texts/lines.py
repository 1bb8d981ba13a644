"""Texts a line each: a file of lines for each class, or lines that begin with their label."""

import json
import posixpath
import re

from etils.epath import Path

from millrace.components.errors import DataError
from millrace.components.example_gen.csv import encodings, files
from millrace.components.example_gen.shards.folders import ListedRow, Listing
from millrace.components.example_gen.shards.splits import canonical, is_split_name, split_in
from millrace.components.files.walk import is_hidden, walk

NAMES = ("text", "label")
_FASTTEXT = "__label__"
_ABOUT = ("readme", "license", "licence", "copying")  # what files beside the texts are called
_FEW = 20  # classes that are found without the option layout
_LOOKED_AT = 1 << 16  # bytes


def class_of(path: str, split: str = "") -> str:
    """The class of a file of lines: what its name ends in, or its name without `.txt`.

    `rt-polarity.pos` is of `pos`, and so are `pos.txt` and, in split train, `train_pos.txt`.
    """
    stem, suffix = posixpath.splitext(posixpath.basename(path).removesuffix(".gz"))
    if suffix.lower() not in ("", ".txt", ".text", ".lines"):
        return suffix.removeprefix(".")
    words = re.split(r"[\W_]+", stem)
    others = [word for word in words if canonical(word) != split]
    return "_".join(others) if split and 0 < len(others) < len(words) else stem


def class_files(source: Path) -> tuple[Path, Listing]:
    """The files of lines of `source`, which lie in it, in one folder of it, or in splits' folders.

    Raises:
        DataError: it is no folder, or has other folders.
    """
    entries = walk(source) if source.is_dir() else {}
    paths = [path for path in entries if not is_hidden(path)]
    lines = [path for path in paths if not _is_about(path)]
    tops = {path.split("/")[0] for path in lines if "/" in path}
    if len(tops) == 1 and all("/" in path for path in lines) and not is_split_name(*tops):
        return class_files(source / tops.pop())
    if not lines or any(path.count("/") > 1 for path in lines) or not all(map(is_split_name, tops)):
        raise DataError(
            f"{source}: expected a folder with a file of texts for each class, a text a line, such "
            "as pos.txt and neg.txt, maybe in folders train and test. Received: another. Leave "
            "text_example_gen.layout out if it holds class folders or a table."
        )
    splits = {path: _split_of(path) for path in lines}
    if not tops:  # files of no folder may name their splits themselves
        spoken = {path: split_in(path) for path in lines}
        is_told = all(spoken.values()) and "train" in spoken.values()
        splits = spoken if is_told else splits
    rows = [ListedRow(path, "", split) for path, split in splits.items()]
    listing = Listing(rows, sorted(set(paths) - set(lines)))
    listing.set_aside(source, entries)
    return source, listing


def ignore_notes(listing: Listing) -> None:
    """Leave out what lies beside the texts, such as a README, unless there is nothing else."""
    texts = [row for row in listing.rows if not _is_about(row.path)]
    if texts:
        listing.ignored += [row.path for row in listing.rows if row not in texts]
        listing.rows = texts


def _is_about(path: str) -> bool:
    name = posixpath.basename(path).lower()
    return any(word in name for word in _ABOUT)


def _split_of(path: str) -> str:
    top = path.split("/")[0]
    return canonical(top) if "/" in path else ""


def holds_class_files(source: Path) -> bool:
    """Whether `source` is certainly such a folder: of few classes, several texts in each file."""
    if not source.is_dir():
        return False
    try:
        root, listing = class_files(source)
    except DataError:
        return False
    classes = {class_of(row.path, row.split) for row in listing.rows}
    return (
        2 <= len(classes) <= _FEW
        and not all(map(is_split_name, classes))
        and not any(name.isdigit() for name in classes)
        and len({(row.split, class_of(row.path, row.split)) for row in listing.rows})
        == len(listing.rows)
        and all(_has_lines(root / row.path) for row in listing.rows)
    )


def is_fasttext(source: Path) -> bool:
    """Whether `source` is a file, or a folder of nothing but files, of lines with its labels."""
    if source.is_file():
        return _begins_with_label(source)
    paths = [path for path in walk(source) if not is_hidden(path) and not _is_about(path)]
    is_few = 0 < len(paths) <= _FEW and all(path.count("/") < 2 for path in paths)
    return is_few and all(_begins_with_label(source / path) for path in paths)


def _begins_with_label(file: Path) -> bool:
    try:
        with file.open("rb") as opened:
            start = opened.read(_LOOKED_AT)
    except OSError:
        return False
    mark = _FASTTEXT.encode()
    return start[encodings.bom_length(start) :].lstrip().startswith(mark)


def _has_lines(file: Path) -> bool:
    with file.open("rb") as opened:
        start = opened.read(_LOOKED_AT)
    try:
        files.check_text(file, start)
    except DataError:
        return False
    return sum(bool(line.strip()) for line in start.splitlines()) > 1


def parted(line: str, separator: str) -> tuple[list[str], str]:
    """The labels at the beginning of `line` and the text after them.

    There may be several of fastText's, `__label__spam`, which are without their mark.

    Args:
        line: of a file.
        separator: what stands between label and text; empty for spaces.

    Raises:
        DataError: there is no text after a label; the reason alone.
    """
    if not separator and line.lstrip().startswith(_FASTTEXT):
        words, text = [], line.lstrip()
        while text.startswith(_FASTTEXT):
            word, *rest = text.split(None, 1)  # a space or a tab
            words.append(word.removeprefix(_FASTTEXT))
            text = "".join(rest)
        return words, text
    label, *rest = line.strip().split(separator or None, 1) or [""]
    if not rest:
        between = repr(separator) if separator else "a space"
        raise DataError(f"expected a label, {between} and a text, received {label[:40]!r}")
    return [label], rest[0].strip()


def labelled(line: str, separator: str) -> dict[str, str]:
    """The same as cells; several labels make a list."""
    words, text = parted(line, separator)
    return {"text": text, "label": words[0] if len(words) == 1 else json.dumps(words)}
