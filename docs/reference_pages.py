"""Pages of the reference, made from the code: the command, recipes, Python, protocols."""

from collections.abc import Iterator
from pathlib import Path

import typer
from etils.epath import Path as AnyPath

import millrace
from millrace.pipeline import options
from millrace.pipeline.cli import main  # noqa: F401  # registers every command
from millrace.pipeline.cli.app import app
from millrace.pipeline.recipes.catalog import RECIPES

_PROTOS = Path(__file__).parents[1] / "serving" / "protos"
_LONG = 60  # letters of a value in a table


def write(docs: Path) -> None:
    """Write `reference/*.md` below `docs`; a page that is as it was is left alone."""
    folder = docs / "reference"
    folder.mkdir(exist_ok=True)
    pages = {"command": _command(), "recipes": _recipes(), "python": _python(), "protos": _protos()}
    for name, lines in pages.items():
        text = "\n".join(lines) + "\n"
        file = folder / f"{name}.md"
        if not file.exists() or file.read_text("utf-8") != text:
            file.write_text(text, "utf-8")


def _command() -> Iterator[str]:
    yield "# The command\n\nExit codes: 0 done, 1 a step failed, 2 wrong usage, 3 anomalies.\n"
    for name, command in sorted(typer.main.get_command(app).commands.items()):
        yield f"## `millrace {name}`\n\n{_plain(command.help)}\n"
        yield "| | default | |\n|---|---|---|"
        for each in command.params:
            names = (
                each.opts
                if each.param_type_name == "option"
                else [each.metavar or each.name.upper()]
            )
            said = ", ".join(f"`{one}`" for one in [*names, *each.secondary_opts])
            default = "" if each.default in (None, False, "") else f"`{each.default}`"
            yield f"| {said} | {default} | {_cell(each.help or '')} |"
        yield ""


def _recipes() -> Iterator[str]:
    yield "# Recipes and their options\n"
    yield "`millrace recipes NAME` prints the same, with what that recipe sets each option to.\n"
    yield "| recipe | data | |\n|---|---|---|"
    for recipe in RECIPES.values():
        yield f"| `{recipe.name}` | {_cell(recipe.data)} | {_cell(recipe.summary)} |"
    kinds = {}
    for recipe in RECIPES.values():
        kinds.setdefault(recipe.kind, []).append(recipe)
    for kind, recipes in kinds.items():
        # The one that takes anybody's data has the defaults.
        recipe = next((one for one in recipes if one.data.startswith("--data")), recipes[0])
        data = "DATA" if recipe.data.startswith("--data") else None
        yield f"\n## Options of the kind {kind}: `{recipe.name}`\n"
        yield "| option | type | value | |\n|---|---|---|---|"
        for row in options.of_dag(recipe.wire(recipe.name, data, AnyPath("serving"))):
            value = str(row.value)
            shown = value if len(value) <= _LONG else value[: _LONG - 1] + "…"
            told = f"`{_cell(shown)}`" if shown else ""
            type_, meaning = _cell(options.describe(row.annotation)), _cell(row.meaning)
            yield f"| `{row.option}` | {type_} | {told} | {meaning} |"


def _python() -> Iterator[str]:
    yield "# Every public name\n\nAll are imported from `millrace`."
    yield "[python.md](../python.md) tells what they are for.\n"
    for name in millrace.__all__:
        if name.startswith("__"):
            continue
        found = getattr(millrace, name)
        what = "class" if isinstance(found, type) else "function" if callable(found) else "module"
        module = found.__name__ if what == "module" else f"{found.__module__}.{found.__qualname__}"
        yield f"## `{name}`\n\n```{{eval-rst}}\n.. auto{what}:: {module}"
        if what != "function":
            yield "   :members:"
            yield "   :no-index:"
        yield "```\n"


def _protos() -> Iterator[str]:
    yield "# Protocols\n\nThe messages and services on the wire, which are TensorFlow Serving's.\n"
    for file in sorted(_PROTOS.glob("*.proto")):
        yield f"## `{file.name}`\n\n```proto\n{file.read_text('utf-8').rstrip()}\n```\n"


def _plain(text: str | None) -> str:
    return (text or "").strip()


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "\\<").replace("*", "\\*")
