"""The small inputs that lie beside the repository, and folders to write to."""

import pathlib

import pytest
from etils.epath import Path

CASES = pathlib.Path(__file__).parents[3] / "shared" / "cases"


@pytest.fixture(scope="session")
def case():
    """Finds a small input by its name; without any, the test is skipped."""

    def find(name):
        if not CASES.is_dir():
            pytest.skip(f"the small inputs are not at {CASES}")
        return Path(CASES / name)

    return find


@pytest.fixture
def folder(tmp_path):
    """Makes a folder by its name."""

    def make(name):
        made = Path(tmp_path / name)
        made.mkdir(exist_ok=True)
        return made

    return make
