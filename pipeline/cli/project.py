"""The command that begins a project of a person's own: init."""

import pathlib
import shlex
from typing import Annotated

import typer

from millrace.pipeline.cli.app import app


@app.command(rich_help_panel="Run")
def init(
    folder: Annotated[str, typer.Argument(help="A folder that is new or empty.")],
) -> None:
    """Write a project of your own: a recipe, a model, preprocessing, and their tests."""
    from millrace.pipeline import given
    from millrace.pipeline.project.writing import write

    package = write(pathlib.Path(given.path(folder, "init")))
    typer.echo(
        f"{folder}: a project with a recipe, a model, preprocessing and tests. Try it:\n"
        f"  cd {shlex.quote(folder)}\n"
        f"  millrace run {package}.recipe:recipe\n"
        f"  millrace predict {package} --sample 5\n"
        "  python -m pytest"
    )
