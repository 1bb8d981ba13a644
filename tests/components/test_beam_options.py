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
    [
        (),
        ("--runner=FlinkRunner", "--flink_master=host:8081"),
        ("--runner=flink", "--checkpointingInterval=9"),
    ],
)
def test_flags_of_beam_and_of_runners_are_let_through(flags):
    BeamOptions(flags).check()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--runner=Nope",), "--runner: expected a runner that can be used here. Received: 'Nope'"),
        (("--runner=FlnkRunner",), "Did you mean `FlinkRunner`?"),
        (("--runner=",), "Received: ''. There are: "),
        (("--runner=no.such.Runner",), "'no.such.Runner' (ModuleNotFoundError: No module"),
        (("--flagthatdoesnotexist",), "--flagthatdoesnotexist: unknown to Beam and to its runner"),
        (("--runner=DirectRunner", "-x"), "unknown to Beam and to its runner DirectRunner."),
        (("--runner=FnApiRunner", "stray"), "Received: stray after --runner=FnApiRunner."),
        (("--direct_num_workers=abc",), "argument --direct_num_workers: invalid int value: 'abc'"),
        (("--runner",), "argument --runner: expected one argument."),
    ],
)
def test_an_unknown_runner_or_flag_and_a_value_that_does_not_fit_are_refused(flags, told, capfd):
    with pytest.raises(OptionError, match=f"^Beam flags: .*{re.escape(told)}"):
        BeamOptions(flags).check()
    assert capfd.readouterr() == ("", "")
