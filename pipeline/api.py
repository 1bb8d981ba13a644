"""What the command does, as functions: `millrace.run`, `step`, `predict`, `serve`."""

import contextlib
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from millrace.components.artifacts import Anomalies
from millrace.pipeline import asking, own_code, predictions, pushed, report, running, stepwise
from millrace.pipeline.asking import Asked
from millrace.pipeline.console import python_console
from millrace.pipeline.errors import RunError, StoreError, UsageError
from millrace.pipeline.predictions import Answers
from millrace.pipeline.recipes import catalog, own
from millrace.pipeline.recipes.own import OwnWiring, Wiring
from millrace.pipeline.recipes.row import Recipe
from millrace.pipeline.results import RunResult
from millrace.pipeline.root import Root
from millrace.pipeline.run_request import RunRequest, Selection
from millrace.pipeline.runs import AnyPath, Run, open_run, opened, root_at
from millrace.pipeline.store import Store
from millrace.serving.client import Client

Steps = str | Sequence[str] | None  # the name of a step, or several
Options = Mapping[str, Any]


def run(
    recipe: str | Recipe | Wiring,
    *,
    data: AnyPath | None = None,
    spans: str = "latest",
    set: Options | None = None,  # noqa: A002 - the command's name for it
    from_: Steps = None,
    to: Steps = None,
    only: str | None = None,
    force: Steps = None,
    name: str = "",
    schema: AnyPath | None = None,
    extras: Steps = None,
    fail_on_anomaly: bool = False,
    beam: Sequence[str] = (),
    warm: bool = True,
    root: AnyPath | None = None,
) -> Run:
    """Run a recipe, as `millrace run` does: unchanged steps come from the cache.

    Args:
        recipe: its name, `package.module:name` or `file.py:name` of one of your own; or that
            itself: a Recipe, or a function (dag, data, serving_root) that wires steps.
        data: a folder, a file, `tfds:NAME` or a pattern of spans, in place of the recipe's own.
        spans: which of those that `data` names: `latest`, `latest:7` or `FIRST..LAST`.
        set: options of steps, as `{"trainer.epochs": 3}` or `{"trainer": {"epochs": 3}}`. Values
            are Python's, or text as after `--set`; a function of a module of yours stands for
            its name.
        from_: the step, or steps, to start at.
        to: the step, or steps, to stop after.
        only: the one step to run.
        force: the step, or steps, to run even if cached.
        name: of the model; the recipe's by default.
        schema: a curated schema.pbtxt, in place of the inferred one.
        extras: steps beside the usual ones: rate_finder, tuner, feature_maps, projector.
        fail_on_anomaly: stop after a validator that found anomalies.
        beam: flags for Beam.
        warm: fork the processes that check the model from one that has imported TensorFlow
            meanwhile; only on Linux.
        root: where artifacts, runs and models lie; by default the folder of MILLRACE_ROOT, or
            `.millrace`.

    Raises:
        UsageError: what was given does not fit together; nothing was run.
        RunError: a step failed; has the run, the step, the reason and the log.
        StoreError: the store cannot be used, or went away after the run, which is recorded.
    """
    given = {
        key: value for key, value in locals().items() if value and key not in ("recipe", "warm")
    }
    own_code.importable(pathlib.Path.cwd())
    own_code.refresh()
    place = root_at(root)
    chosen = recipe if isinstance(recipe, str) else own.of(recipe)
    dag = catalog.wire(
        chosen,
        place,
        data=_text(data),
        spans=spans,
        settings=dict(_settings(set or {})),
        name=name,
        schema=_text(schema),
        extras=_names(extras),
    )
    request = RunRequest(
        dag,
        chosen if isinstance(chosen, str) else chosen.name,
        _call(chosen, given),
        _text(data),
        Selection(_names(from_), _names(to), only, _names(force)),
        tuple(beam),
        fail_on_anomaly,
        warm,
    )
    with opened(place) as store, python_console() as console:
        result = running.carry_out(request, place, store, console)
    done = _kept(result.run, result.status, place)
    if result.status != "done":
        raise _ended(result, done, place)
    return done


