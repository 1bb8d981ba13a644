"""How a component gets its Beam pipeline: the runner and its flags, never part of a key."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from components.errors import OptionError

if TYPE_CHECKING:
    import apache_beam as beam

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

        Other flags that Beam does not know are left to the runner, which may have its own.

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

    def pipeline(self) -> beam.Pipeline:
        """A pipeline that runs when its `with` block ends."""
        # Imported here: the engine reads signatures that name this class and must stay light.
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions

        flags = list(self.flags)
        if not any(flag.startswith("--runner") for flag in flags):
            flags.append("--runner=FnApiRunner")
        logging.getLogger("apache_beam").setLevel(logging.WARNING)
        return beam.Pipeline(options=PipelineOptions(flags))


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Nothing is logged: Beam warns of flags it does not know, and of extras it has not got."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
