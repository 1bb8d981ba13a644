"""The command's application object, and what its commands share."""

import atexit
import json
import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from millrace.components.files.printable import printable
from millrace.pipeline.errors import UsageError

if TYPE_CHECKING:
    from millrace.pipeline.root import Root
    from millrace.pipeline.store import Store

app = typer.Typer(
    name="millrace",
    help="From raw data to a model behind TensorFlow Serving's gRPC API, step by step.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
)

RootOption = Annotated[
    str,
    typer.Option(
        "--root",
        envvar="MILLRACE_ROOT",
        metavar="PATH",
        help="Where artifacts, runs and models lie: a folder of this machine.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
DEFAULT_ROOT = ".millrace"


def open_root(path: str) -> "Root":
    """The root at `path`."""
    from millrace.pipeline.root import Root

    return Root(path)


def open_store(root: "Root", *, must_exist: bool = False) -> "Store":
    """The store of `root`, or the one that MILLRACE_STORE names.

    Raises:
        UsageError: the root is not there and must be, or cannot be made.
    """
    from millrace.pipeline.store import Store

    url = os.environ.get("MILLRACE_STORE")
    if must_exist and not url and not root.path.exists():
        raise UsageError(
            f"Root {root.path}: expected a folder that `millrace run` has written. Received: "
            "nothing there. Give the right one with --root or MILLRACE_ROOT."
        )
    try:
        root.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"Root {root.path}: expected a folder to write to. Received: {error.strerror}. "
            "Give another with --root or MILLRACE_ROOT."
        ) from None
    store = Store.open(url or root.store_url)
    atexit.register(store.close)
    return store


def has_store(root: "Root") -> bool:
    """Whether there is a store to ask: opening one that is not there would make it."""
    return bool(os.environ.get("MILLRACE_STORE")) or root.store_file.exists()


def say(text: str) -> None:
    """Print a line for a person; see `printable`."""
    print(printable(text))


def warn(text: str) -> None:
    """Print a line for a person on standard error; see `printable`."""
    print(printable(text), file=sys.stderr)


def print_json(value: Any) -> None:
    """Print `value` on one line of standard output, for a program."""
    print(json.dumps(value))
