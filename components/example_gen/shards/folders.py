"""Which files of a folder are rows: class folders, maybe within split folders."""

import collections
import dataclasses
import logging
import types
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from etils.epath import Path

from millrace.components.artifacts import Rejected
from millrace.components.errors import DataError
from millrace.components.example_gen.shards import names
from millrace.components.example_gen.shards.splits import (
    canonical,
    is_folder_name,
    is_split_name,
    split_in,
)
from millrace.components.files import picture_names
from millrace.components.files.printable import one_line
from millrace.components.files.walk import is_hidden, is_utf8, unreadable, walk

FolderLayout = Literal["auto", "classes", "splits"]
_NO_CLASS = {"unsup", "unlabeled", "unlabelled"}  # folders of a split, such as IMDB's
_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class FileKind:
    """What the files of class folders are, and how they are told by their names.

    Attributes:
        one, plural: for messages.
        instead: what a person may give if there are no class folders.
        claims: whether a path is one of them, so that it is missed where it has no class.
        ignores: whether a path is none of them, wherever it lies.
        pattern_option: how classes in the files' names are told, if they can be.
        manifest_option: how a table of files and classes is named, if it can be.
    """

    one: str
    plural: str
    instead: str
    claims: Callable[[str], bool]
    ignores: Callable[[str], bool] = is_hidden
    pattern_option: str = ""
    manifest_option: str = ""


PICTURES = FileKind(
    "an image",
    "images",
    "name them in a CSV (option manifest.file)",
    picture_names.is_picture,
    picture_names.is_other,
    "image_example_gen.pattern",
    "image_example_gen.manifest.file",
)


class ListedRow(NamedTuple):
    """A file to read: its path below the source, its class, and the split it came in or ""."""

    path: str
    label: str
    split: str = ""


@dataclasses.dataclass
class Listing:
    """What a source holds: rows, files that are not data, rows set aside unread, rows that have
    no class where others have one, and class folders without a row.
    """

    rows: list[ListedRow] = dataclasses.field(default_factory=list)
    ignored: list[str] = dataclasses.field(default_factory=list)
    rejected: list[Rejected] = dataclasses.field(default_factory=list)
    unlabelled: list[Rejected] = dataclasses.field(default_factory=list)
    empty: list[str] = dataclasses.field(default_factory=list)

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


class _Levels(NamedTuple):
    """Where class folders lie: directly below each of the prefixes of `splits`, which have their
    split or "". There are none below those in `bare`, for the reasons there. If `splits_within`,
    the folders below a class are its splits.
    """

    splits: dict[str, str]
    bare: Mapping[str, str] = types.MappingProxyType({})
    splits_within: bool = False


def list_classes(
    root: Path, layout: FolderLayout = "auto", kind: FileKind = PICTURES, pattern: str = ""
) -> Listing:
    """The rows of `root`: `[split/]class/.../file`, classes by the name of their folder.

    Files below a class folder at any depth are of that class. Folders that wrap a single one are
    looked through, above the splits and within them. Hidden files, files that are none of the
    kind by their names and files beside the class folders are ignored; a file of the kind looked
    for is set aside there, for it has no class, and is unlabelled in a split without any class.

    Args:
        root: a folder.
        layout: of its top folders.
        kind: of its files.
        pattern: of the files' names, where these say the class in place of folders.

    Raises:
        DataError: there is no class folder, or only one class, or some of the top folders
            are named like splits and others are not, or classes could lie at two levels.
        OptionError: the pattern is none.
    """
    listing = Listing()
    paths: list[str] = []
    entries = walk(root)
    for path in entries:
        (listing.ignored if kind.ignores(path) else paths).append(path)
    if pattern:
        _by_pattern(listing, paths, pattern, kind)
    else:
        levels = _levels(root, paths, layout, kind)
        for path in paths:
            _place(listing, path, levels, kind)
        listing.empty = sorted(_empty_folders(root, levels, listing))
    if listing.rows:
        listing.set_aside(root, entries)
    _check_classes(root, listing, kind, pattern)
    _warn(listing, kind)
    return listing


def _place(listing: Listing, path: str, levels: _Levels, kind: FileKind) -> None:
    """Put `path` into `listing`: as a row of its class, or among what has none."""
    prefix = next((prefix for prefix in levels.splits if path.startswith(prefix)), None)
    split = levels.splits.get(prefix or "", "")
    folders = [] if prefix is None else path[len(prefix) :].split("/")[:-1]
    if reason := levels.bare.get(prefix or "", ""):
        if kind.claims(path):
            listing.unlabelled.append(Rejected(path, reason))
        else:
            listing.ignored.append(path)
    elif split and folders and folders[0].lower() in _NO_CLASS:
        listing.unlabelled.append(Rejected(path, f"folder {folders[0]} is no class"))
    elif folders:
        if levels.splits_within:
            split = canonical(folders[1]) if len(folders) > 1 else ""
        listing.rows.append(ListedRow(path, unicodedata.normalize("NFC", folders[0]), split))
    elif not kind.claims(path):
        listing.ignored.append(path)
    else:
        listing.rejected.append(Rejected(path, "lies in no class folder"))


