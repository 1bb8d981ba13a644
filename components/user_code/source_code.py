"""The source that a module reaches through imports, read from disk; none of it is imported.

What a step's answer depends on besides its options and data: the pipeline makes it part of a
step's key, and `analyze` writes the digest of a person's own preprocessing beside its name.
"""

import contextlib
import contextvars
import dataclasses
import functools
import hashlib
import os
import pathlib
from collections.abc import Iterator

from millrace.components.files import folders
from millrace.components.user_code import modules
from millrace.components.user_code.known_syntax import KnownSyntax
from millrace.components.user_code.syntax import Syntax

PROJECT = "millrace"
# These only give names of other modules: a name more changes no step.
_FORWARDING = (PROJECT, f"{PROJECT}.steps")
_known = contextvars.ContextVar("_known", default=KnownSyntax())  # noqa: B039 - of this process


@dataclasses.dataclass(frozen=True)
class Reached:
    """What a module reaches.

    Attributes:
        code: digests of the project's modules by name, and of the files that a person's own
            modules name in a string, as `module:text`.
        libraries: the other modules imported that do not come with Python.
    """

    code: dict[str, str]
    libraries: frozenset[str]


@functools.cache
def reached(module: str) -> Reached:
    """What `module` reaches: itself, what it imports, and the packages above these, at any depth.

    A module belongs to the project if it is one of millrace, shares the top-level package of
    `module`, or is in a folder of a person's own: one that no installed distribution accounts for.
    A comment, a docstring or another layout changes nothing. What is imported by a name that is
    made at run time is not seen.
    """
    followed = frozenset({PROJECT, module.partition(".")[0]})
    code: dict[str, str] = {}
    libraries: set[str] = set()
    waiting, seen = {module}, {""}
    while waiting:
        name = waiting.pop()
        seen.add(name)
        found = _visited(name, followed)
        code |= found.code
        libraries |= found.libraries
        waiting |= found.following - seen
    return Reached(dict(sorted(code.items())), frozenset(libraries))


@dataclasses.dataclass(frozen=True)
class _Visited(Reached):
    """What a module reaches by itself, and where to look on."""

    following: frozenset[str] = frozenset()


@functools.cache
def _visited(name: str, followed: frozenset[str]) -> _Visited:
    """One module, of the project if its top-level package is in `followed`; see `reached`."""
    owner = _owner(name)
    if modules.is_standard(owner):
        return _Visited({}, frozenset())
    if name.partition(".")[0] not in followed and modules.is_library(owner):
        return _Visited({}, frozenset({owner}))
    following = {name.rpartition(".")[0], *_forwarded(name)}
    code: dict[str, str] = {}
    if name.endswith(".*"):
        following.update(modules.submodules(name[:-2]))
    elif (one := _read(name)) is not None:
        code = _files(name) | ({} if name in _FORWARDING else {name: one.digest})
        following |= one.modules
    return _Visited(code, frozenset(), frozenset(following))


def digest(module: str) -> str:
    """SHA-256 of all that `module` reaches outside millrace, in hexadecimal."""
    own = {
        name: code
        for name, code in reached(module).code.items()
        if name.partition(".")[0] != PROJECT
    }
    lines = "".join(f"{name}\0{code}\n" for name, code in own.items())
    return hashlib.sha256(lines.encode()).hexdigest()


def files_of(module: str) -> dict[str, pathlib.Path]:
    """A person's own sources that `module` reaches, and the files beside them that they name.

    By where they lie below the folder on the path, such as `mine/model.py`.
    """
    found: dict[str, pathlib.Path] = {}
    for code in reached(module).code:
        name, _, text = code.partition(":")
        spec = modules.find(name) if modules.is_own(name) else None
        if spec is None or not spec.origin:
            continue
        file = pathlib.Path(spec.origin)
        parts = name.split(".") if spec.submodule_search_locations else name.split(".")[:-1]
        folder = pathlib.PurePosixPath(*parts)
        beside = file.parent / text if text else file
        if beside.is_file() and ".." not in pathlib.PurePath(text).parts:
            found[str(folder / (text or file.name))] = beside
    return found


def forget() -> None:
    """Read every module again the next time: files may have changed."""
    modules.forget()
    for cached in (reached, _visited, _read, _files):
        cached.cache_clear()


@contextlib.contextmanager
def remembered(file: pathlib.Path) -> Iterator[None]:
    """Keep in `file` what sources say, so that a later process need not parse them again."""
    known = KnownSyntax.load(file)
    before = _known.set(known)
    try:
        yield
    finally:
        _known.reset(before)
        known.save(file)


def _owner(name: str) -> str:
    """The module that says whose `name` is: its top-level package, or itself in a namespace."""
    top = name.partition(".")[0]
    return name if modules.is_namespace(top) and modules.find(name) else top


def _forwarded(name: str) -> list[str]:
    """Where the module above `name` takes it from, if that module only forwards it."""
    above, _, last = name.rpartition(".")
    said = _read(above) if above else None
    forwarded = said.forwarded if said else {}
    return [taken for known, taken in forwarded.items() if last in (known, "*")]


@functools.cache
def _read(name: str) -> Syntax | None:
    """What the module's source says, or None where there is none: it is a name in a module."""
    spec = modules.find(name)
    content = modules.source(spec) if spec else None
    if spec is None or content is None:
        return None
    if not str(spec.origin).endswith(".py"):  # compiled: all that it is
        return Syntax(hashlib.sha256(content).hexdigest(), frozenset(), frozenset())
    is_package = spec.submodule_search_locations is not None
    return _known.get().read(content, name, is_package=is_package)


@functools.cache
def _files(name: str) -> dict[str, str]:
    """Digests of the files that a module of a person's own names whole, in a string of its source.

    From its own folder, or from the one that the command is given in.
    """
    spec, said = modules.find(name), _read(name)
    if said is None or spec is None or not spec.origin or name.partition(".")[0] == PROJECT:
        return {}
    found: dict[str, str] = {}
    for text in said.texts:
        # Unlike a path's own `expanduser`, that of `os.path` leaves the `~` of nobody as it is.
        here = os.path.expanduser(text)  # noqa: PTH111
        for file in (pathlib.Path(spec.origin).parent / text, pathlib.Path(here)):
            with contextlib.suppress(OSError, ValueError, RuntimeError):  # no name of a file
                if file.is_file():
                    found[f"{name}:{text}"] = folders.file_digest(file)
    return found
