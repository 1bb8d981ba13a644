"""How a component gets its Beam pipeline: the runner and its flags, never part of a key."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import io
import itertools
import logging
import os
import shlex
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from millrace.components.beam import job_endpoint
from millrace.components.errors import OptionError
from millrace.serving import lifeline

if TYPE_CHECKING:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.runner import PipelineRunner

_IN_PROCESS = "FnApiRunner"
_WORKER = "apache_beam.runners.worker.sdk_worker_main"
_NEAR = 0.85  # how alike the name of a known flag is, from 0 to 1, if it was meant


@dataclasses.dataclass(frozen=True)
class BeamOptions:
    """Beam flags as given after `--` on the command line.

    Without `--runner` the in-process runner is named outright: `DirectRunner` would first
    try to download the Prism binary.
    """

    flags: tuple[str, ...] = ()

    def check(self) -> None:
        """Refuse a runner that Beam does not have, and what Beam would ignore silently.

        Flags that Beam does not know are left to a job server, which may have its own, unless they
        seem to be known ones misspelled. A job server that is named must answer.

        Raises:
            OptionError: there is such a runner or flag.
        """
        if not self.flags:
            return
        if not self.flags[0].startswith("-"):
            raise OptionError(
                f"Beam flags: expected --flag=value after `--`. Received: {self.flags[0]}. "
                f"Write `-- --{self.flags[0]}`."
            )
        for before, flag in itertools.pairwise(self.flags):
            if "=" in before and not flag.startswith("-"):
                raise OptionError(
                    f"Beam flags: expected --flag=value. Received: {flag} after {before}. "
                    "Leave it out, or put what belongs together in quotes."
                )
        with _silent():
            known, given = _parsed(list(self.flags))
            may_know_more = _is_open(known["runner"])
        for name in sorted(given.keys() - known.keys()):
            near = difflib.get_close_matches(name, known, n=1, cutoff=_NEAR)
            if near:
                raise OptionError(f"Beam flags: --{name}: unknown. Did you mean `--{near[0]}`?")
            if not may_know_more:
                raise OptionError(
                    f"Beam flags: --{name}: unknown to Beam and to its runner "
                    f"{known['runner'] or _IN_PROCESS}. Correct it, or leave it out."
                )
        job_endpoint.check(given.get("job_endpoint") or "")

    @contextlib.contextmanager
    def pipeline(self) -> Iterator[beam.Pipeline]:
        """A pipeline that runs when its `with` block ends.

        The processes of `--direct_running_mode=multi_processing` end with this one.
        """
        # Imported here: the engine reads signatures that name this class and must stay light.
        import apache_beam as beam
        from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions

        flags = list(self.flags)
        if not any(flag.startswith("--runner") for flag in flags):
            flags.append(f"--runner={_IN_PROCESS}")
        logging.getLogger("apache_beam").setLevel(logging.WARNING)
        options = PipelineOptions(flags)
        direct = options.view_as(DirectOptions)
        if direct.direct_running_mode != "multi_processing" or not _is_ours(options):
            with _as_in_a_program(), beam.Pipeline(options=options) as pipeline:
                yield pipeline
            return
        direct.direct_running_mode = None  # or the runner would take workers of its own
        with (
            lifeline.inherited(),
            _as_in_a_program(),
            beam.Pipeline(_processes(), options) as pipeline,
        ):
            yield pipeline


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


def _is_ours(options: PipelineOptions) -> bool:
    from apache_beam.options.pipeline_options import StandardOptions

    return options.view_as(StandardOptions).runner == _IN_PROCESS


def _processes() -> PipelineRunner:
    """The in-process runner with workers in processes, as Beam starts them but by our command."""
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner
    from apache_beam.transforms.environments import SubprocessSDKEnvironment

    # `exec`, since Beam runs it in a shell and could end no more than that. A person's own code is
    # found where this process finds it.
    path = f"PYTHONPATH={os.pathsep.join(filter(None, sys.path))}"
    command = f"exec {shlex.join(['env', path, *lifeline.module(_WORKER)])}"
    return FnApiRunner(SubprocessSDKEnvironment.from_command_string(command))


def _parsed(flags: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the flags say that Beam knows, by name, and what all of them say.

    Raises:
        OptionError: the value of a flag does not fit.
    """
    # Imported here, as in `pipeline`.
    from apache_beam.options.pipeline_options import PipelineOptions

    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed), contextlib.redirect_stdout(printed):
            options = PipelineOptions(flags)
            known = options.get_all_options()
            return known, options.get_all_options(retain_unknown_options=True)
    except SystemExit:  # argparse's way; its usage is 200 lines
        reason = printed.getvalue().rpartition("error: ")[2].strip().partition("\n")[0]
        raise OptionError(
            f"Beam flags: expected flags as Beam takes them. Received: {' '.join(flags)}: "
            f"{reason}. Correct it; https://beam.apache.org/documentation/runners/ lists them."
        ) from None


def _is_open(runner: str | None) -> bool:
    """Whether `runner` may know flags that Beam does not: a person's own, or a job server.

    Raises:
        OptionError: there is no such runner, or it cannot be used here.
    """
    from apache_beam.options.pipeline_options import StandardOptions
    from apache_beam.runners.portability.portable_runner import PortableRunner
    from apache_beam.runners.runner import create_runner

    if runner is None:
        return False
    try:
        found = create_runner(runner)
    except Exception as error:  # what importing a module raises is not bounded
        known = StandardOptions.KNOWN_RUNNER_NAMES
        near = difflib.get_close_matches(runner, known, n=1)
        advice = f"Did you mean `{near[0]}`?" if near else f"There are: {', '.join(known)}."
        reason = ""
        if not isinstance(error, ValueError):  # it is known, and lacks what it needs
            reason = f" ({type(error).__name__}: {error})"
            advice = "Install what it needs, or take another."
        raise OptionError(
            f"Beam flags: --runner: expected a runner that can be used here. "
            f"Received: {runner!r}{reason}. {advice}"
        ) from None
    return isinstance(found, PortableRunner) or not type(found).__module__.startswith("apache_beam")


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Log nothing: Beam warns of flags it does not know, and of extras not installed."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
