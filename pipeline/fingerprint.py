"""What decides whether a step must run: options, inputs' content, code, versions.

A key is a SHA-256 over these four. Beam's flags are not among them: the runner never
changes the answer.
"""

import ast
import dataclasses
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

from etils.epath import Path

from pipeline.dag import Step

LIBRARIES = ("tensorflow", "keras", "apache-beam")
FLOORS = ("serving", "components", "pipeline")
_BLOCK = 1 << 20  # bytes read at a time

FileDigest = Callable[[Path], str]


@dataclasses.dataclass(frozen=True)
class Ingredients:
    """The four parts of a step's key, kept so that `explain` can compare them."""

    options: dict[str, Any]
    inputs: dict[str, str | None]  # input -> content digest; None where nothing was given
    code: dict[str, str]  # module -> digest of its syntax tree
    versions: dict[str, str]  # library -> version

    @property
    def key(self) -> str:
        """SHA-256 of the four, in hexadecimal."""
        text = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def ingredients(step: Step, digests: dict[str, str | None]) -> Ingredients:
    """The parts of the key of `step`, whose inputs have the content digests `digests`."""
    return Ingredients(
        options=step.dumped_options(),
        inputs=dict(sorted(digests.items())),
        code=reached_code(step.component.__module__),
        versions={name: _version(name) for name in LIBRARIES},
    )


def file_digest(path: Path) -> str:
    """SHA-256 of the bytes of one file, in hexadecimal."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def content_digest(path: Path, digest_of: FileDigest = file_digest) -> str:
    """SHA-256 over the names and contents of the files at `path`, a file or a folder.

    Names are relative to `path`, so that a folder that is moved keeps its digest.
    """
    digest = hashlib.sha256()
    for file in _files(Path(path)):
        name = file.relative_to(path).as_posix()
        digest.update(f"{name}\0{digest_of(file)}\n".encode())
    return digest.hexdigest()


@functools.cache
def reached_code(module: str) -> dict[str, str]:
    """Digests of `module` and of the project's modules that it imports, at any depth.

    A module belongs to the project if it is on one of the floors or shares the top-level
    package of `module`, so that a user's own components count too. The digest is of the
    syntax tree without docstrings: a changed comment runs nothing again.
    """
    packages = {*FLOORS, module.partition(".")[0]}
    found: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found or name.partition(".")[0] not in packages:
            continue
        source = _source(name)
        if source is not None:
            tree = ast.parse(source)
            waiting.extend(_imports(tree, name))
            found[name] = _tree_digest(tree)
    return dict(sorted(found.items()))


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for entry in sorted(path.iterdir(), key=lambda entry: entry.name):
        yield from _files(entry)


def _version(library: str) -> str:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return "absent"


def _source(module: str) -> str | None:
    """The source text of `module`, or None where it has none (a name, not a module).

    Found on disk by its path: the import system would import the packages above it, and
    TensorFlow with them.
    """
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None:
        return None
    folders = spec.submodule_search_locations or []
    files = [pathlib.Path(folder, *rest) for folder in folders]
    candidates = [
        *(file.with_suffix(".py") for file in files if rest),
        *(file / "__init__.py" for file in files),
        *([pathlib.Path(spec.origin)] if spec.origin and not (rest or folders) else []),
    ]
    found = next((file for file in candidates if file.is_file()), None)
    return found.read_text() if found and found.suffix == ".py" else None


def _imports(tree: ast.AST, module: str) -> Iterator[str]:
    """Every module that `tree` may import; names taken from a module may be modules too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                package = module.rsplit(".", node.level)[0]
                source = f"{package}.{source}".rstrip(".")
            yield source
            yield from (f"{source}.{alias.name}" for alias in node.names)


def _tree_digest(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            body[0] = ast.Pass()
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
