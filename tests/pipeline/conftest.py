"""A toy pipeline under a root of its own."""

import pytest
import sqlalchemy as sa

from millrace.pipeline.dag import Dag, Previous, Source
from millrace.pipeline.root import Root
from millrace.pipeline.run_request import RunRequest
from millrace.pipeline.runner import Runner
from millrace.pipeline.store import Store
from millrace.serving import remote
from tests.pipeline import toys


class Silent:
    """An observer that keeps what it is told."""

    def __init__(self):
        self.lines = []
        self.reasons = {}

    def started(self, step, reasons):
        self.reasons[step.name] = list(reasons)

    def line(self, step, text):
        self.lines.append((step.name, text))

    def passing(self, step, text):
        self.lines.append((step.name, f"… {text}"))

    def ended(self, result):
        pass


class Toy:
    """A root with some text, and runs of the toy pipeline over it."""

    def __init__(self, folder, name="root"):
        self.data = folder / "data"
        self.data.mkdir(exist_ok=True)
        (self.data / "a.txt").write_text("abc")
        self.root = Root(folder / name)
        self.root.path.mkdir(exist_ok=True)
        self.store = Store.open(self.root.store_url)
        self.observer = Silent()

    def dag(self, *settings):
        dag = Dag("toy")
        examples = dag.step(toys.read, source=Source(str(self.data)))
        statistics = dag.step(toys.count, examples=examples)
        dag.step(toys.validate, statistics=statistics, previous=Previous(statistics))
        model = dag.step(toys.train, examples=examples)
        dag.step(toys.judge, model=model, baseline=Previous(model, blessed=True))
        dag.configure(settings)
        return dag

    def run(self, *settings, **options):
        toys.CALLS.clear()
        self.observer.reasons.clear()
        return self.carry_out(self.dag(*settings), **options)

    def carry_out(self, dag, recipe="toy", interruption=lambda: None, **options):
        request = RunRequest(dag, recipe, "millrace run toy", **options)
        return Runner(request, self.root, self.store, self.observer, interruption).run()

    def statuses(self, result):
        return {step.step: step.status for step in result.steps}


@pytest.fixture(autouse=True)
def _closed_stores(monkeypatch):
    """Each store that a test opens is closed with it, as a command's is as its process ends."""
    engines, create = [], sa.create_engine

    def create_engine(*arguments, **options):
        engines.append(create(*arguments, **options))
        return engines[-1]

    monkeypatch.setattr(sa, "create_engine", create_engine)
    yield
    for engine in engines:
        engine.dispose()


@pytest.fixture
def toy(tmp_path):
    return Toy(tmp_path)


def toy_in(bucket):
    """The toy pipeline as a machine sees it whose root is in a bucket, as its data are."""
    toy = Toy.__new__(Toy)
    toy.data, toy.root, toy.observer = f"{bucket}/data", Root(f"{bucket}/runs"), Silent()
    toy.store = Store.of(toy.root)
    return toy


@pytest.fixture
def away(bucket, shared_store):
    """The toy pipeline under a root in a bucket; its data lie there, too."""
    remote.write(f"{bucket}/data/a.txt", b"abc")
    return toy_in(bucket)
