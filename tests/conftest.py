"""What every test shares: quiet TensorFlow, and the real data where it is at hand."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

# How long an example takes says something of the machine, nothing of the code.
settings.register_profile("slow", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("slow")

_LONGEST = {
    name: place
    for place, name in enumerate(
        (
            "test_readme.py",
            "test_examples.py",
            "test_end_to_end.py",
            "test_end_to_end_table.py",
            "test_end_to_end_init.py",
            "test_end_to_end_series.py",
            "test_trainer.py",
            "test_end_to_end_language.py",
            "test_integration.py",
            "test_end_to_end_text.py",
            "test_tuner.py",
        )
    )
}
SHARED = Path(__file__).parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items):
    """Begin with the files that take longest, so that no worker is left alone with one."""
    items.sort(key=lambda item: _LONGEST.get(item.path.name, len(_LONGEST)))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets; a test that needs it is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"real data sets are not at {SHARED}")
    return SHARED
