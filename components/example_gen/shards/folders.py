"""Which files of a folder are rows: class folders, maybe within split folders."""

import dataclasses
import posixpath
import unicodedata
from collections.abc import Mapping
from typing import Literal, NamedTuple

from etils.epath import Path

from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError
from millrace.components.example_gen.shards.splits import canonical, is_split_name
from millrace.components.files.walk import is_hidden, unreadable, walk

FolderLayout = Literal["auto", "classes", "splits"]

_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".gif", ".bmp", ".webp", ".avif"}
    | {".tif", ".tiff", ".pgm", ".ppm", ".pbm", ".pnm", ".jp2", ".j2k"}
)


@dataclasses.dataclass(frozen=True)
class FileKind:
    """What the files of class folders are, for messages.

    `suffixes` are those by which a file that lies in no class folder is known to be one of
    them; `instead` is what a person may give if there are no such folders.
    """

    one: str
    plural: str
    suffixes: frozenset[str]
    instead: str


PICTURES = FileKind("an image", "images", _SUFFIXES, "name them in a CSV (option manifest.file)")


class ListedRow(NamedTuple):
    """A file to read: its path below the source, its class, and the split it came in or ""."""

    path: str
    label: str
    split: str = ""


@dataclasses.dataclass
class Listing:
    """What a source holds: rows, files that are not data, and rows set aside unread."""

    rows: list[ListedRow] = dataclasses.field(default_factory=list)
    ignored: list[str] = dataclasses.field(default_factory=list)
    rejected: list[Rejected] = dataclasses.field(default_factory=list)

    @property
    def classes(self) -> list[str]:
        """Class names over all splits, sorted; a row's label is its index here."""
        return sorted({row.label for row in self.rows})

    @property
    def given(self) -> set[str]:
        """The splits that rows came in; "" stands for none."""
        return {row.split for row in self.rows}

    def set_aside(self, root: Path, entries: Mapping[str, str]) -> None:
        """Reject the rows below `root` that cannot be read, by the reasons that `walk` gave.

        Raises:
            DataError: that is all of them.
        """
        reasons = unreadable(root, entries, [row.path for row in self.rows])
        aside = [row.path for row in self.rows if row.path in reasons]
        self.rejected += [Rejected(path, reasons[path]) for path in aside]
        self.rows = [row for row in self.rows if row.path not in reasons]


def list_classes(root: Path, layout: FolderLayout = "auto", kind: FileKind = PICTURES) -> Listing:
    """The rows of `root`: `[split/]class/.../file`, classes by the name of their folder.

    Files below a class folder at any depth are of that class. Where one folder wraps all the
    others, it counts as `root`. Hidden files and files beside
    the class folders are ignored; a file of the kind looked for is set aside there, for it has
    no class.

    Raises:
        DataError: there is no class folder, or only one class, or some of the top folders
            are named like splits and others are not.
    """
    listing = Listing()
    paths: list[str] = []
    entries = walk(root)
    for path in entries:
        (listing.ignored if is_hidden(path) else paths).append(path)
    wrapper = _wrapper(paths)
    within = [path.removeprefix(wrapper) for path in paths]
    first = wrapper.count("/")  # the place of the split's folder, else of the class's, in a path
    depth = first + (1 if _has_splits(root / wrapper, within, layout) else 0)
    for path in paths:
        *folders, name = path.split("/")
        if len(folders) > depth:
            split = canonical(folders[first]) if depth > first else ""
            label = unicodedata.normalize("NFC", folders[depth])
            listing.rows.append(ListedRow(path, label, split))
        elif posixpath.splitext(name)[1].lower() in kind.suffixes:
            listing.rejected.append(Rejected(path, "lies in no class folder"))
        else:
            listing.ignored.append(path)
    listing.set_aside(root, entries)
    _check_classes(root, listing, kind)
    return listing


def _wrapper(paths: list[str]) -> str:
    """The one folder, with its `/`, that holds all the others, as archives often have; or ""."""
    tops = {path.split("/")[0] for path in paths if "/" in path}
    below = {tuple(path.split("/")[:2]) for path in paths if path.count("/") > 1}
    if len(tops) != 1 or len(below) < 2 or is_split_name(*tops):
        return ""
    return f"{tops.pop()}/"


def _has_splits(root: Path, paths: list[str], layout: FolderLayout) -> bool:
    if layout != "auto":
        return layout == "splits"
    nested = {path.split("/")[0] for path in paths if path.count("/") > 1}
    tops = sorted({path.split("/")[0] for path in paths if "/" in path})
    splits = [top for top in tops if top in nested and is_split_name(top)]
    others = [top for top in tops if top not in splits]
    if len(splits) > 1 and others:
        raise DataError(
            f"{root}: expected top folders that are all splits or all classes. Received: splits "
            f"{', '.join(splits)} beside {', '.join(others[:5])}. Move the others away, or set "
            "the option layout to splits or classes."
        )
    return bool(splits) and not others


def _check_classes(root: Path, listing: Listing, kind: FileKind) -> None:
    if not listing.rows:
        found = "an empty folder"
        if listing.rejected:
            found = f"{len(listing.rejected)} {kind.plural} in no folder of their class"
        elif listing.ignored:
            found = f"{len(listing.ignored)} files, none of them {kind.one} in a class folder"
        raise DataError(
            f"{root}: expected a folder of {kind.plural} for each class. Received: {found}. "
            f"Make one folder per class, or {kind.instead}."
        )
    top = listing.rows[0].path.split("/")[0]
    check_two_classes(root, listing, f"If {root / top} holds the class folders, give that.")


def check_two_classes(place: Path, listing: Listing, advice: str) -> None:
    """Raise DataError if there are fewer than two classes."""
    if len(listing.classes) < 2:
        raise DataError(
            f"{place}: expected at least two classes. Received: only {listing.classes[0]!r}, "
            f"{len(listing.rows)} files. {advice}"
        )
