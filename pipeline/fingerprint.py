"""What decides whether a step must run: component, options, inputs' content, code, versions.

A key is a SHA-256 over these five. Beam's flags are not among them: the runner never
changes the answer. The code is that which the component's module reaches, and that which its
options name as `package.module:function`: a person's own model or preprocessing. The versions
are those of the libraries that this code imports.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from etils.epath import Path

from millrace.components.errors import DataError
from millrace.components.files import folders, paths, walk
from millrace.components.files.printable import one_line
from millrace.components.user_code import modules, references, source_code
from millrace.pipeline.dag import Component, Step
from millrace.pipeline.errors import WiringError
from millrace.serving.errors import few

_KEPT = 10_000  # files whose states are kept one by one

FileDigest = Callable[[pathlib.Path], str]


@dataclasses.dataclass(frozen=True)
class Ingredients:
    """The five parts of a step's key, kept so that `explain` can compare them."""

    component: str  # the function's module, a colon, its qualified name
    options: dict[str, Any]
    inputs: dict[str, str | None]  # input or file -> content digest; None if nothing was given
    code: dict[str, str]  # module -> digest of its syntax tree
    versions: dict[str, str]  # library -> version

    @property
    def key(self) -> str:
        """SHA-256 of the five, in hexadecimal."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def ingredients(step: Step, digests: dict[str, str | None]) -> Ingredients:
    """The parts of the key of `step`, whose inputs have the content digests `digests`.

    Raises:
        WiringError: the component's code cannot be read, so that no change of it would be seen.
    """
    options = step.dumped_options()
    reached = [
        source_code.reached(module)
        for module in (*_modules(step.component), *named_modules(options))
    ]
    _check_readable(step, reached[0])
    code = {name: digest for one in reached for name, digest in one.code.items()}
    files = {
        f"file {name}": content_digest(Path(name).expanduser()) for name in named_files(options)
    }
    return Ingredients(
        component=f"{step.component.__module__}:{step.component.__qualname__}",
        options=options,
        inputs=dict(sorted((digests | files).items())),
        code=dict(sorted(code.items())),
        versions=modules.versions({name for one in reached for name in one.libraries}),
    )


def _modules(component: Component) -> list[str]:
    """The modules that hold the code of `component`: its own, and those of its decorators."""
    found = [component.__module__]
    layer: Any = component
    while layer is not None:
        found.append(getattr(layer, "__globals__", {}).get("__name__", component.__module__))
        layer = getattr(layer, "__wrapped__", None)
    return list(dict.fromkeys(found))


def _check_readable(step: Step, reached: source_code.Reached) -> None:
    if not reached.code and not reached.libraries:
        raise WiringError(
            f"Step {step.name}: expected a component in a module with a source file, so that a "
            f"change of it is seen. Received: {step.component.__module__}, which has none. "
            "Write it into a file (in a notebook: `%%writefile mine.py`) and import it from there."
        )


def content_digest(path: Path, digest_of: FileDigest = folders.file_digest) -> str:
    """SHA-256 over the names and contents of the files at `path`, a file or a folder.

    Names are relative to `path`, so that a folder that is moved keeps its digest. The walk is that
    of the ingests: what they set aside as unreadable counts by its name and the reason.

    Raises:
        DataError: what lies there is not a readable file, or one vanishes or changes meanwhile.
    """
    digest = hashlib.sha256()
    place = pathlib.Path(path)  # a path of etils takes its time with each file
    for name, reason in _entries(Path(path)):
        content = reason or _settled_digest(place / name, digest_of)
        digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()


@dataclasses.dataclass(frozen=True)
class State:
    """What tells, without reading them, whether files may have changed meanwhile.

    Attributes:
        place: a file or a folder.
        digest: over names, sizes, times and inodes.
        files: these by name, if they are not too many to keep.
    """

    place: Path
    digest: str
    files: Mapping[str, str] = dataclasses.field(compare=False)

    def changed(self) -> DataError:
        """The error for contents that are other ones now, with the names of what differs."""
        if not self.place.exists():
            return walk.vanished(self.place)
        found = state(self.place)
        differing = sorted({name for name, _ in self.files.items() ^ found.files.items()})
        if len(differing) != 1:
            named = f": {few(map(one_line, differing), 3)}" if differing else ""
            return walk.vanished(self.place, f"other files or contents than before{named}")
        (name,) = differing
        what = "it changed" if name in self.files else "it is new"
        return walk.vanished(self.place / name, what if name in found.files else "it is gone")


def state(path: Path) -> State:
    """The state of the files at `path`.

    Raises:
        DataError: what lies there cannot be read any more.
    """
    digest, files = hashlib.sha256(), dict[str, str]()
    place = pathlib.Path(path)
    for name, reason in _entries(Path(path)):
        try:
            found = reason or str(_state(place / name))
        except OSError as error:
            raise walk.vanished(place / name, str(error.strerror)) from None
        digest.update(f"{name}\0{found}\n".encode())
        if len(files) <= _KEPT:
            files[name] = found
    return State(Path(path), digest.hexdigest(), files if len(files) <= _KEPT else {})


def file_states(options: Any) -> dict[str, State]:
    """The state of each file or folder that `options`, plain JSON, name."""
    return {name: state(Path(name).expanduser()) for name in named_files(options)}


def named_modules(options: Any) -> Iterator[str]:
    """The modules of the `package.module:name` texts anywhere in `options`, plain JSON.

    Arguments may follow, see `user_code.calls`.
    """
    for text in texts(options):
        if parts := references.split(text.partition("(")[0].strip()):
            yield parts[0]


def named_files(options: Any) -> Iterator[str]:
    """The texts anywhere in `options`, plain JSON, that name a file or a SavedModel's folder.

    Such as the weights of a pretrained network: other content is another training. Other
    folders are places to write to, or are inputs.
    """
    for text in texts(options):
        path = os.path.expanduser(text)  # noqa: PTH111 - leaves what names no user as it is
        if paths.names_file(path) or paths.names_file(f"{path}/saved_model.pb"):
            yield text


def texts(options: Any) -> Iterator[str]:
    """Every text in `options`, plain JSON, however deep."""
    if isinstance(options, str):
        yield options
    elif isinstance(options, Mapping | Sequence):
        for value in options.values() if isinstance(options, Mapping) else options:
            yield from texts(value)


def _entries(path: Path) -> Iterator[tuple[str, str]]:
    """The files of `path` below it, folder by folder, each with why it cannot be read or ""."""
    if not path.is_dir():
        if reason := walk.problem(path):
            raise DataError(
                f"{path}: expected a file or a folder that can be read. Received: {reason}. "
                "Correct the path, or copy what it holds to a file."
            )
        yield ".", ""
        return
    found = walk.walk(path)
    for name in sorted(found, key=lambda name: name.split("/")):
        # An editor's locks come and go, and no ingest reads what is still being written.
        if not walk.is_hidden(name) or (not found[name] and not walk.is_unfinished(name)):
            yield name, found[name]


def _settled_digest(file: pathlib.Path, digest_of: FileDigest) -> str:
    """The digest of `file`, which must stay as it is while it is read."""
    try:
        before = _state(file)
        digest = digest_of(file)
        after = _state(file)
    except FileNotFoundError:
        raise walk.vanished(file) from None
    except OSError as error:
        raise walk.vanished(file, str(error.strerror)) from None
    if before != after:
        raise walk.vanished(file, "it changed")
    return digest


def _state(file: pathlib.Path) -> tuple[int, ...]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
