"""What a shell offers after Tab: recipes, runs, models, and the steps and options of a recipe.

The shell asks the command itself, so what is imported is imported in these functions, and no code
of a person's own is run: their recipes are not offered. typer keeps what begins as the word does.
Where there is nothing to offer they say nothing: that would land in the line that is being typed.
"""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

from millrace.serving.errors import MillraceError

if TYPE_CHECKING:
    from millrace.pipeline.dag import Dag
    from millrace.pipeline.root import Root

# bash and zsh put a blank behind the only word that fits; behind `trainer.epochs=` a value goes.
# And the first Tab of zsh calls what it loads by the file's name: that must complete at once.
# Where another typer keeps its scripts elsewhere, or writes others, they stay as they are.
_SCRIPTS = getattr(getattr(typer, "_completion_shared", None), "_completion_scripts", {})
_CHANGES = {
    "bash": [
        (
            "    return 0\n",
            "    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n"
            "    return 0\n",
        ),
    ],
    "zsh": [
        (
            "  eval $(env ",
            "  local offered\n  offered=$(env ",
        ),
        (
            "%(prog_name)s)\n}\n",
            "%(prog_name)s)\n"
            """  [[ $offered == *'=":'* ]] && compadd() { builtin compadd -S '' "$@" }\n"""
            '  eval "$offered"\n'
            "  local found=$?\n"
            "  unfunction compadd 2>/dev/null\n"
            "  return $found\n"
            "}\n",
        ),
        (
            "compdef %(complete_func)s %(prog_name)s\n",
            "compdef %(complete_func)s %(prog_name)s\n"
            '[[ $funcstack[1] == _%(prog_name)s ]] && %(complete_func)s "$@"\n',
        ),
    ],
}


def _changed(shell: str) -> None:
    changed = _SCRIPTS[shell]
    for old, new in _CHANGES[shell]:
        if old not in changed:
            return
        changed = changed.replace(old, new)
    _SCRIPTS[shell] = changed


for _shell in _CHANGES.keys() & _SCRIPTS.keys():
    _changed(_shell)

Offer = tuple[str, str]  # what to type, and what it is in a few words


def recipes(_: typer.Context) -> Iterator[Offer]:
    """The names of recipes."""
    from millrace.pipeline.recipes import catalog

    return ((name, recipe.summary) for name, recipe in catalog.RECIPES.items())


def runs(context: typer.Context) -> Iterator[Offer]:
    """`latest`, and the ids of runs, the newest first."""
    from millrace.pipeline.store import Store

    yield "latest", "the newest"
    root = _root(context)
    if root is None or not Store.is_there(root):  # to open one would make it
        return
    with contextlib.suppress(MillraceError), contextlib.closing(Store.of(root)) as store:
        with store.session() as session:
            found = [(run.id, f"{run.recipe}, {run.status}") for run in store.runs(session)]
        yield from found


def models(context: typer.Context) -> Iterator[Offer]:
    """The names of pushed models."""
    from millrace.pipeline import pushed

    root = _root(context)
    return ((name, "a pushed model") for name in (pushed.pushed_models(root) if root else ()))


def versions(context: typer.Context) -> Iterator[Offer]:
    """The versions of the pushed model that is in the line, and the runs."""
    from millrace.pipeline import registry

    root, model = _root(context), context.params.get("model") or ""
    if root and model in {name for name, _ in models(context)}:
        yield from ((str(number), "a version") for number in registry.numbers(root, model))
    yield from runs(context)


def settings(context: typer.Context) -> Iterator[Offer]:
    """What `--set` takes of the recipe that is in the line, as `trainer.epochs=`."""
    from millrace.pipeline import options

    dag = _dag(context)
    for each in options.of_dag(dag) if dag else ():
        yield f"{each.option}=", each.meaning


def steps(context: typer.Context) -> Iterator[Offer]:
    """The steps of the recipe that is in the line."""
    dag = _dag(context)
    return ((name, "a step") for name in (dag.steps if dag else ()))


def extras(_: typer.Context) -> Iterator[Offer]:
    """The steps that `--with` takes."""
    from millrace.pipeline.recipes import extras as optional

    return iter(optional.EXTRAS.items())


def _dag(context: typer.Context) -> "Dag | None":
    from millrace.pipeline.recipes import catalog

    # Behind an option whose value is not there yet, click leaves arguments as they came.
    words = [context.params.get("recipe") or "", *context.args]
    recipe = next((catalog.RECIPES[word] for word in words if word in catalog.RECIPES), None)
    return catalog.without_data(recipe) if recipe else None


def _root(context: typer.Context) -> "Root | None":
    """The root that the line names; None where it lies in a bucket, which may take seconds."""
    from millrace.pipeline.root import Root

    with contextlib.suppress(MillraceError):
        root = Root(context.params["root"])
        return None if root.is_remote else root
    return None
