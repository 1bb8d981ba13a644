"""Where Python would find a module, and whose it is; nothing is imported for it.

A module is of the standard library, of a library that was installed, or of a person's own. An
installed library is known by its version; what no distribution accounts for is a person's own,
wherever it lies. Standard library only.
"""

import collections
import functools
import hashlib
import importlib.metadata
import importlib.util
import inspect
import pathlib
import pkgutil
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from importlib.machinery import ModuleSpec
from importlib.metadata import Distribution
from types import ModuleType

_INSTALLED = ("site-packages", "dist-packages")
_NEVER_OWN = {"millrace", "__main__"}


@functools.cache
def find(module: str) -> ModuleSpec | None:
    """The spec of `module`, or None where it is none (a name in a module, maybe).

    Found on disk by the packages' paths: the import system would import the packages above it,
    and TensorFlow with them.
    """
    package, _, _ = module.rpartition(".")
    if not package:
        return _top(module)
    above = find(package)
    portions: list[str] = []
    for folder in (above.submodule_search_locations or []) if above else []:
        importer = pkgutil.get_importer(folder)
        spec = importer.find_spec(module) if importer else None
        if spec is not None and spec.loader is not None:
            return spec
        portions += (spec.submodule_search_locations or []) if spec else []
    if not portions:
        return None
    namespace = ModuleSpec(module, None, is_package=True)
    namespace.submodule_search_locations = portions
    return namespace


def submodules(package: str) -> list[str]:
    """The modules right below `package`, by their whole names."""
    spec = find(package)
    folders = list(spec.submodule_search_locations or []) if spec else []
    return [f"{package}.{found.name}" for found in pkgutil.iter_modules(folders)]


def source(spec: ModuleSpec) -> bytes | None:
    """The bytes of the module's file, source or compiled; None of a namespace, or one built in."""
    if not spec.origin or spec.origin in ("built-in", "frozen"):
        return None
    try:
        if (read := getattr(spec.loader, "get_data", None)) is not None:  # of a file, or an archive
            return bytes(read(spec.origin))
        return pathlib.Path(spec.origin).read_bytes()
    except OSError:  # gone since: an import says so, where there is one
        return None


def is_namespace(module: str) -> bool:
    """Whether the module is a package without a file, whose parts can lie in several places."""
    spec = find(module)
    return spec is not None and spec.origin is None and spec.submodule_search_locations is not None


@functools.cache
def is_standard(module: str) -> bool:
    """Whether the module comes with Python."""
    spec = find(module)
    if spec is None or spec.origin in ("built-in", "frozen"):
        return spec is not None or module in sys.stdlib_module_names
    root = _root(spec)
    if root is None or set(root.parts) & set(_INSTALLED):
        return False
    return any(root.is_relative_to(folder) for folder in _standard())


@functools.cache
def is_library(module: str) -> bool:
    """Whether an installed distribution accounts for the module, or nothing does: it is absent."""
    spec = find(module)
    return spec is None or bool(_providers(spec))


def is_own(module: str) -> bool:
    """Whether the module is a person's own: found, and neither of Python nor installed."""
    top = module.partition(".")[0]
    if top in _NEVER_OWN or top.startswith("__editable__") or find(top) is None:
        return False
    return not is_standard(top) and not is_library(top)


def imported() -> Iterator[tuple[str, ModuleType]]:
    """The modules of a person's own that this process has imported from source, by name."""
    tops = {name.partition(".")[0] for name in sys.modules}
    own = {top for top in tops if is_own(top)}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in own and str(getattr(module, "__file__", "")).endswith(".py"):
            yield name, module


def versions(modules: Iterable[str]) -> dict[str, str]:
    """Versions of the distributions that `modules` are of, by the distributions' names.

    One that did not come from an index can change under its version: its files' digest is added.
    A module that is not there is `absent` under its own name.
    """
    found: dict[str, str] = {}
    for module in modules:
        spec = find(module)
        if spec is None:
            found[module] = "absent"
        for distribution in _providers(spec) if spec else ():
            name, version = _named(distribution)
            found[name] = version
    return dict(sorted(found.items()))


def forget() -> None:
    """Look for every module again the next time: files may have changed."""
    importlib.invalidate_caches()
    for cached in (find, is_standard, is_library, _distributions, _named):
        cached.cache_clear()


def _top(module: str) -> ModuleSpec | None:
    if module == "__main__":
        return _main()
    try:
        return importlib.util.find_spec(module)
    except (ValueError, ImportError):  # no name at all, or a module made by hand
        return None


def _main() -> ModuleSpec | None:
    """The script or module that Python was started with."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)  # a notebook's kernel may have none
    if spec is not None:
        return spec
    file = getattr(main, "__file__", None)
    return importlib.util.spec_from_file_location("__main__", file) if file else None


def _root(spec: ModuleSpec) -> pathlib.Path | None:
    """The folder on Python's path that the module was found below."""
    place = next(iter(spec.submodule_search_locations or []), spec.origin)
    if not place:
        return None
    above = pathlib.Path.cwd().joinpath(place).parents
    return above[min(spec.name.count("."), len(above) - 1)].resolve()


@functools.cache
def _standard() -> list[pathlib.Path]:
    return [pathlib.Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")]


def _providers(spec: ModuleSpec) -> list[Distribution]:
    """The installed distributions that put the module's top-level name where it was found.

    Metadata without a list of what was installed, outside the folders for that, was left by a
    build in a source tree.
    """
    root = _root(spec)
    named: dict[str, Distribution] = {}  # of two by one name, the first on the path is the one
    for one in _distributions().get(spec.name.partition(".")[0], []):
        named.setdefault(_named(one)[0], one)
    return [
        one
        for _, one in sorted(named.items())
        if root == _folder(one) and (root.name in _INSTALLED or one.read_text("RECORD"))
    ]


def _folder(distribution: Distribution) -> pathlib.Path:
    return pathlib.Path(str(distribution.locate_file(""))).resolve()


@functools.cache
def _distributions() -> dict[str, list[Distribution]]:
    """Every installed distribution, by the top-level names that it provides.

    As `importlib.metadata.packages_distributions`, which takes ten times as long, since it makes
    paths of all files and parses all metadata.
    """
    provided = collections.defaultdict[str, list[Distribution]](list)
    for distribution in importlib.metadata.distributions():
        for top in _provided(distribution):
            provided[top].append(distribution)
    return provided


def _provided(distribution: Distribution) -> set[str]:
    if declared := (distribution.read_text("top_level.txt") or "").split():
        return set(declared)
    record = distribution.read_text("RECORD")
    lines = record.splitlines() if record else map(str, distribution.files or ())
    parts = {line.partition(",")[0].partition("/")[:2] for line in lines}
    return {(first if slash else inspect.getmodulename(first)) or "" for first, slash in parts}


@functools.cache
def _named(distribution: Distribution) -> tuple[str, str]:
    """The normalised name and the version of a distribution, whose metadata take long to parse."""
    name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
    return name, _version(distribution)


def _version(distribution: Distribution) -> str:
    if not distribution.read_text("direct_url.json"):
        return distribution.version
    record = distribution.read_text("RECORD") or ""
    files = "\n".join(sorted(line for line in record.splitlines() if ",sha256=" in line))
    return f"{distribution.version}+{hashlib.sha256(files.encode()).hexdigest()[:12]}"
