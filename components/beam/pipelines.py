"""A pass over shards as a Beam pipeline, on the runner that the flags name.

What Beam's runners need beyond their flags, so that a pass with two shards or more has two workers
or more:

    in process         one worker, or with `multi_processing` as many processes as the flags say
    Dask               a partition for each shard: Beam's own default is 128 elements
    Prism              one worker for each environment of a pipeline: as many equal environments
                       as `--sdk_worker_parallelism` says, told apart by a resource hint
    others             spread elements over workers themselves
"""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import shutil
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from millrace.components.beam import dask_scheduler, job_endpoint
from millrace.serving import cores, lifeline

if TYPE_CHECKING:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.runner import PipelineRunner

IN_PROCESS = "FnApiRunner"
DASK, PRISM = "DaskRunner", "PrismRunner"
_DATAFLOW = "DataflowRunner"
_DASK_CLASS = f"apache_beam.runners.dask.dask_runner.{DASK}"  # Beam knows no shorter name
_WORKER = "apache_beam.runners.worker.sdk_worker_main"
_ENDED = (
    "A process of --direct_running_mode=multi_processing has ended, maybe killed for want of "
    "memory. Run again, with a smaller --direct_num_workers if it was that."
)
_DEALT = {"EXTERNAL", "PROCESS", "DOCKER"}  # environments whose workers are processes of their own


def run(
    flags: Sequence[str], label: str, work: Callable[[int], None], shards: Sequence[int]
) -> None:
    """Do `work` on each of `shards`; returns when all are done.

    Args:
        flags: Beam's.
        label: of the Beam step.
        work: may be sent to other processes.
        shards: their numbers.
    """
    import apache_beam as beam

    with pipeline(flags) as made:
        groups = min(_environments(made.options), len(shards)) or 1
        for group in range(groups):
            name = f" {group + 1}" if groups > 1 else ""
            parts = f"Shards{name}" >> beam.Create(shards[group::groups])
            each = f"{label}{name}" >> beam.Map(work)
            if groups > 1:
                # As good as none, and enough to make environments differ.
                hint = {"min_ram": f"{group + 1}B"}
                parts, each = parts.with_resource_hints(**hint), each.with_resource_hints(**hint)
            _ = made | parts | each


@contextlib.contextmanager
def pipeline(flags: Sequence[str]) -> Iterator[beam.Pipeline]:
    """A pipeline that runs when its `with` block ends.

    The processes of `--direct_running_mode=multi_processing` end with this one.
    """
    # Imported here: the engine reads signatures that name these modules and must stay light.
    import apache_beam as beam
    from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions

    given = list(flags)
    if not _name_a_runner(given):
        given.append(f"--runner={IN_PROCESS}")
    logging.getLogger("apache_beam").setLevel(logging.WARNING)
    options = PipelineOptions(given)
    direct = options.view_as(DirectOptions)
    with contextlib.ExitStack() as stack:
        runner = _runner(options)
        if class_name(runner) == IN_PROCESS and direct.direct_running_mode == "multi_processing":
            direct.direct_running_mode = None  # or the runner would take workers of its own
            stack.enter_context(lifeline.inherited())
            stack.enter_context(_failing_with_a_worker())
            runner = _processes()
        elif class_name(runner) == DASK:
            options = PipelineOptions([*given, *dask_scheduler.partitions(options)])
        elif class_name(runner) == PRISM:
            options = PipelineOptions([*given, *_prism(options)])
        stack.enter_context(_as_in_a_program())
        made = beam.Pipeline(runner, options)
        stack.callback(lambda: dask_scheduler.leave(getattr(made, "result", None)))
        yield stack.enter_context(made)


def has_workers_elsewhere(flags: Sequence[str]) -> bool:
    """Whether the workers that do the passes may be of other machines than this one."""
    from apache_beam.options.pipeline_options import PipelineOptions, PortableOptions
    from apache_beam.runners.portability.portable_runner import PortableRunner

    if not _name_a_runner(flags):
        return False
    options = PipelineOptions(list(flags))
    runner = _runner(options)
    if class_name(runner) == DASK:
        return bool(options.get_all_options().get("address"))
    if isinstance(runner, PortableRunner):
        kind = options.view_as(PortableOptions).environment_type
        return kind != "LOOPBACK" and (class_name(runner) != PRISM or kind is not None)
    return class_name(runner) == _DATAFLOW


def prism_on_path() -> str:
    """Prism's program, which Beam itself does not look for; empty if there is none."""
    return shutil.which("prism") or ""


