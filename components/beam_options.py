"""How a component gets its Beam pipeline: the runner and its flags, never part of a key."""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import apache_beam as beam


@dataclasses.dataclass(frozen=True)
class BeamOptions:
    """Beam flags as given after `--` on the command line.

    Without `--runner` the in-process runner is named outright: `DirectRunner` would first
    try to download the Prism binary.
    """

    flags: tuple[str, ...] = ()

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
