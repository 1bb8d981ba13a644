"""Keys change with what changes the answer and with nothing else."""

import os
import sys

import pytest
from etils.epath import Path
from hypothesis import given
from hypothesis import strategies as st

from components import source_code
from components.errors import DataError
from pipeline.fingerprint import (
    Ingredients,
    content_digest,
    file_digest,
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


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda file: file.unlink(), "it is gone"),
        (lambda file: file.write_text("other"), "it changed"),
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
    assert Ingredients(options, {}, {}, {}).key == Ingredients(shuffled, {}, {}, {}).key


def test_each_ingredient_changes_the_key():
    keys = {
        Ingredients({}, {}, {}, {}).key,
        Ingredients({"a": 1}, {}, {}, {}).key,
        Ingredients({}, {"a": "1"}, {}, {}).key,
        Ingredients({}, {}, {"a": "1"}, {}).key,
        Ingredients({}, {}, {}, {"a": "1"}).key,
    }
    assert len(keys) == 5


def test_the_ingredients_of_a_step_name_its_libraries_and_modules(toy):
    parts = ingredients(toy.dag().find("train"), {"examples": "d"})
    assert set(parts.versions) == {"tensorflow", "keras", "apache-beam"}
    assert "components.artifacts" in parts.code
    assert "pipeline.runner" not in parts.code
    assert parts.options["model"] == {"kind": "small", "width": 1}


def test_modules_are_named_anywhere_in_the_options():
    options = {
        "model": {"kind": "custom", "function": "mine.model:build", "settings": {"units": 3}},
        "dataset": "tfds:3",
        "columns": ["a.b:clean", 7, None, "a:b:c", "plain"],
    }
    assert list(named_modules(options)) == ["mine.model", "a.b"]


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
        step.signature.options["note"] = (str, "")
        keys.add(ingredients(step, {}).key)
    assert len(keys | {before}) == 3


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Writes the user's module `own_code` and forgets what was read of it."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def write(source):
        (tmp_path / "own_code.py").write_text(source)
        source_code.forget()

    yield write
    source_code.forget()
    sys.modules.pop("own_code", None)


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