def step(
    recipe: str | Recipe | Wiring,
    step: str,
    run: str,
    *,
    data: AnyPath | None = None,
    spans: str = "latest",
    set: Options | None = None,  # noqa: A002 - the command's name for it
    name: str = "",
    schema: AnyPath | None = None,
    extras: Steps = None,
    fail_on_anomaly: bool = False,
    beam: Sequence[str] = (),
    warm: bool = True,
    root: AnyPath | None = None,
) -> Run:
    """Run one step of a named run, as `millrace step` does, and return the run so far.

    The first step with a new name begins the run. The others take the same options, and read what
    the steps before them wrote in this run and in no other.

    Args:
        recipe: as in `run`, and so are the options.
        step: the one to run.
        run: the name of the run, such as an orchestrator's own id of it.
        data: as in `run`.
        spans: as in `run`; `latest` stands for what was the latest as the run began.
        set: options of steps, all of them for each step.
        name: of the model; the recipe's by default.
        schema: a curated schema.pbtxt, in place of the inferred one.
        extras: steps beside the usual ones.
        fail_on_anomaly: stop at a validator that finds anomalies.
        beam: flags for Beam, which may differ from step to step.
        warm: see `run`.
        root: the same for all steps; by default the folder of MILLRACE_ROOT, or `.millrace`.

    Raises:
        UsageError: the run is of something else, or a step that this one reads has not run in it;
            nothing was run.
        RunError: the step failed; has the run, the step, the reason and the log.
    """
    given = {
        key: value
        for key, value in locals().items()
        if value and key not in ("recipe", "step", "warm")
    }
    own_code.importable(pathlib.Path.cwd())
    own_code.refresh()
    place = root_at(root)
    chosen = recipe if isinstance(recipe, str) else own.of(recipe)
    with opened(place) as store, python_console() as console:
        called = chosen if isinstance(chosen, str) else chosen.name
        named = stepwise.named(store, place, run, called, _text(data), spans)
        dag = catalog.wire(
            chosen,
            place,
            data=named.found,
            spans=None,
            settings=dict(_settings(set or {})),
            name=name,
            schema=_text(schema),
            extras=_names(extras),
        )
        request = RunRequest(
            dag,
            called,
            _call(chosen, given, "step", step),
            _text(data),
            Selection(only=dag.find(step).name),
            tuple(beam),
            fail_on_anomaly,
            warm,
            named,
        )
        done = running.carry_out_step(request, place, store, console)
    if done.status != "done":
        raise _ended(done.of_step, _kept(run, done.run.status, place), place)
    return _kept(run, done.run.status, place)


def predict(
    model: str,
    *,
    images: Iterable[AnyPath] = (),
    texts: Iterable[str] = (),
    prompts: Iterable[str] = (),
    rows: Any = (),
    windows: Iterable[Any] = (),
    csv: AnyPath | None = None,
    sample: int | None = None,
    length: int | None = None,
    temperature: float | None = None,
    top_k: int | None = None,
    seed: int | None = None,
    target: str = "",
    wait: float = 0.0,
    root: AnyPath | None = None,
) -> Answers:
    """Ask a pushed model, as `millrace predict` does; without `target` a server is started for it.

    Args:
        model: its name.
        images: paths of image files.
        texts: texts to judge.
        prompts: texts to continue.
        rows: values by column, a mapping for each row, or a pandas DataFrame.
        windows: past numbers `[steps]` or `[steps, channels]` each, NaN where one is missing; or
            as text, `1,2,3`; or a CSV file that ends with them.
        csv: a file of rows like those learnt from; of a series, its latest.
        sample: how many rows of the test split of the last run to ask about.
        length: how many tokens to add to a prompt.
        temperature: 0 takes the likeliest token, 1 samples.
        top_k: sample among so many of the likeliest.
        seed: the same seed gives the same text.
        target: HOST:PORT of a server that is up.
        wait: for how many seconds the server at `target` may not be up yet, or not have the model.
        root: where the pushed models are; by default the folder of MILLRACE_ROOT, or `.millrace`.

    Returns:
        A sequence of answers: dictionaries with `input`, the model's outputs, and `truth` where
        that is known.

    Raises:
        UsageError: the model is not there, or cannot be asked so.
        DataError: it is damaged.
    """
    place = root_at(root)
    asked = Asked(
        images=[os.fspath(image) for image in images],
        texts=list(texts),
        prompts=list(prompts),
        rows=rows.to_dict("records") if hasattr(rows, "to_dict") else list(rows),
        windows=[_window(window) for window in windows],
        csv=_text(csv),
        sample=sample,
        scalars={"length": length, "temperature": temperature, "top_k": top_k, "seed": seed},
    )
    with contextlib.ExitStack() as stack:
        return asking.predict(
            place,
            model,
            asked,
            target,
            wait=wait,
            open_store=lambda: stack.enter_context(opened(place, must_exist=True)),
            check=lambda: _check_whole(place, model),
        )


