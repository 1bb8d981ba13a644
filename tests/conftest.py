"""What every test shares: quiet TensorFlow, and the real data where it is at hand."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets; a test that needs it is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"real data sets are not at {SHARED}")
    return SHARED
