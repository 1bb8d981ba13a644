"""How a component gets its Beam pipeline: the runner and its flags, never part of a key."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import importlib.metadata
import io
import itertools
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from millrace.components.beam import dask_scheduler, job_endpoint, pipelines
from millrace.components.beam.exchange import Exchange
from millrace.components.errors import OptionError

if TYPE_CHECKING:
    from apache_beam.runners.runner import PipelineRunner

_PRISM_SOURCE = "github.com/apache/beam/sdks/v2/go/cmd/prism"
_NEAR = 0.85  # how alike the name of a known flag is, from 0 to 1, if it was meant


@dataclasses.dataclass(frozen=True)
class BeamOptions:
    """Beam flags as given after `--` on the command line.

    Without `--runner` the in-process runner is named outright: `DirectRunner` would first
    try to download the Prism binary.
    """

    flags: tuple[str, ...] = ()
    exchange: Exchange | None = None  # of workers that do not see this machine's disk

    def exchanging(self, url: str, folders: Sequence[str]) -> BeamOptions:
        """These options; where workers are of other machines, with what their passes exchange.

        Args:
            url: the folder for that, in an object store.
            folders: of this machine, which the step reads.
        """
        if not self.flags or not pipelines.has_workers_elsewhere(self.flags):
            return self
        return dataclasses.replace(self, exchange=Exchange(url, tuple(folders)))

    def check(self, *, asking: bool = True) -> None:
        """Refuse a runner that Beam does not have, and what Beam would ignore silently.

        Flags that Beam does not know are left to a job server, which may have its own, unless they
        seem to be known ones misspelled. A job server that is named must answer.

        Args:
            asking: False for flags that another machine will take: what only that one can reach,
                or has installed, is let through.

        Raises:
            OptionError: there is such a runner or flag.
        """
        if not self.flags:
            return
        _check_form(self.flags)
        with _silent():
            name = _parsed(self.flags)[0]["runner"]
            try:
                runner = _runner(name)
            except _NotHereError:
                if asking:
                    raise
                return
            known, given = _parsed(self.flags)  # which the runner's module adds to
        _check_names(runner, known, given)
        endpoint = given.get("job_endpoint") or ""
        job_endpoint.check_form(endpoint)
        if not asking:
            return
        job_endpoint.check(endpoint)
        match pipelines.class_name(runner):
            case pipelines.DASK:
                dask_scheduler.check(given.get("address"))
            case pipelines.PRISM:
                if not endpoint:
                    _check_prism(given.get("prism_location") or pipelines.prism_on_path())


class _NotHereError(OptionError):
    """A runner that may be known, and lacks what it needs."""


def _check_form(flags: Sequence[str]) -> None:
    if not flags[0].startswith("-"):
        raise OptionError(
            f"Beam flags: expected --flag=value after `--`. Received: {flags[0]}. "
            f"Write `-- --{flags[0]}`."
        )
    for before, flag in itertools.pairwise(flags):
        if "=" in before and not flag.startswith("-"):
            raise OptionError(
                f"Beam flags: expected --flag=value. Received: {flag} after {before}. "
                "Leave it out, or put what belongs together in quotes."
            )


def _check_names(
    runner: PipelineRunner | None, known: Mapping[str, Any], given: Mapping[str, Any]
) -> None:
    for name in sorted(given.keys() - known.keys()):
        near = difflib.get_close_matches(name, _flag_names(), n=1, cutoff=_NEAR)
        if near:
            raise OptionError(f"Beam flags: --{name}: unknown. Did you mean `--{near[0]}`?")
        if not _is_open(runner):
            raise OptionError(
                f"Beam flags: --{name}: unknown to Beam and to its runner "
                f"{known['runner'] or pipelines.IN_PROCESS}. Correct it, or leave it out."
            )


def _flag_names() -> list[str]:
    """Those that Beam and the runners imported so far know; values may have other names."""
    from apache_beam.options.pipeline_options import PipelineOptions

    found: list[str] = []
    PipelineOptions([]).get_all_options(
        add_extra_args_fn=lambda parser: found.extend(parser._option_string_actions)
    )
    return [name.removeprefix("--") for name in found]


def _check_prism(location: str) -> None:
    """Refuse a binary that is not there; Beam would say so, or download it, in the first step."""
    build = (
        f"Build it by `go install {_PRISM_SOURCE}@v{_beam_version()}`, which puts it into ~/go/bin."
    )
    if not location:
        raise OptionError(
            "Beam flags: --runner=PrismRunner: expected --prism_location=PATH beside it, or "
            f"`prism` on PATH. Received: neither. {build}"
        )
    if location and "://" not in location and not os.access(location, os.X_OK):
        raise OptionError(
            f"Beam flags: --prism_location={location}: expected Prism's program. Received: none "
            f"that can be run. {build}"
        )


def _beam_version() -> str:
    return importlib.metadata.version("apache-beam")


def _parsed(flags: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the flags say that Beam knows, by name, and what all of them say.

    Raises:
        OptionError: the value of a flag does not fit.
    """
    # Imported here, as in `pipeline`.
    from apache_beam.options.pipeline_options import PipelineOptions

    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed), contextlib.redirect_stdout(printed):
            options = PipelineOptions(list(flags))
            known = options.get_all_options()
            return known, options.get_all_options(retain_unknown_options=True)
    except SystemExit:  # argparse's way; its usage is 200 lines
        reason = printed.getvalue().rpartition("error: ")[2].strip().partition("\n")[0]
        raise OptionError(
            f"Beam flags: expected flags as Beam takes them. Received: {' '.join(flags)}: "
            f"{reason}. Correct it; https://beam.apache.org/documentation/runners/ lists them."
        ) from None


def _runner(name: str | None) -> PipelineRunner | None:
    """The runner of that name, in any of the forms that Beam takes.

    Raises:
        OptionError: there is no such runner, or it cannot be used here.
    """
    from apache_beam.options.pipeline_options import StandardOptions

    if name is None:
        return None
    try:
        return pipelines.runner_of(name)
    except Exception as error:  # what importing a module raises is not bounded
        known = [*StandardOptions.KNOWN_RUNNER_NAMES, pipelines.DASK]
        near = difflib.get_close_matches(name, known, n=1, cutoff=_NEAR)
        advice = f"Did you mean `{near[0]}`?" if near else f"There are: {', '.join(known)}."
        reason, kind = "", OptionError
        if not isinstance(error, ValueError):  # it is known, and lacks what it needs
            reason, kind = f" ({type(error).__name__}: {error})", _NotHereError
            advice = "Install what it needs, or take another."
            if name.lower().startswith("dask"):
                advice = "Run `pip install 'tf-millrace[dask]'`."
        raise kind(
            f"Beam flags: --runner: expected a runner that can be used here. "
            f"Received: {name!r}{reason}. {advice}"
        ) from None


def _is_open(runner: PipelineRunner | None) -> bool:
    """Whether `runner` may know flags that Beam does not: a person's own, or a job server."""
    from apache_beam.runners.portability.portable_runner import PortableRunner

    is_own = runner is not None and not type(runner).__module__.startswith("apache_beam")
    return is_own or isinstance(runner, PortableRunner)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Log nothing: Beam warns of flags it does not know, and of extras not installed."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
