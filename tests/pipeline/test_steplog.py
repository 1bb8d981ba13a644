"""What a step prints lands in its log, from Python, from C and from children."""

import logging
import os
import subprocess

import pytest
from etils.epath import Path

from millrace.components.progress import notices
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


def test_what_is_of_passing_interest_and_what_is_for_the_log_alone_are_no_lines(tmp_path):
    lines, passing = [], []
    logger = logging.getLogger("millrace.components.trainer")
    place = Path(tmp_path / "s.log")
    with steplog.capture(place, {"millrace.components"}, lines.append, passing.append):
        logger.info("a table", extra=notices.FOR_THE_LOG)
        logger.info("1 of 4 shards", extra=notices.OF_PASSING)
        with notices.all_passing(logger):
            logger.info("of a candidate")
            logger.info("its table", extra=notices.FOR_THE_LOG)
            logger.warning("set aside")
        logger.info("chosen")
    assert passing == ["1 of 4 shards", "of a candidate"]
    assert lines == ["set aside", "chosen"]
    log = (tmp_path / "s.log").read_text()
    assert all(text in log for text in ("a table", "1 of 4 shards", "of a candidate", "its table"))
