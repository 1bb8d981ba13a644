"""Many runs on one root at once: the short form."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("store", ["SQLite", "PostgreSQL"])
def test_ten_runs_at_once_lose_nothing_beside_all_who_use_the_root(store, request):
    more = []
    if store == "PostgreSQL":
        request.getfixturevalue("postgresql")  # which skips where there is none
        more = ["--postgresql"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.together", "--rounds=1", *more],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].split("\t") == [store, "1", "10", "0"]
