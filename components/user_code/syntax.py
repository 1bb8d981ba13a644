"""What the source of a module says: a digest that is the same under every Python, its imports.

`ast.dump` differs between versions of Python, so the digest is over a text of our own: the nodes,
their fields that hold something, and constants in ASCII. Comments, layout and docstrings are no
part of it. Standard library only.
"""

import ast
import dataclasses
import hashlib
import importlib.util
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard

_CHANGED = frozenset({"kind", "type_comment", "body", "format_spec"})  # fields, see `_plain`
_IMPORTERS = ("import_module", "__import__")


@dataclasses.dataclass(frozen=True)
class Syntax:
    """What one source file says.

    Attributes:
        digest: SHA-256, in hexadecimal.
        modules: absolute names of all that it may import, `package.*` for a star; what is taken
            from a module may be a module too, and so may what stands behind a dot.
        texts: its string constants.
        forwarded: what a module with a `__getattr__` (PEP 562) imports for type checkers alone,
            by name: it gives these to others, and imports none of them itself.
    """

    digest: str
    modules: frozenset[str]
    texts: frozenset[str]
    forwarded: Mapping[str, str] = dataclasses.field(default_factory=dict)


def read(source: bytes, module: str, *, is_package: bool) -> Syntax:
    """What `source` says as the module of that name.

    Source that does not parse has the digest of its bytes: importing it shows where it fails.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes such as "\d"; not ours to tell
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Syntax(hashlib.sha256(source).hexdigest(), frozenset(), frozenset())
    package = module if is_package else module.rpartition(".")[0]
    nodes: list[ast.AST] = []
    text = "\n".join(_tokens(tree, nodes))
    forwarding = _forwarding(tree)
    return Syntax(
        hashlib.sha256(text.encode()).hexdigest(),
        frozenset(_modules([node for node in nodes if node not in forwarding], package)),
        frozenset(str(node.value) for node in nodes if _is_text(node)),
        {name: taken for node in forwarding for name, taken in _taken(node, package).items()},
    )


def _tokens(tree: ast.Module, nodes: list[ast.AST]) -> Iterator[str]:
    """The tree in prefix notation, a token for each node, list and constant; fills `nodes`.

    Without recursion: a sum of thousands of terms is as deep.
    """
    waiting: list[Any] = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, ast.AST):
            nodes.append(item)
            fields = _fields(item)
            yield f"{type(item).__name__}({','.join(fields)})"
            waiting += reversed(fields.values())
        elif isinstance(item, list):
            yield f"[{len(item)}]"
            waiting += reversed(item)
        else:
            yield _constant(item)


def _fields(node: ast.AST) -> dict[str, Any]:
    """The fields that hold something: which ones exist at all differs between versions."""
    is_joined = isinstance(node, ast.JoinedStr)
    found: dict[str, Any] = {}
    for name in node._fields:  # of every node of a first run's 250 modules
        value = getattr(node, name, None)
        if is_joined or name in _CHANGED:
            value = _plain(node, name, value)
        if value is not None and value != []:
            found[name] = value
    return found


def _plain(node: ast.AST, name: str, value: Any) -> Any:
    """`value` of the field `name` without what changes nothing."""
    if name in ("kind", "type_comment"):  # of `u"text"`; never read
        return None
    if name == "body" and isinstance(value, list) and value and _is_docstring(value[0]):
        return value[1:] or [ast.Pass()]
    if isinstance(node, ast.JoinedStr):
        return [part for part in value if not _is_empty(part)]
    if name == "format_spec" and isinstance(value, ast.JoinedStr):
        return value if any(not _is_empty(part) for part in value.values) else None
    return value


def _constant(value: Any) -> str:
    """A constant or a name; text in ASCII, for what can be printed differs between versions."""
    return hex(value) if type(value) is int else ascii(value)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and _is_text(node.value)


def _is_text(node: ast.AST | None) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_empty(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value == ""


def _modules(nodes: Sequence[ast.AST], package: str) -> Iterator[str]:
    """Every module that the `nodes` of one in `package` may import, at whatever depth they are."""
    bound: dict[str, str] = {}  # name in this file -> what an import statement gave it
    for node in nodes:
        if isinstance(node, ast.Import):
            bound |= {_bound(alias): _given(alias) for alias in node.names}
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            taken = _taken(node, package)
            bound |= taken
            yield from (_source(node, package), *taken.values())
    for node in nodes:
        if isinstance(node, ast.Attribute):
            root, _, rest = _chain(node).partition(".")
            yield f"{bound[root]}.{rest}" if root in bound else ""
        elif isinstance(node, ast.Call):
            yield _absolute(_named(node), package)


def _forwarding(tree: ast.Module) -> list[ast.ImportFrom]:
    """The imports under `if TYPE_CHECKING` of a module that has a `__getattr__`."""
    if not any(getattr(node, "name", "") == "__getattr__" for node in tree.body):
        return []
    blocks = [
        node.body
        for node in tree.body
        if isinstance(node, ast.If) and _chain(node.test).endswith("TYPE_CHECKING")
    ]
    return [node for body in blocks for node in body if isinstance(node, ast.ImportFrom)]


def _source(node: ast.ImportFrom, package: str) -> str:
    """The module that `node`, in `package`, imports from; "" where there can be none."""
    return _absolute("." * node.level + (node.module or ""), package)


def _taken(node: ast.ImportFrom, package: str) -> dict[str, str]:
    """What `node` binds, by its names there: maybe modules, maybe what is in one."""
    source = _source(node, package)
    return {alias.asname or alias.name: f"{source}.{alias.name}" for alias in node.names if source}


def _bound(alias: ast.alias) -> str:
    """The name that `import a.b` or `import a.b as c` binds: `a` or `c`."""
    return alias.asname or alias.name.partition(".")[0]


def _given(alias: ast.alias) -> str:
    """The module that it is bound to: `a` or `a.b`."""
    return alias.name if alias.asname else alias.name.partition(".")[0]


def _absolute(name: str, package: str) -> str:
    """The module that `name` is in `package`, as Python resolves it; "" where it cannot."""
    if not name.startswith("."):
        return name
    try:
        return importlib.util.resolve_name(name, package)
    except ImportError:  # more dots than there are packages: it fails when it is imported, too
        return ""


def _chain(node: ast.expr) -> str:
    """`a.b.c` for the names joined by dots; "" for anything else."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(names)]) if isinstance(node, ast.Name) else ""


def _named(call: ast.Call) -> str:
    """The text that `import_module("…")` or `__import__("…")` is called with."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    first = call.args[0] if call.args else None
    return str(first.value) if name in _IMPORTERS and _is_text(first) else ""
