"""What sources were found to say, kept in a file by their content: parsing them takes seconds.

An entry holds for the very bytes of a module, under the rules of `syntax` and the Python that read
it. Standard library only.
"""

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import pathlib
import sys
from typing import Any

from millrace.components.user_code import syntax
from millrace.components.user_code.syntax import Syntax

_PARTS = 5  # of an entry: the digest of the source, and the attributes of `Syntax`


@dataclasses.dataclass
class KnownSyntax:
    """By module, what its source said last, and a digest of that source."""

    entries: dict[str, list[Any]] = dataclasses.field(default_factory=dict)
    is_new: bool = False

    @classmethod
    def load(cls, file: pathlib.Path) -> "KnownSyntax":
        """What `save` wrote; nothing where there is no such file, or another."""
        try:
            entries = json.loads(file.read_bytes())
        except (OSError, ValueError):
            return cls()
        return cls(entries if _is_ours(entries) else {})

    def save(self, file: pathlib.Path) -> None:
        """Write all entries if there are new ones; a folder that cannot be written stays as it is.

        By a rename: of two processes at once one file wins, whole.
        """
        draft = file.with_name(f"{file.name}.{os.getpid()}")
        if self.is_new:
            try:
                draft.write_text(json.dumps(self.entries, separators=(",", ":")))
                draft.replace(file)
            except OSError:
                with contextlib.suppress(OSError):
                    draft.unlink()

    def read(self, source: bytes, module: str, *, is_package: bool) -> Syntax:
        """What `syntax.read` says, without parsing where that is known."""
        digest = hashlib.sha256(f"{_rules()} {is_package} ".encode() + source).hexdigest()
        known = self.entries.get(module)
        if known and known[0] == digest:
            _, own, modules, texts, forwarded = known
            return Syntax(own, frozenset(modules), frozenset(texts), forwarded)
        found = syntax.read(source, module, is_package=is_package)
        parts = (found.digest, sorted(found.modules), sorted(found.texts), dict(found.forwarded))
        self.entries[module], self.is_new = [digest, *parts], True
        return found


def _is_ours(entries: Any) -> bool:
    return isinstance(entries, dict) and all(
        isinstance(entry, list) and len(entry) == _PARTS for entry in entries.values()
    )


@functools.cache
def _rules() -> str:
    """What the answer depends on beside the source."""
    own = hashlib.sha256(pathlib.Path(syntax.__file__).read_bytes()).hexdigest()
    return f"{own} {sys.version_info[:2]}"
