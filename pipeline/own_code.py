"""A person's own modules: found in the folder that a command is given in, and read again if edited.

That folder comes last on the path, so that no file there takes the place of an installed module.
"""

import hashlib
import pathlib
import sys
import sysconfig
from types import ModuleType

_imported: dict[str, str] = {}  # module -> SHA-256 of the source that it was imported from


def importable(folder: pathlib.Path) -> None:
    """Let modules in `folder` be imported, where no other module has their name."""
    text = str(folder.resolve())
    if text not in sys.path:
        sys.path.append(text)


def is_imported() -> bool:
    """Whether modules from elsewhere than Python's own folders and millrace are imported.

    By their files alone, in a millisecond; what is installed in place counts as a person's own.
    """
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    known = tuple({sysconfig.get_path(name) for name in names})
    return any(
        file.endswith(".py") and not file.startswith(known)
        for name, module in list(sys.modules.items())
        # Autograph writes modules of its own, and multiprocessing has a second `__main__`.
        if name.partition(".")[0] != "millrace" and not name.startswith("__")
        # Of a lazy module the attribute itself would import it.
        if (file := str(getattr(module, "__dict__", {}).get("__file__")))
    )


def refresh() -> None:
    """Forget the modules of a person's own whose files have changed since they were imported.

    They are imported again when they are next needed, and so are those that import them.
    """
    from millrace.components.user_code import modules, source_code

    source_code.forget()
    found = dict(modules.imported())
    changed = {name for name, module in found.items() if _is_changed(name, module)}
    for name in found if changed else ():
        if changed & source_code.reached(name).code.keys():
            del sys.modules[name]


def _is_changed(name: str, module: ModuleType) -> bool:
    """Whether the module's file has another content than when it was imported."""
    file = pathlib.Path(str(module.__file__))
    if not file.exists():
        return False
    now = hashlib.sha256(file.read_bytes()).hexdigest()
    before = _imported.get(name, now)
    _imported[name] = now
    return before != now or not _is_as_compiled(file, module)


def _is_as_compiled(file: pathlib.Path, module: ModuleType) -> bool:
    """Whether the compiled file that the import left is of the source as it is now.

    Its header has the time and the size of that: https://peps.python.org/pep-0552/.
    """
    compiled = pathlib.Path(str(getattr(module, "__cached__", None)))
    if not compiled.is_file():
        return True  # not known; the next change is
    header, status = compiled.read_bytes()[:16], file.stat()
    numbers = (header[8:12], int(status.st_mtime)), (header[12:16], status.st_size)
    return all(int.from_bytes(part, "little") == now & 0xFFFFFFFF for part, now in numbers)
