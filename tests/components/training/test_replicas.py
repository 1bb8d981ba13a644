"""Replicas on two devices of this machine learn what one device learns."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tests.components.training import two_devices


@pytest.fixture(scope="module")
def histories(tmp_path_factory):
    """By case and strategy: a row for each epoch."""
    done = subprocess.run(
        [sys.executable, "-m", two_devices.__name__, tmp_path_factory.mktemp("two")],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("case", two_devices.CASES)
def test_two_devices_follow_the_curve_of_one_and_stop_where_it_stops(histories, case):
    found = histories[case]
    assert len(found["none"]) >= 2
    np.testing.assert_allclose(found["mirrored"], found["none"], rtol=1e-5, atol=1e-6)


def test_a_training_that_is_killed_draws_what_it_would_have_drawn(histories):
    found = histories["random"]
    assert len(found["whole"]) == 3
    assert found["killed"] == found["whole"]


def test_every_device_draws_its_own_dropout(histories):
    first, second = histories["drawn"]
    assert first != second
