"""The command's application object, and what its commands share."""

import atexit
import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from millrace.components.files.printable import printable
from millrace.pipeline.cli import completion

if TYPE_CHECKING:
    from millrace.pipeline.root import Root
    from millrace.pipeline.store import Store

app = typer.Typer(
    name="millrace",
    help="From raw data to a model behind TensorFlow Serving's gRPC API, step by step.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

RootOption = Annotated[
    str,
    typer.Option(
        "--root",
        envvar="MILLRACE_ROOT",
        metavar="PATH",
        help="Where artifacts, runs and models lie: a folder, or a URL such as s3://BUCKET/FOLDER.",
    ),
]
SettingsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="STEP.OPTION=VALUE",
        help="Set an option of a step.",
        autocompletion=completion.settings,
    ),
]
BeamFlags = Annotated[
    list[str] | None, typer.Argument(metavar="[-- BEAM FLAGS]", help="Flags for Beam.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
DataOption = Annotated[
    str | None,
    typer.Option("--data", help="Your own data: a folder or a file; `{SPAN}` or `{YYYY}…` in it."),
]
SpansOption = Annotated[
    str, typer.Option("--spans", help="Which spans of --data: latest, latest:7, or FIRST..LAST.")
]
NameOption = Annotated[str, typer.Option("--name", help="Name of the model; default the recipe's.")]
SchemaOption = Annotated[
    str | None,
    typer.Option("--schema", help="A curated schema.pbtxt, instead of the inferred one."),
]
ExtrasOption = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        metavar="STEP",
        help="Also run rate_finder, tuner, feature_maps or projector.",
        autocompletion=completion.extras,
    ),
]
AnomalyOption = Annotated[
    bool, typer.Option("--fail-on-anomaly", help="Stop with exit code 3 on anomalies.")
]
WarmOption = Annotated[
    bool,
    typer.Option(
        "--warm/--no-warm",
        help="Fork the processes that check the model from one that has imported TensorFlow "
        "meanwhile. Linux only.",
    ),
]
RecipeArgument = Annotated[
    str,
    typer.Argument(
        help="A name from `millrace recipes`, or your own package.module:name.",
        autocompletion=completion.recipes,
    ),
]
RunArgument = Annotated[
    str,
    typer.Argument(metavar="RUN", help="A run's id, or `latest`.", autocompletion=completion.runs),
]
ModelArgument = Annotated[
    str,
    typer.Argument(help="The name of a pushed model.", autocompletion=completion.models),
]
DEFAULT_ROOT = ".millrace"


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"millrace {version('tf-millrace')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """From raw data to a model behind TensorFlow Serving's gRPC API, step by step."""


def open_root(path: str) -> "Root":
    """The root at `path`."""
    from millrace.pipeline.root import Root

    return Root(path)


def open_store(root: "Root", *, must_exist: bool = False) -> "Store":
    """The store of `root`, closed when the command ends; see `Store.of`."""
    from millrace.pipeline.store import Store

    store = Store.of(root, must_exist=must_exist)
    atexit.register(store.close)
    return store


def say(text: str) -> None:
    """Print a line for a person; see `printable`."""
    print(printable(text))


def warn(text: str) -> None:
    """Print a line for a person on standard error; see `printable`."""
    print(printable(text), file=sys.stderr)


def tell(text: str) -> None:
    """Print a line of progress on standard error, where a person looks; see `printable`."""
    if sys.stderr.isatty():
        warn(text)


def print_json(value: Any) -> None:
    """Print `value` on one line of standard output, for a program."""
    print(json.dumps(value))
