"""The kin of an artifact: shared inputs once, bounded, and without what was only compared."""

import pytest

from millrace.pipeline import family
from millrace.pipeline.records import (
    ArtifactRecord,
    EventRecord,
    ExecutionRecord,
    FileRecord,
    RunRecord,
    now,
)


class Kin:
    """Artifacts by name, and the executions between them, without a file."""

    def __init__(self, store):
        self.store, self.numbers = store, {}
        run = RunRecord(id="r", recipe="t", pipeline="t", root="/r", arguments={}, status="done")
        run.started = now()
        store.begin_run(run)

    def artifact(self, name, kind="Examples", **properties):
        with self.store.session() as session:
            record = ArtifactRecord(
                type=kind, uri=f"/r/{name}", digest=f"{name}0", properties=properties, created=now()
            )
            session.add(record)
            session.flush()
            self.numbers[name] = record.id
        return self.numbers[name]

    def make(self, name, kind="Examples", status="ran", **inputs):
        """An execution of the step `name` that reads `inputs` and writes the artifact `name`."""
        made = self.numbers.get(name) or self.artifact(name, kind)
        with self.store.session() as session:
            one = ExecutionRecord(
                run_id="r", step=name, component="c", key="", ingredients={}, reasons=[]
            )
            one.status, one.started = status, now()
            session.add(one)
            session.flush()
            events = [("output", "output", made)]
            events += [("input", key, self.numbers[value]) for key, value in inputs.items()]
            session.add_all(
                EventRecord(execution_id=one.id, role=role, name=key, artifact_id=number)
                for role, key, number in events
            )

    def of(self, name, **bounds):
        with self.store.session() as session:
            found = family.of(session, self.numbers[name], **bounds)
        names = {number: name for name, number in self.numbers.items()}
        return found, sorted(f"{names[e.start]}>{names[e.end]}" for e in found.edges)

    def called(self, records):
        return [record.uri.removeprefix("/r/") for record in records]


@pytest.fixture
def kin(toy):
    kin = Kin(toy.store)
    kin.artifact("data", "RawFiles")
    kin.make("rows", source="data")
    kin.make("rules", "Analysis", examples="rows")
    kin.make("net", "TrainedModel", examples="rows", analysis="rules")
    kin.make("old", "Model", model="net")
    kin.make("new", "Model", model="net", analysis="rules")
    kin.make("verdict", "Evaluation", model="new", baseline="old", examples="rows")
    return kin


def test_a_shared_input_is_one_node_and_a_baseline_no_kin(kin):
    found, edges = kin.of("new")
    assert edges == [
        *("data>rows", "net>new", "new>verdict", "rows>net", "rows>rules", "rules>net"),
        "rules>new",
    ]
    assert kin.called(found.artifacts.values()) == [
        *("data", "rows", "rules", "net", "new", "verdict"),
    ]
    assert found.makers[kin.numbers["net"]] == ("net", "r")
    assert kin.numbers["data"] not in found.makers
    assert (found.left_out, found.is_deeper) == (0, False)


def test_what_a_step_only_reused_is_no_edge(kin):
    kin.make("new", status="cached", source="verdict")
    assert "verdict>new" not in kin.of("new")[1]


def test_depth_and_breadth_are_bounded_with_a_word_for_what_is_left_out(kin):
    for number in range(4):
        kin.make(f"more{number}", examples="rows")
    found, edges = kin.of("data", breadth=3)
    assert found.left_out == 4
    assert [edge for edge in edges if edge.startswith("rows>more")] == [
        f"rows>more{number}" for number in (1, 2, 3)
    ]
    found, edges = kin.of("data", depth=1)
    assert (edges, found.is_deeper) == (["data>rows"], True)
    assert kin.of("verdict", depth=9)[0].is_deeper is False


def test_models_that_saw_data_and_data_that_made_a_model(kin):
    with kin.store.session() as session:
        models, has_more = family.models(session, kin.numbers["data"], 1)
        assert (kin.called(models), has_more) == (["new"], True)
        models, has_more = family.models(session, kin.numbers["data"], 2)
        assert (kin.called(models), has_more) == (["new", "old"], False)
        sources, has_more = family.sources(session, kin.numbers["verdict"], 5)
        assert (kin.called(sources), has_more) == (["data"], False)
        assert family.models(session, kin.numbers["verdict"], 5) == ([], False)


def test_models_of_data_with_many_descendants_are_found_from_the_newest_on(kin, monkeypatch):
    monkeypatch.setattr(family, "_MANY", 2)
    kin.artifact("elsewhere", "RawFiles")
    for number in range(4):
        kin.make(f"other{number}", "Model", source="elsewhere")
    with kin.store.session() as session:
        for most, found in [(1, (["new"], True)), (2, (["new", "old"], False))]:
            models, has_more = family.models(session, kin.numbers["data"], most)
            assert (kin.called(models), has_more) == found


def test_of_many_readers_the_newest_are_looked_at(kin, monkeypatch):
    monkeypatch.setattr(family, "_READERS", 2)
    for number in range(3):
        kin.make(f"more{number}", examples="rows")
    assert [edge for edge in kin.of("rows")[1] if edge.startswith("rows>more")] == [
        "rows>more1",
        "rows>more2",
    ]


def test_data_that_a_step_fetched_is_data_too(kin):
    kin.make("fetched", "RawFiles")
    kin.make("net2", "TrainedModel", source="fetched")
    with kin.store.session() as session:
        assert kin.called(family.sources(session, kin.numbers["net2"], 5)[0]) == ["fetched"]


def test_the_push_of_a_model_is_known_by_the_step_that_read_it(kin):
    kin.artifact("push", "PushedModel", model="m", version=7)
    kin.make("push", "PushedModel", model="new")
    with kin.store.session() as session:
        found = family.pushes(session, [kin.numbers["old"], kin.numbers["new"]])
    assert {number: push.properties["version"] for number, push in found.items()} == {
        kin.numbers["new"]: 7
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("new", ["new"]),
        ("NEW0", ["new"]),
        ("a.csv", ["data"]),
        ("abc12", ["data"]),
        ("bc12", []),
        ("100%", []),
    ],
)
def test_a_path_or_a_digest_of_an_artifact_or_of_a_file_in_it_is_found(kin, text, found):
    with kin.store.session() as session:
        session.add(FileRecord(path="/r/data/sub/a.csv", stat="", digest="abc123"))
    with kin.store.session() as session:
        assert kin.called(family.search(session, text, 5)[0]) == found


def test_of_a_shared_database_only_what_the_roots_runs_have_met_is_found(kin):
    kin.artifact("newer")
    with kin.store.session() as session:
        assert kin.called(family.search(session, "new", 5)[0]) == ["newer", "new"]
        within = RunRecord.root == "/r"
        assert kin.called(family.search(session, "new", 5, within)[0]) == ["new"]
