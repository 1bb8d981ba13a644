"""Keys change with what changes the answer and with nothing else."""

import errno
import importlib
import importlib.metadata
import os
import sys

import pytest
from etils.epath import Path
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.errors import DataError
from millrace.components.files.folders import file_digest
from millrace.components.user_code import source_code
from millrace.pipeline.dag import Dag
from millrace.pipeline.errors import WiringError
from millrace.pipeline.fingerprint import (
    Ingredients,
    content_digest,
    ingredients,
    named_files,
    named_modules,
)


def test_a_folder_keeps_its_digest_when_it_moves_and_loses_it_when_a_name_changes(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("1")
    before = content_digest(Path(tmp_path / "a"))
    (tmp_path / "a").rename(tmp_path / "b")
    assert content_digest(Path(tmp_path / "b")) == before
    (tmp_path / "b" / "x").rename(tmp_path / "b" / "y")
    assert content_digest(Path(tmp_path / "b")) != before


def test_the_digest_of_a_folder_of_files_stays_what_caches_know_it_as(tmp_path):
    for name in ("a/b.txt", "a.txt", "a/.hidden", "B", "é"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert content_digest(Path(tmp_path)) == (
        "890cdc4328f7b074585c087a2366805f489b819dfd01b557cb845da956c28537"
    )
    assert content_digest(Path(tmp_path / "B")) == (
        "09833f519e163e275142abd71923de9b8cf9aeecd518759b6a859fe1698c379f"
    )


def test_what_no_ingest_reads_is_never_opened_and_counts_by_name_and_reason(tmp_path):
    (tmp_path / "a").write_text("1")
    plain = content_digest(Path(tmp_path))
    for name in (".#a", "half.part"):
        (tmp_path / name).symlink_to("nowhere")
    assert content_digest(Path(tmp_path)) == plain
    (tmp_path / "half.part").unlink()
    (tmp_path / "half.part").write_text("still being written")
    assert content_digest(Path(tmp_path)) == plain
    os.mkfifo(tmp_path / "pipe")
    piped = content_digest(Path(tmp_path))
    (tmp_path / "pipe").unlink()
    (tmp_path / "pipe").symlink_to("nowhere")
    dangling = content_digest(Path(tmp_path))
    (tmp_path / "caf\udce9").write_text("")
    assert len({plain, piped, dangling, content_digest(Path(tmp_path))}) == 4


def test_a_link_in_a_loop_ends_the_walk(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("1")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    before = content_digest(Path(tmp_path))
    (tmp_path / "a" / "x").write_text("2")
    assert content_digest(Path(tmp_path)) != before


def test_a_source_that_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(
        DataError, match=r"/pipe: expected a file or a folder .* a pipe, not a file"
    ):
        content_digest(Path(tmp_path / "pipe"))


def _deny(file):
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda file: file.unlink(), "it is gone"),
        (lambda file: file.write_text("other"), "it changed"),
        (lambda file: os.utime(file, (0, 0)), "it changed"),
        (_deny, "Permission denied"),
    ],
)
def test_a_file_that_does_not_stay_as_it_is_meanwhile_is_named(tmp_path, spoil, told):
    (tmp_path / "a").write_text("1")

    def digest_of(file):
        spoil(tmp_path / "a")
        return file_digest(file)

    with pytest.raises(
        DataError,
        match=rf"/a: expected a file that stays as it is .*Received: {told}\. Run it again",
    ):
        content_digest(Path(tmp_path), digest_of)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,3}", fullmatch=True), st.integers()), st.data())
def test_the_order_of_options_does_not_change_the_key(options, data):
    shuffled = dict(data.draw(st.permutations(list(options.items()))))
    assert (
        Ingredients("m:f", options, {}, {}, {}).key == Ingredients("m:f", shuffled, {}, {}, {}).key
    )


