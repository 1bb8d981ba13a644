"""A disk that is really full: the short form."""

import os
import subprocess
import sys

import pytest


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who alone can mount")
def test_a_run_on_a_full_disk_says_so_and_ends_well_once_there_is_room():
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.disk", "--steps=1", "full"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[1].rstrip() == "full\t1 of 1 sizes, exit {1}"
