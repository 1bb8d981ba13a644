"""Beam's flags: what is refused before anything runs."""

import re

import pytest

from components.beam_options import BeamOptions
from components.errors import OptionError


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--runer=FlinkRunner",), "Beam flags: --runer: unknown. Did you mean `--runner`?"),
        (
            ("--runner=FnApiRunner", "--direct_num_worker=3"),
            "Beam flags: --direct_num_worker: unknown. Did you mean `--direct_num_workers`?",
        ),
        (
            ("runner=FlinkRunner",),
            "Beam flags: expected --flag=value after `--`. Received: runner=FlinkRunner. "
            "Write `-- --runner=FlinkRunner`.",
        ),
    ],
)
def test_a_flag_that_beam_would_drop_is_refused(flags, told):
    with pytest.raises(OptionError, match=f"^{re.escape(told)}$"):
        BeamOptions(flags).check()


@pytest.mark.parametrize(
    "flags",
    [(), ("--runner=FlinkRunner", "--flink_master=host:8081"), ("--checkpointingInterval=9", "-x")],
)
def test_flags_of_beam_and_of_runners_are_let_through(flags):
    BeamOptions(flags).check()
