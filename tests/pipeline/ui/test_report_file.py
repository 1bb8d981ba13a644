"""The report of a run holds what a person looks for, and no markup of the data's."""

import base64
import hashlib
import json
import re

import pytest

from millrace.pipeline.ui import report_file


def _report_of(toy, result):
    report_file.write(toy.root, toy.store, result.run)
    return toy.root.report(result.run).read_text()


def test_the_report_holds_the_verdict_the_steps_and_that_it_is_the_first_run_once(toy):
    shown = _report_of(toy, toy.run())
    assert "</span>blessed</span>" in shown
    assert "<li>told so</li>" in shown
    assert '<span class="faint">accuracy</span> <b>0.5</b>' in shown
    assert shown.count("every step ran") == 1
    assert "this step has not run before in this pipeline" not in shown
    assert '<th scope="row">validate</th>' in shown
    assert "<td>train</td><td>3</td>" in shown


def test_a_later_run_says_of_each_step_why(toy):
    toy.run()
    shown = _report_of(toy, toy.run("train.epochs=2"))
    assert "every step ran" not in shown
    assert '<span class="reason">option epochs changed from 1 to 2</span>' in shown
    assert shown.count("unchanged since ") == 3


def test_the_verdict_says_what_the_figure_was_and_how_sure_it_is(toy):
    result = toy.run()
    file = result.artifacts["judge"].path / "metrics.json"
    found = {
        "metrics": {"accuracy": 0.5, "loss": 2.0},
        "intervals": {"accuracy": [0.4, 0.6]},
        "baseline": {"metrics": {"accuracy": 0.75}},
    }
    file.write_text(json.dumps(found))
    shown = _report_of(toy, result)
    row = '<th scope="row">accuracy</th><td class="number">0.5</td>'
    assert f'{row}<td class="number">0.40 to 0.60</td><td class="number">0.75</td>' in shown
    assert shown.count("told so") == 1
    assert shown.count(">blessed</span>") == 1
    assert '<h2 id="evaluation-title">' not in shown  # nothing lies behind these figures


def test_what_lies_behind_the_figures_stands_in_a_section_of_its_own(toy):
    result = toy.run()
    (result.artifacts["judge"].path / "mistakes.txt").write_text("a <b>")
    shown = _report_of(toy, result)
    assert '<h2 id="evaluation-title">Evaluation</h2>' in shown
    assert "<summary>mistakes</summary><pre>a &lt;b&gt;</pre>" in shown
    assert shown.count("told so") == 1


def test_what_comes_from_the_data_is_escaped(toy):
    toy.run()
    shown = _report_of(toy, toy.run('train.weights={"<b>": 1}'))
    assert "option weights.&lt;b&gt; changed from None to 1.0" in shown
    assert "weights.<b>" not in shown


def test_the_report_of_a_failed_run_holds_its_cause(toy):
    shown = _report_of(toy, toy.run("train.fail=bug"))
    assert "ZeroDivisionError: one by zero" in shown
    assert '<span class="status failed">failed</span>' in shown
    assert "Blessed" not in shown


def test_a_section_that_cannot_be_shown_says_why_and_the_others_stand(toy):
    result = toy.run()
    (result.artifacts["judge"].path / "metrics.json").write_text("{")
    shown = _report_of(toy, result)
    assert '<p class="wrong">' in shown
    assert "metrics.json: expected" in shown
    assert '<th scope="row">validate</th>' in shown


def test_the_report_allows_its_own_style_and_nothing_else(toy):
    shown = _report_of(toy, toy.run())
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', shown)[1]
    style = re.search(r"<style>(.*?)</style>", shown, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src &#39;none&#39;; style-src &#39;sha256-{digest}&#39;; img-src data:"
    )
    assert "<script" not in shown
    assert "style=" not in shown
    assert not re.findall(r'(?:src|href)="(?!data:|#)', shown)


def test_a_command_of_no_shell_and_names_of_no_encoding_are_shown(toy):
    result = toy.run()
    with toy.store.session() as session:
        record = toy.store.find_run(session, result.run)
        record.arguments = {"command": "millrace run 'x \udc80 --set a=1"}
    assert "millrace run &#39;x ? --set a=1" in _report_of(toy, result)


def test_what_was_set_is_listed_with_the_commit_and_the_machine(toy):
    result = toy.run()
    command = "millrace run tabular --data D --set trainer.epochs=3"
    with toy.store.session() as session:
        record = toy.store.find_run(session, result.run)
        made_with = {"commit": "0123abcd with changes", "folder": ""}
        record.arguments = {"command": command, "made_with": made_with}
    shown = _report_of(toy, result)
    assert '<tr class="changed">\n  <th scope="row"><code>trainer.epochs</code>' in shown
    assert "<dt>commit</dt><dd>0123abcd with changes</dd>" in shown
    assert "<dt>folder</dt>" not in shown
    markdown = report_file.as_markdown(toy.root, toy.store, result.run)
    assert "| option | set to |\n|---|---|\n| trainer.epochs | 3 |\n\n" in markdown


def test_markdown_has_the_verdict_the_figures_and_why_each_step_ran(toy):
    first = toy.run()
    again = toy.run("train.epochs=2")
    why = {"metric": "loss", "columns": [{"name": "a_b", "worse": 0.5}]}
    (again.artifacts["judge"].path / "why.json").write_text(json.dumps(why))
    lines = report_file.as_markdown(toy.root, toy.store, again.run).splitlines()
    assert lines[0] == f"### toy · {again.run} · done"
    assert lines[2] == "**blessed**: told so"
    assert "| accuracy | 0.5 |  |" in lines
    assert r"It goes by a\_b +0.5 \(loss where its values are shuffled\)." in lines
    assert "    millrace run toy" in lines
    assert f"| read | cached |  | unchanged since {first.run} |" in lines
    train = next(line for line in lines if line.startswith("| train | ran |"))
    assert train.endswith("| option epochs changed from 1 to 2 |")


def test_a_step_that_was_stopped_is_not_told_to_be_corrected(toy):
    failed = _report_of(toy, toy.run("train.fail=bug"))
    assert "Once it is corrected, this goes on from here:" in failed
    result = toy.run()
    with toy.store.session() as session:
        step = toy.store.find_run(session, result.run).executions[-1]
        step.status, step.error = "failed", "Stopped by SIGTERM."
    stopped = _report_of(toy, result)
    assert "was stopped</h2>" in stopped
    assert "It goes on from here by" in stopped
    assert "Once it is corrected" not in stopped


@pytest.mark.parametrize("text", ["*a*", "[a](http://x)", "a|b", "`a`", "<img>", "a\nb", "# a"])
def test_a_text_is_no_markdown(text):
    shown = report_file._plain(text)
    assert not re.search(r"(?<!\\)[|*`\[\]<#]", shown)
    assert "\n" not in shown


def test_quotes_and_brackets_are_seen_as_they_are():
    assert report_file._plain("'a_b' & #1") == r"&#x27;a\_b&#x27; &amp; \#1"
