"""A pipeline as containers to be run: one for each step, what it is told, and what it waits for."""

import dataclasses
import pathlib
import posixpath
import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from millrace.components.artifacts import Anomalies
from millrace.pipeline.dag import Dag
from millrace.pipeline.errors import UsageError

_VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_LIMIT = re.compile(r"(?:([^:=]+):)?([a-z][a-z0-9./-]*)=(\d+(?:\.\d+)?(?:m|[kMGTPE]i?)?)")
_OBJECT = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")  # a DNS subdomain, as Kubernetes' names
# The grammar of https://pkg.go.dev/github.com/distribution/reference, by which engines read names.
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?:(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(?::\d+)?/)?{_PART}(?:/{_PART})*"
    r"(?::\w[\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9+._-]*:[0-9A-Fa-f]{32,})?",
    re.ASCII,
)


@dataclasses.dataclass(frozen=True)
class Task:
    """One step, as an orchestrator knows it.

    Attributes:
        name: of letters, digits and `-`, the only signs that every orchestrator takes.
        step: by which `millrace step` knows it.
        after: the names of the tasks that must have ended well before.
    """

    name: str
    step: str
    after: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Secret:
    """A value that is in a Secret of the cluster under `key`, not in the pipeline's file."""

    name: str
    key: str


@dataclasses.dataclass(frozen=True)
class Workload:
    """All the containers of a pipeline.

    Attributes:
        name: of the pipeline, of the same signs as a task's.
        summary: a line.
        recipe: which `millrace step` runs.
        tasks: in an order that they can run in.
        options: what `millrace step` is given beside the recipe, the step and the run.
        image: that of every container.
        mounts: the folders of volumes that are mounted, to the PersistentVolumeClaim of each.
        variables: of the environment.
        secrets: variables of the environment, by name.
        limits: of each step that has any: what of it a container may use at most, and is given
            for sure, by the names of Kubernetes: cpu, memory, nvidia.com/gpu.
    """

    name: str
    summary: str
    recipe: str
    tasks: tuple[Task, ...]
    options: tuple[str, ...]
    image: str
    mounts: Mapping[str, str]
    variables: Mapping[str, str]
    secrets: Mapping[str, Secret]
    limits: Mapping[str, Mapping[str, str]]

    def arguments(self, step: str, run: str) -> list[str]:
        """What `millrace` is given to run `step` of the run that is called `run`."""
        return ["step", self.recipe, step, "--run", run, *self.options]


def tasks(dag: Dag, *, fail_on_anomaly: bool) -> tuple[Task, ...]:
    """The steps of `dag`, each after those that it reads from.

    With `fail_on_anomaly` also after every validator that `millrace run` would have run before it,
    so that anomalies stop it.
    """
    names = _names(dag.steps)
    validators: list[str] = []
    found = []
    for name, step in dag.steps.items():
        above = {one.name for one in step.upstream}.union(validators if fail_on_anomaly else ())
        after = tuple(names[one] for one in dag.steps if one in above)
        found.append(Task(names[name], name, after))
        if issubclass(step.spec.output, Anomalies):
            validators.append(name)
    return tuple(found)


