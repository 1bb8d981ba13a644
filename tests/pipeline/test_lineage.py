"""A family tree leads from a model to the user's files and back."""

import pytest

from millrace.components.artifacts import Examples, Model
from millrace.pipeline import lineage
from millrace.pipeline.console import print_tree, stdout_console
from millrace.pipeline.errors import UsageError


def test_ancestors_lead_to_the_source(toy):
    model = toy.run().output(Model)
    with toy.store.session() as session:
        node = lineage.ancestors(lineage.find_artifact(session, str(model.path)))
        (examples,) = node.nodes
        (source,) = examples.nodes
        assert (examples.name, examples.artifact.type) == ("examples", "Examples")
        assert examples.execution.step == "train"
        assert (source.name, source.artifact.uri) == ("source", str(toy.data))


def test_descendants_lead_to_the_verdict(toy):
    examples = toy.run().output(Examples)
    with toy.store.session() as session:
        node = lineage.descendants(lineage.find_artifact(session, str(examples.path)))
        below = {child.execution.step: child for child in node.nodes}
        assert set(below) == {"count", "train"}
        assert [child.execution.step for child in below["train"].nodes] == ["judge"]


def test_a_second_cached_run_adds_nothing_to_the_tree(toy):
    model = toy.run().output(Model)
    toy.run()
    with toy.store.session() as session:
        node = lineage.ancestors(lineage.find_artifact(session, str(model.path)))
        assert len(node.nodes) == 1


def test_an_artifact_is_found_by_number_by_its_step_or_by_the_end_of_its_path(toy):
    model = toy.run().output(Model)
    with toy.store.session() as session:
        by_path = lineage.find_artifact(session, f"train/{model.path.name}/")
        assert lineage.find_artifact(session, str(by_path.id)).uri == str(model.path)
        assert lineage.find_artifact(session, "train").uri == str(model.path)
        with pytest.raises(UsageError, match="the store does not know"):
            lineage.find_artifact(session, "elsewhere")


def test_the_tree_is_printed_with_the_step_that_made_each_part(toy, capsys):
    model = toy.run().output(Model)
    with toy.store.session() as session:
        found = lineage.find_artifact(session, str(model.path))
        print_tree(stdout_console(), lineage.ancestors(found))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Model #")
    assert "train of" in lines[1]
    assert "examples Examples #" in lines[1]
    assert "source RawFiles #" in lines[2]


def test_what_runs_under_other_roots_made_is_left_out(toy):
    toy.run()
    with toy.store.session() as session:
        source = lineage.find_artifact(session, str(toy.data))
        assert len(lineage.descendants(source, toy.root.name).nodes) == 1
        assert lineage.descendants(source, "/other").nodes == ()


def test_a_tree_for_programs_says_what_is_gone(toy):
    result = toy.run()
    model = result.output(Model)
    result.output(Examples).path.rmtree()
    with toy.store.session() as session:
        told = lineage.as_json(lineage.ancestors(lineage.find_artifact(session, str(model.path))))
    (examples,) = told["nodes"]
    assert (told["type"], told["place"], told["gone"]) == ("Model", str(model.path), False)
    assert (examples["name"], examples["step"], examples["run"], examples["gone"]) == (
        "examples",
        "train",
        result.run,
        True,
    )
    assert [source["gone"] for source in examples["nodes"]] == [False]