def _levels(root: Path, paths: Sequence[str], layout: FolderLayout, kind: FileKind) -> _Levels:
    below = _folders(paths)
    top = ""
    while len(below[top]) == 1:
        (only,) = below[top]
        if is_split_name(only) or not below.get(f"{top}{only}/"):
            break
        top += f"{only}/"
    tops = sorted(below[top])
    if _has_splits(root / top, top, below, layout):
        prefixes = {f"{top}{name}/": split_in(name) or name for name in tops}
        is_wrapped = all(len(below[prefix]) < 2 for prefix in prefixes)  # as train/images/cat
        within = {prefix: _within(prefix, below, is_wrapped=is_wrapped) for prefix in prefixes}
        return _of_splits({within[prefix]: split for prefix, split in prefixes.items()}, below)
    inner = [below[f"{top}{name}/"] for name in tops]
    holds_files = {path.rpartition("/")[0] for path in paths}
    is_plain = any(f"{top}{name}" in holds_files for name in tops)
    if layout == "auto" and len(tops) > 1 and not is_plain:
        if all(all(map(is_split_name, names)) for names in inner):
            return _Levels({top: ""}, splits_within=True)
        if kind.pattern_option and len(inner[0]) > 1 and all(each == inner[0] for each in inner):
            raise DataError(
                f"{root / top}: expected class folders at one level. Received: "
                f"{', '.join(tops[:5])}, each with {', '.join(sorted(inner[0])[:5])}. If the inner "
                f"ones are the classes, set {kind.pattern_option}={{class}}/{{name}}; if the outer "
                "ones are, the option layout=classes."
            )
    return _Levels({top: ""})


def _of_splits(prefixes: Mapping[str, str], below: Mapping[str, set[str]]) -> _Levels:
    """Class folders below `prefixes`, but for a lone one that no split of several classes has.

    That is looked through, as `test/images`; where no class is within it, nothing has one.
    """
    several = [below[prefix] for prefix in prefixes if len(below[prefix]) > 1]
    known = {name.casefold() for names in several for name in names}
    splits, bare = dict[str, str](), dict[str, str]()
    for prefix, split in prefixes.items():
        lone = "".join(below[prefix]) if len(below[prefix]) == 1 else ""
        inner = f"{prefix}{lone}/"
        is_wrap = lone and not known.isdisjoint(map(str.casefold, below[inner]))
        splits[inner if is_wrap and lone.casefold() not in known else prefix] = split
        if not below[prefix]:
            bare[prefix] = f"split {split} has no class folders"
        elif lone and known and not is_wrap and lone.casefold() not in known:
            bare[prefix] = f"folder {lone} of split {split} is a class of no other split"
    return _Levels(splits, bare)


def _folders(paths: Iterable[str]) -> collections.defaultdict[str, set[str]]:
    """The names of the folders directly below each prefix of `paths`: "" or what ends in `/`."""
    below = collections.defaultdict[str, set[str]](set)
    for folder in {path.rpartition("/")[0] for path in paths}:
        prefix = ""
        for name in filter(None, folder.split("/")):
            below[prefix].add(name)
            prefix += f"{name}/"
    return below


def _within(prefix: str, below: Mapping[str, set[str]], *, is_wrapped: bool) -> str:
    """The only folder of a split if that has the same name; or, where each split `is_wrapped`, if
    it holds others or is named like a split.
    """
    if len(below[prefix]) != 1:
        return prefix
    (name,) = below[prefix]
    is_wrap = is_wrapped and (below[f"{prefix}{name}/"] or is_split_name(name))
    return f"{prefix}{name}/" if is_wrap or name == prefix.split("/")[-2] else prefix


def _has_splits(place: Path, top: str, below: Mapping[str, set[str]], layout: FolderLayout) -> bool:
    if layout != "auto":
        return layout == "splits"
    named = _named_like_splits(top, below)
    others = sorted(below[top] - {*named})
    nested = [name for name in named if below[f"{top}{name}/"]]
    if others and (len(nested) > 1 or any(len(below[f"{top}{name}/"]) > 1 for name in nested)):
        raise DataError(
            f"{place}: expected top folders that are all splits or all classes. Received: splits "
            f"{', '.join(nested)} beside {', '.join(others[:5])}. Move the others away, or set "
            "the option layout to splits, by which files in no class folder are unlabelled, or to "
            "classes."
        )
    return bool(named) and not others


