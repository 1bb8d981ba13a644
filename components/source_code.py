"""The source that a module reaches through imports, read from disk; none of it is imported.

What a step's answer depends on besides its options and data: the pipeline makes it part of a
step's key, and `analyze` writes the digest of a person's own preprocessing beside its name.
Standard library only.
"""

import ast
import functools
import hashlib
import importlib.util
import pathlib
import sysconfig
from collections.abc import Iterator
from importlib.machinery import ModuleSpec

FLOORS = ("serving", "components", "pipeline")
_INSTALLED = ("stdlib", "platstdlib", "purelib", "platlib")


@functools.cache
def reached_code(module: str) -> dict[str, str]:
    """Digests of `module` and of the project's modules that it imports, at any depth, by name.

    A module belongs to the project if it is on one of the floors, shares the top-level package
    of `module`, or lies beside that package in a folder of a person's own (not among installed
    packages). The digest is of the syntax tree without docstrings: a changed comment is no
    change. A module without a source gives an empty mapping.
    """
    top = module.partition(".")[0]
    home = _home(top)
    found: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in found or not _belongs(name.partition(".")[0], top, home):
            continue
        source = _source(name)
        if source is None:
            continue
        try:
            tree = ast.parse(source)
        except SyntaxError:  # whoever imports it says where; here it is a change like any other
            found[name] = hashlib.sha256(source.encode()).hexdigest()
        else:
            waiting.extend(_imports(tree, name))
            found[name] = _tree_digest(tree)
    return dict(sorted(found.items()))


def digest(module: str) -> str:
    """SHA-256 of all that `module` reaches outside the floors, in hexadecimal."""
    own = {
        name: code
        for name, code in reached_code(module).items()
        if name.partition(".")[0] not in FLOORS
    }
    lines = "".join(f"{name}\0{code}\n" for name, code in own.items())
    return hashlib.sha256(lines.encode()).hexdigest()


def forget() -> None:
    """Read every module anew the next time: files may have changed."""
    reached_code.cache_clear()
    _home.cache_clear()


def _belongs(name: str, top: str, home: pathlib.Path | None) -> bool:
    if name in FLOORS or name == top:
        return True
    return home is not None and _home(name) == home


@functools.cache
def _home(top: str) -> pathlib.Path | None:
    """The folder that holds the top-level module `top`; None where that is an installed one."""
    spec = _find(top)
    place = next(iter(_folders(spec)), spec.origin if spec else None)
    if place is None or place in ("built-in", "frozen"):
        return None
    folder = pathlib.Path(place).resolve().parent
    installed = (pathlib.Path(path).resolve() for path in map(sysconfig.get_path, _INSTALLED))
    return None if any(folder.is_relative_to(one) for one in installed) else folder


def _find(top: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(top) if top else None
    except ValueError:  # a module made by hand, such as `__main__`, has no spec
        return None


def _folders(spec: ModuleSpec | None) -> list[str]:
    return list(spec.submodule_search_locations or []) if spec else []


def _source(module: str) -> str | None:
    """The source text of `module`, or None where it has none (a name, not a module).

    Found on disk by its path: the import system would import the packages above it, and
    TensorFlow with them.
    """
    top, *rest = module.split(".")
    spec = _find(top)
    if spec is None:
        return None
    folders = _folders(spec)
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
