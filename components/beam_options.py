"""How a component gets its Beam pipeline: the runner and its flags, never part of a key."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import logging
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from components import job_endpoint
from components.errors import OptionError
from serving import lifeline

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
        """Refuse what Beam would drop without a word: no flag at all, or a name written amiss.

        Other flags that Beam does not know are left to the runner, which may have its own. A job
        server that is named must answer.

        Raises:
            OptionError: there is such a flag.
        """
        if not self.flags:
            return
        if not self.flags[0].startswith("-"):
            raise OptionError(
                f"Beam flags: expected --flag=value after `--`. Received: {self.flags[0]}. "
                f"Write `-- --{self.flags[0]}`."
            )
        with _silent():
            # Imported here, as below.
            from apache_beam.options.pipeline_options import PipelineOptions

            options = PipelineOptions(list(self.flags))
            known = list(options.get_all_options())
            given = options.get_all_options(retain_unknown_options=True)
        for name in sorted(given.keys() - set(known)):
            near = difflib.get_close_matches(name, known, n=1, cutoff=_NEAR)
            if near:
                raise OptionError(f"Beam flags: --{name}: unknown. Did you mean `--{near[0]}`?")
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
            with beam.Pipeline(options=options) as pipeline:
                yield pipeline
            return
        direct.direct_running_mode = None  # or the runner would take workers of its own
        with lifeline.inherited(), beam.Pipeline(_processes(), options) as pipeline:
            yield pipeline


def _is_ours(options: PipelineOptions) -> bool:
    from apache_beam.options.pipeline_options import StandardOptions

    return options.view_as(StandardOptions).runner == _IN_PROCESS


def _processes() -> PipelineRunner:
    """The in-process runner with workers in processes, as Beam starts them but by our command."""
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner
    from apache_beam.transforms.environments import SubprocessSDKEnvironment

    # `exec`, since Beam runs it in a shell and could end no more than that.
    command = f"exec {shlex.join(lifeline.module(_WORKER))}"
    return FnApiRunner(SubprocessSDKEnvironment.from_command_string(command))


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Nothing is logged: Beam warns of flags it does not know, and of extras it has not got."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
