"""Progress and trees as a pipe sees them."""

import io

from rich.console import Console

from components.artifacts import Statistics
from pipeline import lineage
from pipeline.console import RunProgress, print_tree


def test_a_line_of_progress_is_indented_and_loses_the_steps_name(toy):
    shown = io.StringIO()
    step = toy.dag().find("count")
    RunProgress(Console(file=shown, width=200), ["count"]).line(step, "count: one\n[two]")
    assert shown.getvalue() == "    one\n    [two]\n"


def test_a_part_of_a_tree_that_was_shown_is_not_opened_again(toy):
    toy.run()
    (toy.data / "b.txt").write_text("d")
    result = toy.run()
    shown = io.StringIO()
    with toy.store.session() as session:
        path = str(result.artifacts["judge"].path)
        node = lineage.ancestors(lineage.find_artifact(session, path))
        print_tree(Console(file=shown, width=500), lineage.Node(*_twice(node)))
    assert shown.getvalue().count("(above)") == len(node.nodes)
    assert result.output(Statistics).path.exists()


def _twice(node):
    return node.artifact, node.execution, node.name, node.nodes + node.nodes