def _prism(options: PipelineOptions) -> list[str]:
    """The flag that names Prism's program, unless one does; Beam would download it."""
    given = options.get_all_options(drop_default=True)
    found = "" if given.keys() & {"prism_location", "job_endpoint"} else prism_on_path()
    return [f"--prism_location={found}"] if found else []


def _environments(options: PipelineOptions) -> int:
    """How many environments a pipeline needs for as many workers as it shall have."""
    from apache_beam.options.pipeline_options import PortableOptions

    portable = options.view_as(PortableOptions)
    if portable.environment_type not in _DEALT or not _is_prism(options):
        return 1
    given = options.get_all_options(drop_default=True).get("sdk_worker_parallelism")
    return int(given) if given else max(2, cores.available())


def _is_prism(options: PipelineOptions) -> bool:
    from apache_beam.options.pipeline_options import PortableOptions

    if class_name(_runner(options)) == PRISM:
        return True
    endpoint = options.view_as(PortableOptions).job_endpoint
    return job_endpoint.is_server(endpoint) and not job_endpoint.has_options(endpoint)


def runner_of(name: str) -> PipelineRunner:
    """The runner of that name: a class in any of the forms that Beam takes, or Dask's.

    Raises:
        Exception: there is none, or what its module imports is not there.
    """
    from apache_beam.runners.runner import create_runner

    return create_runner(_DASK_CLASS if name.lower() in ("dask", DASK.lower()) else name)


def _name_a_runner(flags: Sequence[str]) -> bool:
    return any(flag.startswith("--runner") for flag in flags)


def _runner(options: PipelineOptions) -> PipelineRunner:
    from apache_beam.options.pipeline_options import StandardOptions

    return runner_of(options.view_as(StandardOptions).runner)


def class_name(runner: PipelineRunner | None) -> str:
    """The name of a runner's class; the in-process runner's for none."""
    return type(runner).__name__ if runner is not None else IN_PROCESS


def _processes() -> PipelineRunner:
    """The in-process runner with workers in processes, as Beam starts them but by our command."""
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner
    from apache_beam.transforms.environments import SubprocessSDKEnvironment

    # `exec`, since Beam runs it in a shell and could end no more than that. A person's own code is
    # found where this process finds it.
    path = f"PYTHONPATH={os.pathsep.join(filter(None, sys.path))}"
    command = f"exec {shlex.join(['env', path, *lifeline.module(_WORKER)])}"
    return FnApiRunner(SubprocessSDKEnvironment.from_command_string(command))


@contextlib.contextmanager
def _failing_with_a_worker() -> Iterator[None]:
    """Have a pipeline fail when one of its processes is killed: Beam 2.77 waits forever.

    The stream of a process that is killed ends with an error or, if gRPC has not yet heard of the
    end of the connection, as that of one that is done. Who asks it for something later is told too.
    """
    import grpc
    from apache_beam.runners.portability.fn_api_runner.worker_handlers import (
        ControlConnection,
        ControlFuture,
    )

    read, push = ControlConnection._read, ControlConnection.push
    ended: weakref.WeakSet[ControlConnection] = weakref.WeakSet()

    def read_and_abort(connection: ControlConnection) -> None:
        with contextlib.suppress(grpc.RpcError):
            read(connection)
        ended.add(connection)  # first: what is pushed from here on is not among those below
        for future in list(connection._futures_by_id.values()):
            future.abort(RuntimeError(_ENDED))

    def push_or_abort(connection: ControlConnection, request: Any) -> ControlFuture | None:
        future = push(connection, request)
        if future is not None and connection in ended:
            future.abort(RuntimeError(_ENDED))
        return future

    ControlConnection._read, ControlConnection.push = read_and_abort, push_or_abort
    try:
        yield
    finally:
        ControlConnection._read, ControlConnection.push = read, push


@contextlib.contextmanager
def _as_in_a_program() -> Iterator[None]:
    """Keep Beam from treating a pipeline as one that a notebook's reader writes cell by cell.

    It would put the cell's number before each label, keep its temporary folder, and import its
    data frames, which new versions of pandas break (2.0: https://github.com/apache/beam/issues/27221;
    3.0: AttributeError: type object 'DataFrame' has no attribute 'first', with Beam 2.77).
    """
    from apache_beam import pipeline
    from apache_beam.utils import interactive_utils

    users = (pipeline, interactive_utils)
    kept = interactive_utils.is_in_ipython
    for module in users:
        module.is_in_ipython = lambda: False
    try:
        yield
    finally:
        for module in users:
            module.is_in_ipython = kept
