"""Commands that change which version of a model is served: push, rollback, label."""

from typing import Annotated

import typer

from millrace.pipeline.cli import completion
from millrace.pipeline.cli.app import (
    DEFAULT_ROOT,
    JsonOption,
    ModelArgument,
    RootOption,
    app,
    open_root,
    open_store,
    print_json,
    say,
    warn,
)
from millrace.pipeline.errors import UsageError


@app.command(rich_help_panel="Models")
def push(
    model: ModelArgument,
    which: Annotated[
        str,
        typer.Argument(
            metavar="[VERSION|RUN]",
            help="One of its versions, or a run that made it. Default: the newest such run.",
            autocompletion=completion.versions,
        ),
    ] = "",
    allow_unblessed: Annotated[
        bool, typer.Option("--allow-unblessed", help="Push it even if it was not blessed.")
    ] = False,
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Push a model that an earlier run has made once more, as a new version.

    Model servers take the newest version, so this one is served from then on.
    """
    from millrace.pipeline import given, pushing
    from millrace.pipeline.cli import execute
    from millrace.pipeline.recipes import wiring
    from millrace.pipeline.run_request import RunRequest, Selection

    name = given.model_name(model, "Model")
    place = open_root(root)
    found = pushing.find(open_store(place, must_exist=True), place, name, which)
    if not allow_unblessed:
        pushing.check_blessed(name, found)
    folders = {verdict: record.fetch() for verdict, record in found.verdicts.items()}
    dag = wiring.push_again(
        name,
        found.model.fetch(),
        folders.get("evaluation"),
        folders.get("infra"),
        place.serving,
        allow_unblessed=allow_unblessed,
        **found.settings,
    )
    selection = Selection(force=("pusher",))
    request = RunRequest(dag, "push", execute.command_line(), selection=selection, warm=False)
    execute.execute(request, place, as_json=as_json)


@app.command(rich_help_panel="Models")
def rollback(
    model: ModelArgument,
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Withdraw a model's newest version, so that servers go back to the one before."""
    from millrace.pipeline import given, registry

    name = given.model_name(model, "Model")
    withdrawn, serving, labels = registry.roll_back(open_root(root), name)
    for each in labels:
        warn(
            f"{model}: the label {each} names version {withdrawn}, which is withdrawn: nothing "
            f"answers to it. Give it to another: `millrace label {model} {each}={serving}`."
        )
    if as_json:
        print_json(
            {"model": model, "withdrawn": withdrawn, "serving": serving, "unserved_labels": labels}
        )
    else:
        say(f"{model}: version {withdrawn} withdrawn; version {serving} is the newest now.")


@app.command(rich_help_panel="Models")
def label(
    model: ModelArgument,
    labels: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[LABEL=VERSION…]", help="Such as stable=3; `latest` is the newest version."
        ),
    ] = None,
    remove: Annotated[
        list[str] | None, typer.Option(metavar="LABEL", help="Take this label away.")
    ] = None,
    root: RootOption = DEFAULT_ROOT,
    as_json: JsonOption = False,
) -> None:
    """Label versions of a model, so that callers may ask for `stable`; then show its versions.

    A labelled version is served beside the newest and is not deleted by later pushes. Servers of
    millrace follow at once; for TensorFlow Serving, `serving/models.config` is written.
    """
    from millrace.pipeline import given, pushed, registry

    name = given.model_name(model, "Model")
    place = open_root(root)
    pushed.check_pushed(place, name)
    there = registry.numbers(place, name)
    assign = dict(_assignment(each, there[0]) for each in labels or [])
    known = registry.relabel(place, name, assign, remove or [])
    if as_json:
        print_json({"model": name, "versions": there, "labels": known})
        return
    for number in there:
        words = [each for each, named in known.items() if named == number]
        newest = "the newest" if number == there[0] else ""
        say("  ".join(filter(None, [str(number), newest, ", ".join(words)])))
    for each, number in known.items():
        if number not in there:
            say(f"{number}  {each}  not there: nothing answers to this label")


def _assignment(text: str, newest: int) -> tuple[str, int]:
    word, equals, number = text.partition("=")
    if equals and number == "latest":
        return word, newest
    if not equals or not number.isdecimal():
        raise UsageError(
            f"Label: expected LABEL=VERSION, such as stable={newest}. Received: {text!r}. "
            "Take a label away by --remove LABEL."
        )
    return word, int(number)
