"""Passes on engines whose workers are other processes: Dask, and Prism for the portable runners.

The workers lie in another folder and cannot import what the test's own project holds. Two of them
share each pass, and what they write is what one process writes, even where one is killed.
"""

import functools
import importlib
import importlib.metadata
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys

import pytest
from etils.epath import Path

from millrace.components.artifacts import RawFiles
from millrace.components.beam.options import BeamOptions
from millrace.components.beam.shard_pass import shard_pass
from millrace.components.example_gen.tables import csv_example_gen
from millrace.components.files.folders import files
from tests import engines

OWN = """
import os, pathlib, signal, time

def meet(folder, shard):
    (folder / str(os.getpid())).touch()
    end = time.monotonic() + 60
    while len(list(folder.iterdir())) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    return shard, os.getpid()

def names(folder, _):
    return os.listdir(folder)

def die_once(folder, shard):
    if not list(folder.iterdir()):
        (folder / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return shard, os.getpid()
"""


@pytest.fixture(scope="module")
def hidden(tmp_path_factory):
    """A folder that Dask's workers find empty; None where no mount namespace may be made."""
    tried = shutil.which("unshare") and subprocess.run(["unshare", "--mount", "true"], check=False)
    return tmp_path_factory.mktemp("hidden") if tried and tried.returncode == 0 else None


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """A folder where nothing can be imported, in which the engines start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("elsewhere"))
        yield tmp_path_factory.mktemp


@pytest.fixture(scope="module")
def dask(elsewhere, hidden, request):
    """A scheduler and two workers, which can reach an S3 server."""
    store = {}
    if hidden and importlib.util.find_spec("s3fs"):
        store = request.getfixturevalue("s3_server")
    with engines.dask(elsewhere("dask"), [hidden] if hidden else [], **store) as engine:
        yield engine.flags


@pytest.fixture(scope="module")
def prism(elsewhere):
    """Prism, and a pool that starts its workers."""
    found = shutil.which("prism", path=f"{os.environ['PATH']}:{pathlib.Path.home() / 'go/bin'}")
    if found is None:
        version = importlib.metadata.version("apache-beam")
        pytest.skip(f"no Prism: go install github.com/apache/beam/sdks/v2/go/cmd/prism@v{version}")
    with engines.prism(found, elsewhere("prism")) as engine:
        yield engine.flags


@pytest.fixture(params=["dask", "prism"])
def engine(request):
    options = BeamOptions(request.getfixturevalue(request.param))
    options.check()
    return options


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A module that this process alone can import."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "millrace_test_own.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path / "project"))
    yield importlib.import_module("millrace_test_own")
    del sys.modules["millrace_test_own"]


def test_two_workers_share_a_pass_and_get_a_persons_own_code(engine, own, tmp_path):
    (tmp_path / "met").mkdir()
    work = functools.partial(own.meet, tmp_path / "met")
    shards, workers = zip(*shard_pass("Ask", range(4), work, Path(tmp_path), engine), strict=True)
    assert shards == (0, 1, 2, 3)
    assert len(set(workers)) == 2
    assert os.getpid() not in workers


def test_their_files_are_those_of_one_process(engine, tmp_path):
    rows = [f"{n},{n % 7 / 2},{'ab'[n % 2]}" for n in range(400)]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.csv").write_text("\n".join(["id,size,kind", *rows, ""]))
    written = []
    for name, run_on in (("alone", BeamOptions()), ("engine", engine)):
        out = Path(tmp_path / name)
        source = RawFiles(Path(tmp_path / "data"))
        csv_example_gen(source, out / "examples", run_on=run_on, shards=2)
        written.append({file: path.read_bytes() for file, path in files(out)})
    assert written[0] == written[1]


def test_workers_that_do_not_see_the_drivers_disk_write_the_same(
    hidden, bucket, dask, own, monkeypatch, tmp_path
):
    if hidden is None:
        pytest.skip("no mount namespace: `unshare --mount` is refused")
    (hidden / "data").mkdir()
    rows = [f"{n},{n % 7 / 2},{'ab'[n % 2]}" for n in range(400)]
    (hidden / "data" / "rows.csv").write_text("\n".join(["id,size,kind", *rows, ""]))
    monkeypatch.setenv("MILLRACE_SCRATCH", str(hidden / "scratch"))
    source = RawFiles(Path(hidden / "data"))
    far = BeamOptions(dask).exchanging(f"{bucket}/exchange/run/step", [str(source.path)])
    written = []
    for name, run_on in (("alone", BeamOptions()), ("far", far)):
        out = Path(hidden / "scratch" / name)
        csv_example_gen(source, out / "examples", run_on=run_on, shards=2)
        written.append({file: path.read_bytes() for file, path in files(out)})
    assert written[0] == written[1]
    (tmp_path / "met").mkdir()
    work = functools.partial(own.meet, tmp_path / "met")
    _, workers = zip(*shard_pass("Ask", range(4), work, Path(hidden / "scratch"), far), strict=True)
    assert len(set(workers)) == 2
    work = functools.partial(own.names, hidden)
    assert list(shard_pass("Ask", [0], work, Path(tmp_path), BeamOptions(dask))) == [[]]


def test_a_dask_worker_that_is_killed_is_replaced_by_the_others(dask, own, tmp_path):
    (tmp_path / "killed").mkdir()
    work = functools.partial(own.die_once, tmp_path / "killed")
    found = list(shard_pass("Ask", range(4), work, Path(tmp_path), BeamOptions(dask)))
    assert [shard for shard, _ in found] == [0, 1, 2, 3]
    assert len(list((tmp_path / "killed").iterdir())) == 1
