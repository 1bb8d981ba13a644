"""The page of a run holds what a person looks for, and no markup of the data's."""

import json

from millrace.pipeline import page


def _page_of(toy, result):
    page.write(toy.root, toy.store, result)
    return toy.root.report(result.run).read_text()


def test_the_page_holds_the_verdict_the_steps_and_their_reasons(toy):
    shown = _page_of(toy, toy.run())
    assert "blessed: told so" in shown
    assert "this step has not run before in this pipeline" in shown
    assert "<td>accuracy</td><td>0.5</td>" in shown
    assert "<td>train</td><td>3</td>" in shown


def test_the_page_shows_what_the_figures_were(toy):
    result = toy.run()
    file = result.artifacts["judge"].path / "metrics.json"
    found = {"metrics": {"accuracy": 0.5, "loss": 2.0}, "baseline": {"metrics": {"accuracy": 0.75}}}
    file.write_text(json.dumps(found))
    shown = _page_of(toy, result)
    assert "<tr><th>metric</th><th>value</th><th>95 % interval</th><th>was</th></tr>" in shown
    assert "<tr><td>accuracy</td><td>0.5</td><td></td><td>0.75</td></tr>" in shown
    assert "<tr><td>loss</td><td>2</td><td></td><td></td></tr>" in shown


def test_what_comes_from_the_data_is_escaped(toy):
    toy.run()
    shown = _page_of(toy, toy.run('train.weights={"<b>": 1}'))
    assert "option weights.&lt;b&gt; changed from None to 1.0" in shown
    assert "<b>" not in shown


def test_the_page_of_a_failed_run_holds_its_cause(toy):
    shown = _page_of(toy, toy.run("train.fail=bug"))
    assert "ZeroDivisionError: one by zero" in shown
    assert '<p class="no">failed</p>' in shown
