"""The public names: pinned, documented, light to import; and what they do, through a real run."""

import ast
import datetime
import math
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import millrace
from millrace import steps
from millrace.components.user_code import source_code
from millrace.pipeline import api, running

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "python.md").read_text()


def test_exactly_these_names_are_public():
    assert millrace.__all__ == [
        *("Analysis", "Anomalies", "Answers", "Artifact", "AsyncClient", "BeamOptions", "Client"),
        *("ClientError", "Dag", "DataError", "Evaluation", "Examples", "Hyperparameters"),
        *("ImageOptions", "ImageSpec", "InferenceResult", "InfraBlessing", "LanguageOptions"),
        *("LanguageSpec", "LaunchError", "LearningRate", "MillraceError", "Model", "ModelError"),
        *("OptionError", "Plots", "Previous", "Projection", "PushedModel", "RawFiles", "Recipe"),
        *("RestClient", "RpcError", "Run", "RunError", "RunStep", "Schema", "SeriesOptions"),
        *("SeriesSpec", "Source", "Statistics", "Step", "StoreError", "TableOptions", "TableSpec"),
        *("TextOptions", "TextSpec", "Tls", "TrainedModel", "UsageError", "WiringError"),
        *("inputs", "open_run", "predict", "run", "runs", "serve", "step", "steps", "tunable"),
    ]


@pytest.mark.parametrize("name", millrace.__all__)
def test_a_public_name_is_there_has_a_docstring_and_is_on_the_page(name):
    assert getattr(millrace, name).__doc__
    assert re.search(rf"(`|\+-- |^){name}\b", PAGE, re.MULTILINE)