def test_each_ingredient_changes_the_key():
    keys = {
        Ingredients("m:f", {}, {}, {}, {}).key,
        Ingredients("m:g", {}, {}, {}, {}).key,
        Ingredients("m:f", {"a": 1}, {}, {}, {}).key,
        Ingredients("m:f", {}, {"a": "1"}, {}, {}).key,
        Ingredients("m:f", {}, {}, {"a": "1"}, {}).key,
        Ingredients("m:f", {}, {}, {}, {"a": "1"}).key,
    }
    assert len(keys) == 6


def test_the_ingredients_of_a_step_name_its_libraries_and_modules(toy):
    parts = ingredients(toy.dag().find("train"), {"examples": "d"})
    assert parts.component == "tests.pipeline.toys:train"
    assert parts.versions["pydantic"] == importlib.metadata.version("pydantic")
    assert not {"tensorflow", "keras", "tf-millrace"} & set(parts.versions)
    assert "millrace.components.artifacts" in parts.code
    assert "millrace.pipeline.runner" not in parts.code
    assert parts.options["model"] == {"kind": "small", "width": 1}


def test_modules_are_named_anywhere_in_the_options():
    options = {
        "model": {"kind": "custom", "function": "mine.model:build", "settings": {"units": 3}},
        "dataset": "tfds:3",
        "columns": ["a.b:clean", 7, None, "a:b:c", "plain"],
        "loss": "mine.losses:focal(gamma=2)",
    }
    assert list(named_modules(options)) == ["mine.model", "a.b", "mine.losses"]


def test_files_and_saved_models_are_named_anywhere_in_the_options(tmp_path):
    weights, backbone, root = tmp_path / "w.h5", tmp_path / "backbone", tmp_path / "serving"
    weights.write_text("")
    for folder in (backbone, root):
        folder.mkdir()
    (backbone / "saved_model.pb").write_text("")
    options = {"model": {"weights": str(weights), "folders": [str(backbone), str(root)]}, "n": 1}
    assert list(named_files(options)) == [str(weights), str(backbone)]
    assert list(named_files(["s3://b/x", "http://h/x", "a." * 400, "a/\0b", "\udce9."])) == []


def test_other_content_of_a_named_file_is_another_key(toy, tmp_path):
    weights = tmp_path / "w.h5"
    step = toy.dag().find("train")
    step.options["weights"] = {}
    before = ingredients(step, {}).key
    keys = set()
    for content in ("one", "other"):
        weights.write_text(content)
        step.options["note"] = str(weights)
        step.spec.options["note"] = (str, "")
        keys.add(ingredients(step, {}).key)
    assert len(keys | {before}) == 3


def test_a_file_is_found_in_whatever_way_an_option_names_it(tmp_path, monkeypatch):
    (tmp_path / "words").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    texts = ["words", "~/words", "./words", "no", "", "long." * 100, "nul\0."]
    assert list(named_files(texts)) == ["words", "~/words", "./words"]


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Writes the user's module `own_code` and forgets what was read of it; gives the module."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(source):
        (tmp_path / "own_code.py").write_text(source)
        source_code.forget()
        sys.modules.pop("own_code", None)
        return importlib.import_module("own_code")

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield write
    source_code.forget()
    sys.modules.pop("own_code", None)


def test_a_module_without_a_source_file_may_be_named_by_an_option(toy):
    assert toy.statuses(toy.run("train.note=math:sqrt"))["train"] == "ran"


def test_editing_a_function_that_an_option_names_reruns_that_step_alone(toy, own):
    setting = "train.note=own_code:f"
    own("def f():\n    return 1\n")
    assert set(toy.statuses(toy.run(setting)).values()) == {"ran"}
    own("def f():\n    return 1  # the same\n")
    assert set(toy.statuses(toy.run(setting)).values()) == {"cached"}
    own("def f():\n    return 2\n")
    again = toy.statuses(toy.run(setting))
    assert {step for step, status in again.items() if status == "ran"} == {"train"}
    assert toy.observer.reasons["train"] == ["code changed in own_code"]


