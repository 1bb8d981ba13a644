"""The table of recipes, and those of a person's own beside it."""

from millrace.pipeline.errors import UsageError
from millrace.pipeline.options import nearest
from millrace.pipeline.recipes import image, language, own, series, table, text
from millrace.pipeline.recipes.own import OwnWiring
from millrace.pipeline.recipes.row import Recipe

_ROWS = (*image.ROWS, *text.ROWS, *language.ROWS, *series.ROWS, *table.ROWS)
RECIPES: dict[str, Recipe] = {row.name: row for row in _ROWS}


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
