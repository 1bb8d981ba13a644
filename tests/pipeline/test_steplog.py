"""What a step prints lands in its log, from Python, from C and from children."""

import logging
import os
import subprocess

import pytest
from etils.epath import Path

from millrace.pipeline import steplog


def test_everything_printed_lands_in_the_log_and_progress_is_handed_on(tmp_path, capfd):
    lines = []
    with steplog.capture(Path(tmp_path / "s.log"), {"millrace.components"}, lines.append):
        os.write(2, b"from C\n")
        subprocess.run(["echo", "from a child"], check=True)
        logging.getLogger("millrace.components.trainer").info("epoch %d", 1)
        logging.getLogger("elsewhere").warning("a library warns")
    log = (tmp_path / "s.log").read_text()
    assert "from C\n" in log
    assert "from a child\n" in log
    assert "INFO millrace.components.trainer: epoch 1" in log
    assert "WARNING elsewhere: a library warns" in log
    assert lines == ["epoch 1"]
    assert capfd.readouterr() == ("", "")


def test_afterwards_output_goes_where_it_went_before(tmp_path, capfd):
    with steplog.capture(Path(tmp_path / "s.log"), {"millrace.components"}, print):
        pass
    os.write(1, b"back\n")
    assert capfd.readouterr().out == "back\n"


def test_an_exception_passes_and_leaves_its_traceback(tmp_path):
    with (
        pytest.raises(ValueError, match="no"),
        steplog.capture(Path(tmp_path / "s.log"), {"millrace.components"}, print),
    ):
        raise ValueError("no")
    assert "Traceback" in (tmp_path / "s.log").read_text()
