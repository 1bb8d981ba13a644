"""Recipes of a person's own, outside this repository.

`package.module:name` or `path/to/file.py:name` names one: a `Recipe`, or a function that wires
steps as it likes, `(dag: Dag, data: str | None, serving_root: Path) -> None`.
"""

import dataclasses
import importlib.util
import inspect
import pathlib
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

from etils.epath import Path

from millrace.components.errors import OptionError
from millrace.components.user_code import references
from millrace.pipeline import given
from millrace.pipeline.dag import Dag
from millrace.pipeline.errors import UsageError
from millrace.pipeline.options import nearest
from millrace.pipeline.own_code import importable
from millrace.pipeline.recipes.row import Recipe

Wiring = Callable[[Dag, str | None, Path], None]


@dataclasses.dataclass(frozen=True)
class OwnWiring:
    """A function that wires a pipeline, in the place of a row of the table."""

    name: str
    wiring: Wiring
    kind: str = "own"
    data: str = "as the function says"
    extras: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The first line of what the function says of itself."""
        return (inspect.getdoc(self.wiring) or "").partition("\n")[0]

    def wire(
        self, name: str, data: str | None, serving_root: Path, schema: str | None = None
    ) -> Dag:
        """The DAG that the function wires for the pipeline `name`.

        Raises:
            UsageError: it adds no step, or a curated `schema` or an extra step is requested,
                which it cannot take.
        """
        if self.extras:
            raise UsageError(
                f"Recipe {self.name}: expected no --with with a function that wires its own "
                f"steps. Received: {', '.join(self.extras)}. Wire them in it."
            )
        if schema is not None:
            raise UsageError(
                f"Recipe {self.name}: expected no --schema with a function that wires its own "
                f"steps. Received: {schema}. Wire import_schema in it."
            )
        dag = Dag(name)
        self.wiring(dag, data, serving_root)
        if not dag.steps:
            raise UsageError(
                f"Recipe {self.name}: expected a function that adds steps. Received: none. Call "
                "dag.step(component, …) in it."
            )
        dag.configure(())
        return dag


def is_own(name: str) -> bool:
    """Whether `name` is no row's name but names code: a module, a file, or something in one."""
    return any(mark in name for mark in ":./")


def is_place(name: str) -> bool:
    """Whether `name` names a module or a file, not a recipe in it."""
    return is_own(name) and ":" not in name


def find(reference: str) -> Recipe | OwnWiring:
    """The recipe that `reference` names.

    Raises:
        UsageError: its module cannot be imported, or holds no recipe of this name.
    """
    place, colon, name = reference.rpartition(":")
    if not colon:
        names = [name for name, _ in listed(reference)]
        raise UsageError(
            f"Recipe {reference!r}: expected package.module:recipe. Received: no colon. "
            f"{nearest(reference, names)}"
        )
    found = _take(_module_name(place), name, reference)
    if isinstance(found, Recipe):
        return found
    if inspect.isfunction(found) and _is_wiring(found, inspect.Parameter.empty):
        return OwnWiring(name, found)
    known = dict(_members(_import(place)))
    if found is None:
        raise UsageError(f"Recipe {reference!r}: {place} has no `{name}`. {nearest(name, known)}")
    takes = str(inspect.signature(found)) if inspect.isfunction(found) else ""
    raise UsageError(
        f"Recipe {reference!r}: expected a millrace.Recipe, or a function "
        "(dag: Dag, data: str | None, serving_root: Path). Received: a "
        f"{' '.join(filter(None, (type(found).__name__, takes)))}. "
        f"{nearest(name, known)}"
    )


def of(recipe: Recipe | Wiring) -> Recipe | OwnWiring:
    """The recipe that is given in Python: a row, or a function that wires steps, as it is now.

    Raises:
        UsageError: it is neither.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if not inspect.isfunction(recipe) or len(inspect.signature(recipe).parameters) != 3:
        raise UsageError(
            "run: expected the name of a recipe, a millrace.Recipe, or a function (dag, data, "
            f"serving_root). Received: {recipe!r}. `millrace recipes` lists the names."
        )
    name = recipe.__name__
    if recipe.__module__ == "__main__":
        return OwnWiring(name, recipe)
    # Its module may have been edited since the caller imported it.
    return OwnWiring(name, _take(recipe.__module__, name, f"{recipe.__module__}:{name}") or recipe)


def reference_of(function: Callable[..., Any], place: str) -> str:
    """The name by which an option holds `function`.

    Raises:
        UsageError: no module's file holds it under a name, so that no other process could find it.
    """
    module, name = function.__module__, getattr(function, "__qualname__", "")
    reference = f"{module}:{name}"
    if module == "__main__" or references.split(reference) is None:
        raise UsageError(
            f"{place}: expected a function that a module of yours holds. Received: {reference}. "
            "Write it into a file (in a notebook by `%%writefile mine.py`) and give its name, "
            "such as mine:build."
        )
    return reference


def listed(place: str) -> list[tuple[str, Recipe | OwnWiring]]:
    """Every recipe in the module or file `place`, with what names it.

    Raises:
        UsageError: it cannot be imported.
    """
    return [(f"{place}:{name}", row) for name, row in _members(_import(place))]


def _members(module: ModuleType) -> Iterator[tuple[str, Recipe | OwnWiring]]:
    for name, found in vars(module).items():
        if isinstance(found, Recipe):
            yield name, found
        elif inspect.isfunction(found) and _is_wiring(found) and not name.startswith("_"):
            yield name, OwnWiring(name, found)


def _is_wiring(function: Callable[..., Any], *also: Any) -> bool:
    """Whether `function` takes a DAG, by its annotation or one of `also`, and two values more."""
    parameters = list(inspect.signature(function).parameters.values())
    kinds = (Dag, "Dag", "millrace.Dag", *also)
    return len(parameters) == 3 and parameters[0].annotation in kinds


def _import(place: str) -> ModuleType:
    name = _module_name(place)
    try:
        references.import_module(name, f"Recipe {place!r}")
    except OptionError as error:
        raise UsageError(str(error)) from None
    return sys.modules[name]


def _take(module: str, name: str, reference: str) -> Any:
    try:
        return references.take(f"{module}:{name}", f"Recipe {reference!r}")
    except OptionError as error:
        raise UsageError(str(error)) from None


def _module_name(place: str) -> str:
    """The module's name for a module or a file; a file's folder becomes importable.

    Raises:
        UsageError: there is no such file, or another module has its name.
    """
    if not place.endswith(".py"):
        return place
    given.path(place, f"Recipe {place!r}")
    file = pathlib.Path(place).expanduser().resolve()
    if not file.is_file():
        raise UsageError(
            f"Recipe {place!r}: expected a Python file. Received: nothing at {file}. "
            "Give its path, a colon, and the recipe's name."
        )
    importable(file.parent)
    spec = importlib.util.find_spec(file.stem) if file.stem.isidentifier() else None
    if spec is None or spec.origin is None or pathlib.Path(spec.origin).resolve() != file:
        raise UsageError(
            f"Recipe {place!r}: expected a file whose name no other module has. Received: "
            f"{file.stem}, which is {spec.origin if spec else 'no name of a module'}. Rename it."
        )
    return file.stem
