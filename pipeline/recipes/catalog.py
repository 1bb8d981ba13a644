"""The table of recipes, those of a person's own beside it, and any of them made into a DAG."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from etils.epath import Path

from millrace.components.models.auto_options import hold
from millrace.pipeline import given
from millrace.pipeline.dag import Dag
from millrace.pipeline.errors import UsageError
from millrace.pipeline.options import nearest
from millrace.pipeline.recipes import extras as optional
from millrace.pipeline.recipes import image, language, own, series, table, text
from millrace.pipeline.recipes.own import OwnWiring
from millrace.pipeline.recipes.row import Recipe
from millrace.pipeline.root import Root
from millrace.pipeline.spans import LATEST, resolve

_ROWS: tuple[Recipe | OwnWiring, ...] = (
    *image.ROWS,
    *text.ROWS,
    *language.ROWS,
    *series.ROWS,
    *table.ROWS,
    *image.WIRINGS,
)
RECIPES: dict[str, Recipe | OwnWiring] = {row.name: row for row in _ROWS}


def find(name: str) -> Recipe | OwnWiring:
    """The recipe called `name`, or the one of a person's own that `package.module:name` names.

    Raises:
        UsageError: there is none; offers the nearest.
    """
    if name not in RECIPES and own.is_own(name):
        return own.find(name)
    if name not in RECIPES:
        raise UsageError(f"Recipe {name!r}: unknown. {nearest(name, RECIPES)}")
    return RECIPES[name]


def without_data(recipe: Recipe | OwnWiring) -> Dag:
    """The steps of `recipe` as it sets them, to look at: for data that nobody has named."""
    data = "DATA" if recipe.data.startswith("--data") else None
    return recipe.wire(recipe.name, data, Path("serving"))


def wire(
    recipe: str | Recipe | OwnWiring,
    root: Root,
    *,
    data: str | None = None,
    spans: str | None = LATEST,
    settings: Iterable[str] | Mapping[str, Any] = (),
    name: str = "",
    schema: str | None = None,
    extras: Sequence[str] = (),
) -> Dag:
    """The steps of `recipe` for the data of a person, set as the person says.

    Args:
        recipe: it, or its name as in `find`.
        root: where models are pushed to.
        data: a folder, a file, `tfds:NAME` or a pattern of spans; None takes the recipe's own.
        spans: which of those that `data` names, see `spans.resolve`; None takes `data` as it is.
        settings: see `Dag.configure`.
        name: of the model; empty takes the recipe's.
        schema: the file of a curated schema, in place of the inferred one.
        extras: steps beside the recipe's, see `recipes.extras`.

    Raises:
        UsageError: there is no such recipe, or one of the others does not fit it.
    """
    if schema is not None:
        schema = given.data(given.anywhere(schema, "--schema"), "--schema")
    name = given.model_name(name, "--name") if name else ""
    row = original = find(recipe) if isinstance(recipe, str) else recipe
    optional.check_known(extras)
    row = dataclasses.replace(row, extras=tuple(dict.fromkeys([*row.extras, *extras])))
    found = given.data(data) if spans is None else resolve(root, data, spans)
    dag = row.wire(name or row.name, found, root.serving, schema)
    configure(dag, settings, original)
    optional.check_fit(dag, row.extras)
    return dag


def configure(
    dag: Dag, settings: Iterable[str] | Mapping[str, Any], row: Recipe | OwnWiring
) -> None:
    """Set the steps of `row` as a person says, see `Dag.configure`.

    What a person sets, here or in a recipe of their own, holds for each network that
    `trainer.model=auto` tries; what a row of the table says does not, where a network suits other.

    Raises:
        UsageError: as `Dag.configure`.
    """
    settings = settings if isinstance(settings, Mapping) else list(settings)
    dag.configure(settings)
    ways = [place.partition("=")[0].partition(".") for place in settings]
    for step in dag.steps.values():
        found = [way for name, _, way in ways if name == step.name]
        if row not in _ROWS:
            defaults = {name: default for name, (_, default) in step.spec.options.items()}
            found += [name for name, value in step.options.items() if value != defaults[name]]
        hold(step.options, found)
    dag.configure(())  # steps that have options of another get these
