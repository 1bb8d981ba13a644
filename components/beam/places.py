"""Pickles that name files below folders which lie elsewhere on the machine that reads them.

Each of a few folders has a key. A text or path that names one of them, or something below it, is
pickled with the key in the folder's place, however deep in an object it lies, and read with the
folder that the reader has by that key.
"""

import io
import pathlib
import pickle
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

_KEY = "\0millrace-folder-{}\0"
_KEYS = re.compile(_KEY.format(r"(\w+)"))


class Named(NamedTuple):
    """What an object names: the key of a folder, and the path below it, empty for itself."""

    key: str
    below: str


class Places:
    """Folders of this machine by their keys."""

    def __init__(self, folders: Mapping[str, str]) -> None:
        """`folders` are absolute; of two that lie in each other the inner one counts."""
        self._folders = {key: folder.rstrip("/") for key, folder in folders.items()}
        self._keys = {folder: key for key, folder in self._folders.items()}
        inner = sorted(self._keys, key=len, reverse=True)
        whole = "|".join(map(re.escape, inner))
        self._known = re.compile(rf"(?<![\w.~-])(?:{whole})(?![\w.~-])")

    def dumps(
        self,
        content: Any,
        kind: type[pickle.Pickler] = pickle.Pickler,
        note: Callable[[Named], object] = lambda named: None,
    ) -> bytes:
        """`content`, pickled; `note` is told each thing that a text or path of it names."""
        places = self

        class Pickler(kind):  # type: ignore[misc, valid-type]
            def persistent_id(self, value: Any) -> Any:
                if type(value) is str:
                    keyed, form = places._keyed(value, note), None
                elif isinstance(value, pathlib.PurePath):
                    keyed, form = places._keyed(str(value), note), type(value)
                else:
                    return None
                return None if keyed is None else (form, keyed)

        written = io.BytesIO()
        Pickler(written).dump(content)
        return written.getvalue()

    def loads(self, content: bytes) -> Any:
        """What `dumps` has pickled, maybe on another machine."""
        return _Unpickler(io.BytesIO(content), self._folders).load()

    def folder(self, key: str) -> pathlib.Path:
        """That of this machine."""
        return pathlib.Path(self._folders[key])

    def _keyed(self, text: str, note: Callable[[Named], object]) -> str | None:
        """`text` with keys for folders; None where it names none."""
        if not (found := self._known.search(text)):
            return None
        if found.start() == 0 and text[found.end() :][:1] in ("", "/"):
            note(Named(self._keys[found[0]], text[found.end() :].strip("/")))
        return self._known.sub(lambda match: _KEY.format(self._keys[match[0]]), text)


class _Unpickler(pickle.Unpickler):
    """Reads what `Places.dumps` has pickled, which is a pass's own."""

    def __init__(self, content: io.BytesIO, folders: Mapping[str, str]) -> None:
        super().__init__(content)
        self._folders = folders

    def persistent_load(self, keyed: Any) -> Any:
        form, text = keyed
        here = _KEYS.sub(lambda match: self._folders[match[1]], text)
        return here if form is None else form(here)