def _named_like_splits(top: str, below: Mapping[str, set[str]]) -> list[str]:
    """Those called like a split; or, of `seg_train` and `seg_test`, by a word of their names.

    The latter only if they hold folders: a night_train and a test_tube are classes.
    """
    named = [name for name in sorted(below[top]) if is_split_name(name)]
    nested = [name for name in sorted(below[top]) if below[f"{top}{name}/"]]
    spoken = {name: split for name in nested if (split := split_in(name))}
    is_told = len({*spoken.values()}) > 1 and "train" in spoken.values()
    return named or (list(spoken) if is_told else [])


def _by_pattern(listing: Listing, paths: Sequence[str], pattern: str, kind: FileKind) -> None:
    """Rows by the classes, and maybe splits, in their paths."""
    regex = names.compiled(pattern, kind.pattern_option)
    for path in paths:
        found = regex.fullmatch(path)
        folders = [name for name in path.split("/")[:-1] if is_split_name(name)]
        split = found["split"] if found and "split" in regex.groupindex else "".join(folders[-1:])
        if found and (not split or is_folder_name(canonical(split))):
            label = unicodedata.normalize("NFC", found["class"])
            listing.rows.append(ListedRow(path, label, canonical(split)))
        elif kind.claims(path):
            listing.unlabelled.append(Rejected(path, f"its name does not fit {pattern}"))
        else:
            listing.ignored.append(path)


def _empty_folders(root: Path, levels: _Levels, listing: Listing) -> list[str]:
    """The folders at the level of the classes that no row lies in."""
    paths = [row.path for row in listing.rows] + [item.source for item in listing.unlabelled]
    used = {
        path[: path.find("/", len(prefix))]
        for prefix in levels.splits
        for path in paths
        if path.startswith(prefix)
    }
    there = [
        f"{prefix}{name if is_utf8(name) else one_line(name)}"  # as `walk` shows it
        for prefix in levels.splits
        for name in (entry.name for entry in (root / prefix).iterdir() if entry.is_dir())
        if not is_hidden(name)
    ]
    return [path for path in there if path not in used]


def _warn(listing: Listing, kind: FileKind) -> None:
    for path in listing.empty:
        _log.warning("folder %s holds no %s: it is no class", path, kind.plural)
    spellings = collections.defaultdict[str, list[str]](list)
    for name in listing.classes:
        spellings[name.casefold()].append(name)
    for alike in spellings.values():
        if len(alike) > 1:
            _log.warning(
                "classes %s differ in nothing but case: rename the folders if they are one",
                " and ".join(map(repr, alike)),
            )


def _check_classes(root: Path, listing: Listing, kind: FileKind, pattern: str) -> None:
    if len(listing.classes) > 1:
        return
    advice = _advice(listing, kind, pattern)
    if listing.rows:
        check_two_classes(root, listing, advice)
    found = "an empty folder"
    if without := len(listing.rejected) + len(listing.unlabelled):
        place = (
            f"none with a name that fits {pattern}" if pattern else "in no folder of their class"
        )
        found = f"{without} {kind.plural}, {place}"
    elif listing.ignored:
        found = f"{len(listing.ignored)} files, none of them {kind.one} in a class folder"
    raise DataError(
        f"{root}: expected a folder of {kind.plural} for each class. Received: {found}. {advice}"
    )


def _advice(listing: Listing, kind: FileKind, pattern: str) -> str:
    if pattern:
        return f"Correct the option {kind.pattern_option}."
    there = [row.path for row in listing.rows]
    there += [item.source for item in (*listing.rejected, *listing.unlabelled)]
    claimed = [path for path in there if kind.claims(path)]
    if kind.pattern_option and (found := names.proposal(claimed)):
        return f'Their names fit {kind.pattern_option}="{found}": set that.'
    tables = [path for path in listing.ignored if path.lower().endswith((".csv", ".tsv"))]
    if kind.manifest_option and tables:
        return f"If {tables[0]} names their classes, set {kind.manifest_option}={tables[0]}."
    return f"Make one folder per class, or {kind.instead}."


def check_two_classes(place: Path, listing: Listing, advice: str) -> None:
    """Raise DataError if there are fewer than two classes."""
    if len(listing.classes) < 2:
        raise DataError(
            f"{place}: expected at least two classes. Received: only {listing.classes[0]!r}, "
            f"{len(listing.rows)} files. {advice}"
        )