STEPS = """
import functools
from millrace.components.artifacts import Artifact
from etils.epath import Path

def double(out: Path, *, n: int) -> Artifact:
    (out / "answer").write_text(str(2 * n))
    return Artifact(out)

def triple(out: Path, *, n: int) -> Artifact:
    (out / "answer").write_text(str(3 * n))
    return Artifact(out)

def traced(function):
    @functools.wraps(function)
    def call(*args, **options):
        return function(*args, **options)
    return call

class Times:
    def run(self, out: Path, *, n: int) -> Artifact: ...
    def __call__(self, out: Path, *, n: int) -> Artifact: ...

decorated = traced(double)
partial = functools.partial(double, n=2)
bound = Times().run
called = Times()
nameless = lambda out: Artifact(out)
"""


def answer_of(toy, component):
    dag = Dag("toy")
    dag.step(component, step_name="times", n=7)
    result = toy.carry_out(dag)
    [step] = result.steps
    return step.status, (step.output / "answer").read_text()


def test_another_component_under_the_same_name_runs_and_is_named(toy, own):
    steps = own(STEPS)
    assert answer_of(toy, steps.double) == ("ran", "14")
    assert answer_of(toy, steps.triple) == ("ran", "21")
    assert toy.observer.reasons["times"] == [
        "component changed from own_code:double to own_code:triple"
    ]
    assert answer_of(toy, steps.double) == ("cached", "14")


@pytest.mark.parametrize("name", ["decorated", "partial", "bound", "called", "nameless"])
def test_a_component_that_its_module_does_not_hold_by_its_name_is_refused(own, name):
    with pytest.raises(WiringError, match=r"a function that its module holds under its own name"):
        Dag("toy").step(getattr(own(STEPS), name), step_name="times", n=7)


def test_a_component_decorated_in_its_place_is_told_by_the_decorators_code_too(toy, own, tmp_path):
    decorator = STEPS[STEPS.index("def traced") : STEPS.index("class Times")]
    (tmp_path / "own_traced.py").write_text(f"import functools\n{decorator}")
    body = STEPS[: STEPS.index("def triple")].replace("def double", "@traced\ndef double")
    imported = 'importlib.import_module("own_" + "traced").traced'  # an import that no tree shows
    steps = own(f"import importlib\ntraced = {imported}\n{body}")
    step = Dag("toy").step(steps.double, n=7)
    before = ingredients(step, {})
    assert {"own_code", "own_traced"} <= set(before.code)
    changed = decorator.replace("return function(", "return print() or function(")
    (tmp_path / "own_traced.py").write_text(f"import functools\n{changed}")
    source_code.forget()
    assert ingredients(step, {}).key != before.key
    sys.modules.pop("own_traced")


def test_a_component_without_a_source_file_is_refused(own, tmp_path):
    step = Dag("toy").step(own(STEPS).double, n=7)
    (tmp_path / "own_code.py").unlink()
    source_code.forget()
    with pytest.raises(WiringError, match=r"Received: own_code, which has none\. Write it"):
        ingredients(step, {})


def test_another_version_of_a_library_that_the_code_imports_runs_the_step_again(
    toy, own, monkeypatch
):
    steps = own(f"import pyarrow\n{STEPS}")
    assert answer_of(toy, steps.double) == ("ran", "14")
    assert answer_of(toy, steps.double) == ("cached", "14")
    had = importlib.metadata.version("pyarrow")
    distribution = type(importlib.metadata.distribution("pyarrow"))  # a backport may find it
    newer = property(lambda self: "99.1" if self.name == "pyarrow" else self.metadata["Version"])
    monkeypatch.setattr(distribution, "version", newer)
    source_code.forget()
    assert answer_of(toy, steps.double) == ("ran", "14")
    assert toy.observer.reasons["times"] == [f"version of pyarrow changed from {had!r} to '99.1'"]


def test_a_file_that_an_option_of_own_code_names_runs_the_step_again(toy, own, tmp_path):
    words = tmp_path / "words.txt"
    setting = f"train.note={words}"
    words.write_text("one")
    assert toy.statuses(toy.run(setting))["train"] == "ran"
    assert toy.statuses(toy.run(setting))["train"] == "cached"
    words.write_text("two")
    assert toy.statuses(toy.run(setting))["train"] == "ran"
    assert toy.observer.reasons["train"] == [f"input file {words} changed"]
