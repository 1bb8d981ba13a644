"""Names of splits, and which split a row belongs to.

A row without a split of its own gets one from the SHA-256 of its content, so it never moves
when data is added, equal contents stay together, and the size of one class does not change
the shares of another.
"""

import bisect
import dataclasses
import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Self

from pydantic import AfterValidator

from millrace.components.errors import OptionError
from millrace.components.files.names import words

DEFAULT_SHARES: dict[str, float] = {"train": 0.8, "eval": 0.1, "test": 0.1}

_ALIASES = {
    "train": "train train_set training training_set trainset",
    "eval": "eval eval_set evaluation dev develop development dev_set "
    "val val_set valid valid_set validate validation validation_set",
    "test": "test test_set testing testing_set testset",
}
_CANONICAL = {alias: name for name, aliases in _ALIASES.items() for alias in aliases.split()}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def canonical(name: str) -> str:
    """`train`, `eval` or `test` for their usual other names; any other name as it is."""
    return _CANONICAL.get(_folded(name), name)


def is_split_name(name: str) -> bool:
    """Whether `name` is a usual name of a split, in any case, with `-`, `_` or a space."""
    return _folded(name) in _CANONICAL


def split_in(path: str) -> str:
    """The split that a file's path below its source speaks of, or "".

    That is the nearest folder called like one, else the file; else the one that a word of the
    file's name is, or of the nearest folder's: `train` of `sign_mnist_train.csv`, `CityTrain.csv`
    and `train2.csv`, none of `trainers.csv`. A name that speaks of several says nothing.
    """
    *folders, name = path.split("/")
    names = [*reversed(folders), name.split(".")[0]]
    whole = next((canonical(each) for each in names if is_split_name(each)), "")
    return whole or next(filter(None, map(_split_word, [name, *reversed(folders)])), "")


def _split_word(name: str) -> str:
    """The split that a word of `name` is, if there is only one."""
    found = {_CANONICAL.get(word) for word in words(name)} - {None}
    return found.pop() or "" if len(found) == 1 else ""


def is_folder_name(name: str) -> bool:
    """Whether a split called `name` can have a folder of its own."""
    return _NAME.fullmatch(name) is not None


def _folded(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip().lower())


@dataclasses.dataclass(frozen=True)
class SplitRule:
    """Chooses a row's split from its content, or from the split it was given.

    `edges` are the upper bounds of the shares in [0, 1], in the order of `names`; `held_out`
    is the share of the given split `train` that goes to `eval`.
    """

    names: tuple[str, ...]
    edges: tuple[float, ...]
    held_out: float = 0.0

    @classmethod
    def of(cls, step: str, shares: Mapping[str, float], eval_from_train: float = 0.0) -> Self:
        """The rule for options `splits` and `eval_from_train` of `step`.

        Raises:
            OptionError: a share is not above 0, they do not sum to 1, a name cannot be a
                folder's, or `eval_from_train` is not in [0, 1).
        """
        try:
            check_shares(shares)
        except ValueError as error:
            raise OptionError(f"{step}, option splits: {error}") from None
        if not 0 <= eval_from_train < 1:
            raise OptionError(
                f"{step}, option eval_from_train: expected a share from 0 to below 1. "
                f"Received: {eval_from_train}. Give 0.1 to hold out a tenth of train."
            )
        names = tuple(canonical(name) for name in shares)
        totals = [math.fsum(list(shares.values())[: i + 1]) for i in range(len(names))]
        return cls(names, (*totals[:-1], 1.0), eval_from_train)

    def for_given(self, given: Iterable[str]) -> Self:
        """The same rule for data that comes in the splits `given`.

        Rows of `train` are held out only where there is no `eval` of their own.
        """
        held_out = 0.0 if "eval" in set(given) else self.held_out
        return dataclasses.replace(self, held_out=held_out)

    def reachable(self, given: Iterable[str]) -> list[str]:
        """Every split that rows given in `given` ("" for none) can come to lie in, sorted."""
        reached: set[str] = set()
        for name in given:
            reached.update([name] if name else self.names)
            if name == "train" and self.held_out:
                reached.add("eval")
        return sorted(reached)

    def choose(self, given: str, content: bytes) -> str:
        """The split of a row with `content` that came in split `given`, "" for none."""
        if given and not (given == "train" and self.held_out):
            return given
        return self.choose_by(given, hashlib.sha256(content).digest())

    def choose_by(self, given: str, digest: bytes) -> str:
        """The same, of a row whose content has the SHA-256 `digest`."""
        if not given:
            return self.names[bisect.bisect_right(self.edges, _point(digest))]
        if given == "train" and self.held_out and _point(digest) < self.held_out:
            return "eval"
        return given


def _point(digest: bytes) -> float:
    """A number in [0, 1), uniform over contents: the first 53 bits of the SHA-256."""
    return (int.from_bytes(digest[:8]) >> 11) / 2**53


def check_shares(shares: Mapping[str, float]) -> Mapping[str, float]:
    """`shares`, if the splits can have folders of these names, and each row one place.

    Raises:
        ValueError: a name does not fit, a share is not above 0, or they do not sum to 1.
    """
    names = [canonical(name) for name in shares]
    if len(set(names)) < len(names) or not all(map(is_folder_name, names)):
        raise ValueError(
            "expected distinct names of letters, digits, `_`, `.` and `-`. "
            f"Received: {', '.join(map(repr, shares))}. Use e.g. train, eval and test."
        )
    total = sum(shares.values())
    if any(not share > 0 for share in shares.values()) or not math.isclose(total, 1, abs_tol=1e-6):
        raise ValueError(
            "expected shares above 0 that sum to 1. "
            f"Received: {dict(shares)}, which sum to {total:g}. Change a share or leave it out."
        )
    return shares


def _folder_name(name: str) -> str:
    if not is_folder_name(name):
        raise ValueError(
            "expected names of splits of letters, digits, `_`, `.` and `-`. "
            f"Received: {name!r}. Use e.g. train, eval and test."
        )
    return name


SplitName = Annotated[str, AfterValidator(_folder_name)]
Shares = Annotated[dict[str, float], AfterValidator(check_shares)]