@contextlib.contextmanager
def serve(model: str, *, root: AnyPath | None = None) -> Iterator[Client]:
    """A client of a server on this machine that serves the pushed `model` while the block lasts.

    Args:
        model: its name.
        root: where the pushed models are; by default the folder of MILLRACE_ROOT, or `.millrace`.

    Raises:
        UsageError: it has not been pushed.
        DataError: it is damaged.
        LaunchError: the server does not start.
    """
    place = root_at(root)
    _check_whole(place, model)
    with predictions.launched(place, model) as server, Client(server.target) as client:
        yield client


def _check_whole(root: Root, model: str) -> None:
    if Store.is_there(root):
        with opened(root) as store:
            pushed.check_whole(store, root, [model])


def _settings(options: Options, above: str = "") -> Iterator[tuple[str, Any]]:
    """Options by their whole names, such as `trainer.model.units`."""
    for name, value in options.items():
        place = f"{above}{name}"
        if isinstance(value, Mapping) and value:
            yield from _settings(value, f"{place}.")
        elif callable(value) and not isinstance(value, type):
            yield place, own.reference_of(value, place)
        else:
            yield place, os.fspath(value) if isinstance(value, os.PathLike) else value


def _names(steps: Steps) -> tuple[str, ...]:
    return (steps,) if isinstance(steps, str) else tuple(steps or ())


def _text(path: AnyPath | None) -> str | None:
    return None if path is None else os.fspath(path)


def _window(window: Any) -> str:
    """A window as `millrace predict --window` takes it."""
    if isinstance(window, str | os.PathLike):
        return os.fspath(window)
    try:
        rows = np.atleast_2d(np.asarray(window, np.float64).T).T
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"predict: windows: expected numbers [steps] or [steps, channels]. Received: {error}. "
            "Give NaN where one is missing."
        ) from None
    texts = (["" if np.isnan(cell) else repr(float(cell)) for cell in row] for row in rows)
    return ";".join(map(",".join, texts))


def _call(
    recipe: str | Recipe | OwnWiring, given: Mapping[str, Any], function: str = "run", *more: str
) -> str:
    """The call that runs it again."""
    name = repr(recipe) if isinstance(recipe, str) else recipe.name
    name = ", ".join([name, *map(repr, more)])
    options = "".join(f", {key}={value!r}" for key, value in given.items() if value != "latest")
    return f"millrace.{function}({name}{options})"


def _kept(run: str, status: str, root: Root) -> Run:
    """The run as the store has it.

    Raises:
        StoreError: the store has gone away since the run was recorded, which then is not lost.
    """
    try:
        return open_run(run, root.name)
    except StoreError as error:
        raise StoreError(
            f"Run {run} ended ({status}) and is recorded, but cannot be opened now. {error} "
            f"Then open it by `millrace.open_run({run!r}, root={root.name!r})`."
        ) from error


def _ended(result: RunResult, run: Run, root: Root) -> RunError:
    """The error for a run that ended before its last step."""
    failed = next((step for step in result.steps if step.status == "failed"), None)
    if failed is not None:
        return RunError(run, failed.step, failed.error, root.log(result.run, failed.step))
    step, found = next(
        (name, artifact)
        for name, artifact in result.artifacts.items()
        if isinstance(artifact, Anomalies) and artifact.found
    )
    reason = "; ".join(report.anomaly(one) for one in found.found)
    return RunError(run, step, reason, root.log(result.run, step))