@pytest.mark.parametrize("module", [millrace, steps], ids=["millrace", "steps"])
def test_type_checkers_see_the_names_that_there_are(module):
    tree = ast.parse(Path(module.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: f"{node.module}" for node in block.body for alias in node.names}
    places = dict(module._PLACES)
    if module is millrace:
        places |= {name: place.rpartition(".")[0] for name, place in millrace._MODULES.items()}
    assert seen == places
    assert sorted(seen) == sorted(module.__all__) == sorted({*dir(module)} & {*seen})


def test_every_step_can_be_imported_by_its_name():
    for name in steps.__all__:
        assert getattr(steps, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'trainers'"):
        steps.trainers  # noqa: B018


def test_a_name_that_is_not_there_is_an_attribute_error():
    assert not hasattr(millrace, "Runs")


def _python(code):
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip(), done.stderr.strip()


def test_importing_millrace_is_light():
    code = """
        import sys
        before = set(sys.modules)
        import millrace
        names = {name.partition(".")[0] for name in set(sys.modules) - before}
        print(sorted(names - sys.stdlib_module_names))
    """
    assert _python(code) == ("['millrace']", "")


def test_looking_back_needs_no_tensorflow(line_fit):
    code = f"""
        import sys, millrace
        run = millrace.open_run(root={str(line_fit.root)!r})
        assert [one.id for one in millrace.runs({str(line_fit.root)!r})] == [run.id]
        run._repr_html_()
        print([name for name in ("tensorflow", "keras", "apache_beam") if name in sys.modules])
    """
    assert _python(code) == ("[]", "")


def test_the_client_alone_says_what_to_install(tmp_path):
    folder = tmp_path / "millrace"
    folder.mkdir()
    (folder / "__init__.py").write_text(Path(millrace.__file__).read_text())
    (folder / "serving").symlink_to(ROOT / "serving")
    code = f"""
        import sys
        sys.meta_path = [each for each in sys.meta_path if "editable" not in str(each)]
        sys.path.insert(0, {str(tmp_path)!r})
        import millrace
        print(millrace.Client.__name__, millrace.inputs.images.__name__)
        for name in ("run", "Examples", "steps"):
            try:
                getattr(millrace, name)
            except ImportError as error:
                print(error)
    """
    shown, errors = _python(code)
    assert errors == ""
    assert shown.splitlines() == [
        "Client images",
        *(
            f"millrace.{name}: expected the whole of millrace. Received: its client alone. "
            "`pip install tf-millrace`"
            for name in ("run", "Examples", "steps")
        ),
    ]


def test_a_library_that_is_missing_is_named():
    code = """
        import sys
        sys.modules["etils"] = None
        import millrace
        try:
            millrace.Examples
        except ModuleNotFoundError as error:
            print(error.name)
    """
    assert _python(code) == ("etils.epath", "")


class LineFit:
    """One real run of the smallest recipe, and where it lies."""

    def __init__(self, root):
        self.root = root
        self.run = millrace.run("line-fit", set={"trainer": {"epochs": 3}}, root=root)


@pytest.fixture(scope="module")
def line_fit(tmp_path_factory):
    return LineFit(tmp_path_factory.mktemp("api") / "root")


def test_a_run_knows_what_became_of_it(line_fit):
    run, root = line_fit.run, line_fit.root
    assert (run.recipe, run.name, run.status, run.blessed) == ("line-fit", "line-fit", "done", True)
    assert [*run.steps][:: len(run.steps) - 1] == ["line_fit", "pusher"]
    assert {step.status for step in run.steps.values()} == {"ran"}
    assert set(run.metrics) == {"mae", "mse", "rmse", "r2"}
    assert run.metrics["mae"] == run.steps["evaluator"].output.metrics["mae"]
    assert run.pushed.parent == run.pushed.parent.parent / "line-fit"
    assert run.report.read_text().startswith("<!doctype html>")
    assert Path(run.report).is_relative_to(root)
    assert run.started.tzinfo is datetime.UTC
    assert run.seconds > 0
    assert repr(run) == f"<Run {run.id}: line-fit, done>"
    assert "line-fit" in run._repr_html_()
    assert "<td>trainer</td><td>ran</td>" in run._repr_html_()


def test_a_step_has_its_artifact_its_options_and_its_log(line_fit):
    trainer = line_fit.run.steps["trainer"]
    assert isinstance(trainer.output, millrace.TrainedModel)
    assert trainer.output.keras_file.exists()
    assert trainer.options["epochs"] == line_fit.run.options["trainer"]["epochs"] == 3
    assert trainer.reasons == ("this step has not run before in this pipeline",)
    assert "epoch 3/3" in trainer.log.read_text()
    assert re.fullmatch(r"<RunStep trainer: ran, \d+\.\d s>", repr(trainer))
    assert "TrainedModel" in trainer._repr_html_()


def test_runs_are_listed_and_opened(line_fit):
    (listed,) = millrace.runs(line_fit.root)
    run = line_fit.run
    assert (listed.id, listed.metrics) == (run.id, run.metrics)
    assert millrace.open_run(run.id[:-2], line_fit.root).id == run.id
    with pytest.raises(millrace.UsageError, match="Run 'x': expected the id of one run"):
        millrace.open_run("x", line_fit.root)
    with pytest.raises(millrace.UsageError, match="expected a folder that `millrace run` has"):
        millrace.runs(line_fit.root / "nowhere")


def test_a_root_is_opened_where_it_was_moved_to(tmp_path):
    first = millrace.run("line-fit", only="line_fit", root=tmp_path / "before")
    again = millrace.run("line-fit", only="line_fit", root=tmp_path / "before")
    assert (again.steps["line_fit"].status, again.steps["line_fit"].seconds) == ("cached", 0.0)
    (tmp_path / "before").rename(tmp_path / "after")
    moved = millrace.open_run(first.id, tmp_path / "after")
    assert Path(moved.report) == tmp_path / "after" / "runs" / first.id / "report.html"
    assert moved.steps["line_fit"].log.exists()


def test_a_store_that_goes_away_after_a_run_leaves_it_recorded_and_says_so(tmp_path, monkeypatch):
    carry_out = running.carry_out

    def carry_out_and_lose_the_store(*arguments):
        result = carry_out(*arguments)
        monkeypatch.setenv("MILLRACE_STORE", "postgresql://nobody@127.0.0.1:1/gone")
        return result

    monkeypatch.setattr(running, "carry_out", carry_out_and_lose_the_store)
    with pytest.raises(millrace.StoreError) as caught:
        millrace.run("line-fit", only="line_fit", root=tmp_path, warm=False)
    monkeypatch.delenv("MILLRACE_STORE")
    (run,) = millrace.runs(tmp_path)
    message = str(caught.value)
    assert message.startswith(
        f"Run {run.id} ended (done) and is recorded, but cannot be opened now. "
    )
    assert message.endswith(
        f" Then open it by `millrace.open_run({run.id!r}, root={str(tmp_path)!r})`."
    )
    assert run.status == "done"


@pytest.mark.parametrize(
    ("window", "text"),
    [
        ([1, math.nan, 2.5], "1.0;;2.5"),
        ([[1, 2], [math.nan, 4]], "1.0,2.0;,4.0"),
        (Path("past.csv"), "past.csv"),
        ("1,2,3", "1,2,3"),
    ],
)
def test_a_window_is_what_the_command_takes(window, text):
    assert api._window(window) == text


def test_the_pushed_model_is_asked(line_fit):
    answers = millrace.predict("line-fit", rows=[{"x": 3}, {"x": 4.5}], root=line_fit.root)
    assert [answer["input"] for answer in answers] == ["x=3", "x=4.5"]
    with millrace.serve("line-fit", root=line_fit.root) as client:
        found = client.predict("line-fit", {"x": [3.0, 4.5]})["prediction"]
    assert [answer["prediction"] for answer in answers] == pytest.approx(found.tolist())
    assert "<td>x=4.5</td>" in answers._repr_html_()
    assert len(answers[:1]) == 1


def test_a_step_that_fails_is_named_and_its_run_can_be_opened(line_fit, tmp_path, capsys):
    root = tmp_path / "root"
    with pytest.raises(millrace.RunError) as raised:
        millrace.run("line-fit", set={"analyze.features.label": "z"}, to="analyze", root=root)
    error = raised.value
    assert error.step == "csv_example_gen"
    assert error.reason in str(error)
    assert error.reason == error.run.steps["csv_example_gen"].error
    assert "the step ended with" in error.log.read_text()
    assert error.run.status == "failed"
    assert error.run.blessed is None
    assert (error.run.metrics, error.run.pushed) == ({}, None)
    shown = capsys.readouterr().out
    assert "✗ csv_example_gen" in shown
    assert "resume  " not in shown


COMPONENT = '''
from pathlib import Path
from millrace import Plots, RawFiles

def draw(source: RawFiles, out: Path) -> Plots:
    """Draw nothing."""
    (out / "words.txt").write_text("{word}")
    return Plots(out)
'''


@pytest.fixture
def mine(tmp_path, monkeypatch):
    file = tmp_path / "mine_of_api.py"
    file.write_text(COMPONENT.format(word="first"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("a")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield file
    sys.modules.pop("mine_of_api", None)
    source_code.forget()


def test_a_function_is_a_recipe_and_an_edited_module_is_imported_again(mine, capsys):
    import mine_of_api  # before the first run, as a person would who tries its parts

    def drawing(dag, data, serving_root):
        """Draw the data."""
        import mine_of_api as module

        dag.step(module.draw, source=millrace.Source(data))

    def word():
        run = millrace.run(drawing, data=mine.parent / "data", root=mine.parent / "root")
        assert (run.recipe, run.name) == ("drawing", "drawing")
        return run.steps["draw"].status, (run.steps["draw"].output.path / "words.txt").read_text()

    drawing.__module__ = "__main__"  # as in a notebook's cell
    assert word() == ("ran", "first")
    assert word() == ("cached", "first")
    assert sys.modules["mine_of_api"] is mine_of_api
    mine.write_text(COMPONENT.format(word="second, and longer"))
    assert word() == ("ran", "second, and longer")
    assert "code changed in mine_of_api" in capsys.readouterr().out


def test_a_function_from_before_its_module_was_edited_is_refused(mine, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    from mine_of_api import draw

    def wiring(dag, data, serving_root):
        dag.step(draw, source=millrace.Source(data))

    wiring.__module__ = "__main__"
    mine.write_text(COMPONENT.format(word="second, and longer"))
    with pytest.raises(millrace.WiringError, match="import it again if its file was edited"):
        millrace.run(wiring, data=mine.parent / "data", root=mine.parent / "root")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"recipe": "digitz"}, "Recipe 'digitz': unknown. Did you mean `digits`?"),
        ({"recipe": len}, "run: expected the name of a recipe, a millrace.Recipe, or a function"),
        ({"set": {"trainer": 3}}, "--set trainer: expected step.option"),
        ({"set": {"trainer.epoch": 3}}, "no option `epoch`. Did you mean `trainer.epochs`?"),
        ({"set": {"trainer.epochs": "many"}}, "Option trainer.epochs: expected int"),
        ({"only": "train"}, "no step `train`"),
        ({"beam": ["flag"]}, "Beam flags: expected --flag=value"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_runs(tmp_path, arguments, reason):
    with pytest.raises(millrace.UsageError) as raised:
        millrace.run(**{"recipe": "line-fit", "root": tmp_path / "root", **arguments})
    assert reason in str(raised.value)
    assert not (tmp_path / "root" / "artifacts").exists()


def test_a_function_of_a_notebook_cannot_be_an_option(tmp_path):
    def build(spec): ...

    build.__module__ = "__main__"
    options = {"trainer.model": "custom", "trainer.model.function": build}
    with pytest.raises(millrace.UsageError, match="expected a function that a module of yours"):
        millrace.run("digits", set=options, root=tmp_path)


def test_a_step_of_a_named_run_returns_the_run_so_far(tmp_path, capsys):
    run = millrace.step("line-fit", "line_fit", "wf-1", root=tmp_path, set={"trainer.epochs": 3})
    assert (run.id, run.status, [*run.steps]) == ("wf-1", "partial", ["line_fit"])
    with pytest.raises(millrace.UsageError, match=r"expected trainer\.epochs 3, with which it"):
        millrace.step("line-fit", "line_fit", "wf-1", root=tmp_path)
    assert "run     wf-1: partial, 1 of 12 steps" in capsys.readouterr().out
