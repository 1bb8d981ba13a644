"""What every test shares: quiet TensorFlow, and the real data where it is at hand."""

import gc
import os
import uuid
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import servers

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

# Until all tests are imported: what imports make stays, and to look through it takes half the time.
gc.disable()

# How long an example takes says something of the machine, nothing of the code.
settings.register_profile("slow", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("slow")

_LONGEST = {
    name: place
    for place, name in enumerate(
        (
            "test_tutorials.py",
            "test_readme.py",
            "test_examples.py",
            "test_browser.py",
            "test_end_to_end.py",
            "test_end_to_end_table.py",
            "test_end_to_end_init.py",
            "test_end_to_end_series.py",
            "test_trainer.py",
            "test_end_to_end_language.py",
            "test_integration.py",
            "test_end_to_end_text.py",
            "test_end_to_end_remote.py",
            "test_end_to_end_ranks.py",
            "test_kill.py",
            "test_replicas.py",
            "test_clock.py",
            "test_disk.py",
            "test_tuner.py",
        )
    )
}
SHARED = Path(__file__).parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items):
    """Begin with the files that take longest, so that no worker is left alone with one."""
    items.sort(key=lambda item: _LONGEST.get(item.path.name, len(_LONGEST)))


def pytest_collection_finish():
    """Collect garbage from here on, and pass over what the imports have made."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets; a test that needs it is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"real data sets are not at {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def postgresql():
    """The URL of a PostgreSQL server on a socket of its own; it is empty at first, then shared."""
    with servers.postgresql() as url:
        yield url


@pytest.fixture
def shared_store(postgresql, monkeypatch):
    """The URL of an empty database of its own, which this process and its children use."""
    import psycopg

    name = f"store_{uuid.uuid4().hex}"
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = postgresql.replace("/postgres?", f"/{name}?")
    monkeypatch.setenv("MILLRACE_STORE", url)
    return url


@pytest.fixture(scope="session")
def s3_server():
    """The environment for clients of an S3 server on loopback."""
    with servers.s3() as environment:
        yield environment


@pytest.fixture
def bucket(s3_server, monkeypatch, tmp_path):
    """The URL of an empty bucket, which this process and its children can reach."""
    for name, value in s3_server.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MILLRACE_SCRATCH", str(tmp_path / "scratch"))
    import s3fs

    name = f"bucket-{uuid.uuid4().hex}"
    s3fs.S3FileSystem().mkdir(name)
    return f"s3://{name}"