def plain(name: str) -> str:
    """`name` in small letters, digits and single `-`."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "pipeline"


def image(name: str) -> str:
    """`name`, if it can be that of an image.

    Raises:
        UsageError: it cannot.
    """
    if not _IMAGE.fullmatch(name):
        raise UsageError(
            "--image: expected the name of an image, such as registry.example/millrace-pipeline:1. "
            f"Received: {name!r}. Correct it."
        )
    return name


def mounts(texts: Iterable[str]) -> dict[str, str]:
    """The claim of each mounted folder, of texts such as `millrace:/data`.

    Raises:
        UsageError: one is malformed, or two are at one folder.
    """
    found: dict[str, str] = {}
    for text in texts:
        claim, _, folder = text.partition(":")
        if not _OBJECT.fullmatch(claim) or not folder.startswith("/") or ":" in folder:
            raise UsageError(
                "--mount: expected a PersistentVolumeClaim, a colon and the folder for it, such "
                f"as millrace:/data. Received: {text!r}. Correct it."
            )
        folder = posixpath.normpath(folder)
        if folder in found:
            raise UsageError(
                f"--mount {text}: expected one volume at each folder. Received: {found[folder]} "
                f"and {claim} at {folder}. Leave one out, or give it another folder."
            )
        found[folder] = claim
    return found


def is_kept(folder: str, mounted: Mapping[str, str]) -> bool:
    """Whether `folder` lies in one of the folders at which volumes are mounted."""
    return any(pathlib.PurePosixPath(folder).is_relative_to(volume) for volume in mounted)


def variables(texts: Iterable[str]) -> dict[str, str]:
    """The values of variables, of texts such as `TF_CPP_MIN_LOG_LEVEL=2`.

    Raises:
        UsageError: one is malformed.
    """
    return dict(_parted(text, "--env", "TF_CPP_MIN_LOG_LEVEL=2") for text in texts)


def secrets(texts: Iterable[str]) -> dict[str, Secret]:
    """The secrets of variables, of texts such as `MILLRACE_STORE=millrace-store:url`.

    Raises:
        UsageError: one is malformed.
    """
    found = {}
    for text in texts:
        variable, place = _parted(text, "--secret", "MILLRACE_STORE=millrace-store:url")
        name, _, key = place.partition(":")
        if not _OBJECT.fullmatch(name) or not key:
            raise UsageError(
                f"--secret {variable}: expected the name of a Secret, a colon and its key, such "
                f"as millrace-store:url. Received: {place!r}. Correct it."
            )
        found[variable] = Secret(name, key)
    return found


def limits(texts: Iterable[str], dag: Dag) -> dict[str, dict[str, str]]:
    """The limits of each step, of texts such as `memory=8Gi` or `trainer:nvidia.com/gpu=1`.

    One that names a step takes the place of one for all.

    Raises:
        UsageError: one is malformed, or names no step of `dag`.
    """
    of_all: dict[str, str] = {}
    own: dict[str, dict[str, str]] = {}
    for text in texts:
        parts = _LIMIT.fullmatch(text)
        if parts is None:
            raise UsageError(
                "--limit: expected a resource and a quantity of Kubernetes, such as memory=8Gi, or "
                f"trainer:nvidia.com/gpu=1 for one step. Received: {text!r}. Correct it."
            )
        step, name, quantity = parts.groups()
        place = own.setdefault(dag.find(step).name, {}) if step else of_all
        place[name] = quantity
    found = {step: of_all | own.get(step, {}) for step in dag.steps}
    return {step: each for step, each in found.items() if each}


def check_seen_by_containers(paths: Mapping[str, str | None]) -> None:
    """Refuse paths, by the options that give them, that are relative to this folder.

    Raises:
        UsageError: one is.
    """
    for option, path in paths.items():
        if path and not path.startswith("/") and ":" not in path:  # a URL, or `tfds:NAME`
            raise UsageError(
                f"{option} {path}: expected an absolute path or a URL, as the containers see it. "
                "Received: one that is relative to a folder of this machine. Give where it is "
                "mounted (see --mount)."
            )


def check_has_store(root: str, environment: Collection[str]) -> None:
    """Refuse a `root` in an object store whose steps would have no store that all of them see.

    Raises:
        UsageError: the containers' `environment` does not name one.
    """
    if "MILLRACE_STORE" not in environment:
        raise UsageError(
            f"--root {root}: expected MILLRACE_STORE in the containers to name a PostgreSQL "
            "database, since an object store cannot hold the record of runs. Received: none. Give "
            "--secret MILLRACE_STORE=SECRET:KEY."
        )


def check_no_templates(given: Iterable[tuple[str, Sequence[str | None] | None]]) -> None:
    """Refuse values, by the options that give them, that hold `{{`.

    Argo and Kubeflow put values of their own there, also in what is a text of ours.

    Raises:
        UsageError: one does.
    """
    for option, values in given:
        for value in values or ():
            if value and "{{" in value:
                raise UsageError(
                    f"{option} {value}: expected no `{{{{`, where orchestrators would put a value "
                    "of theirs. Received: one. Leave it out, or part the braces by a blank."
                )


def _names(steps: Iterable[str]) -> dict[str, str]:
    """A name for the task of each step; steps that differ in other signs get a number."""
    found: dict[str, str] = {}
    for step in steps:
        name = plain(step)
        others: Sequence[str] = [f"{name}-{number}" for number in range(2, len(found) + 2)]
        found[step] = next(one for one in (name, *others) if one not in found.values())
    return found


def _parted(text: str, option: str, example: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not _VARIABLE.fullmatch(name):
        raise UsageError(
            f"{option}: expected a variable's name, `=` and its value, such as {example}. "
            f"Received: {text!r}. Correct it."
        )
    return name, value
