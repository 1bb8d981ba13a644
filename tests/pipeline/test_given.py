"""What a person gives is refused in words, or found."""

import os
import pathlib

import pytest
from etils.epath import Path

from millrace.pipeline import given
from millrace.pipeline.dag import Dag, Source
from millrace.pipeline.errors import UsageError, WiringError
from millrace.pipeline.root import Root
from tests.pipeline import toys


def test_a_remote_root_that_nothing_here_can_open_is_refused_and_nothing_is_made(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for root in ("nope://bucket/x", Path("gs://bucket/x"), pathlib.Path("https://bucket/x")):
        with pytest.raises(
            UsageError, match=r"^Root: expected a path or an object store\. Received"
        ):
            Root(root)
    assert list(tmp_path.iterdir()) == []


def test_a_root_in_a_folder_whose_name_is_no_utf8_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / "caf\udce9"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with pytest.raises(UsageError, match=r"Received: '.*/caf\\xe9/\.millrace', which is not UTF-8"):
        Root(".millrace")


def test_an_input_that_nothing_here_can_open_is_refused_when_it_is_set(toy):
    with pytest.raises(
        UsageError, match=r"^--set read\.source: expected a path or an object store"
    ):
        toy.dag("read.source=gs://bucket/x")


def test_a_source_of_ones_own_wiring_where_nothing_is_is_refused_before_the_first_step(toy):
    toy.data = "memory://x"
    with pytest.raises(
        UsageError, match=r"^memory://x: expected a file or a folder\. Received: noth"
    ):
        toy.run()
    assert toys.CALLS == []


@pytest.mark.parametrize("text", [None, "", "tfds:mnist", "nowhere", "sales-{SPAN}.csv", "."])
def test_data_may_be_anything_that_a_recipe_has_a_use_for(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert given.data(text) == text


def test_data_that_would_never_end_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(
        UsageError,
        match=r"pipe\.csv: expected a file or a folder\. Received: a pipe, not a file\. Copy what",
    ):
        given.data(str(tmp_path / "pipe.csv"))
    with pytest.raises(UsageError, match=r"^/dev/zero: .* Received: a device, not a file\."):
        given.data("/dev/zero")


def test_data_without_permission_says_so(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_text("")
    monkeypatch.setattr("millrace.pipeline.given.os.access", lambda *_: False)
    with pytest.raises(UsageError, match=r"a folder that cannot be read\. Correct its permissions"):
        given.data(str(tmp_path))
    with pytest.raises(UsageError, match=r"cannot be read: Permission denied\. Correct its perm"):
        given.data(str(tmp_path / "a.csv"))


def test_what_is_not_there_and_a_link_to_it_are_told_apart(tmp_path):
    (tmp_path / "a").symlink_to("b")
    with pytest.raises(UsageError, match=r"Received: a link to nothing\. Correct the link\."):
        given.source(str(tmp_path / "a"), "--data")
    with pytest.raises(UsageError, match=r"Received: nothing there\. Check its spelling\."):
        given.source(str(tmp_path / "b"), "--data")


def test_a_loop_of_links_leads_nowhere(tmp_path):
    (tmp_path / "a").symlink_to("a")
    with pytest.raises(UsageError, match=r"Received: .*(loop|a link that leads back to itself)"):
        given.source(str(tmp_path / "a"), "--data")


def test_a_name_that_is_a_path_is_no_models():
    with pytest.raises(UsageError, match=r"^--name: expected 1 to 128 letters"):
        given.model_name("../evil", "--name")
    assert given.model_name("mine-2", "--name") == "mine-2"


def test_a_step_whose_name_is_a_path_is_not_wired():
    with pytest.raises(WiringError, match=r"^Step '\.\./evil': expected letters, digits"):
        Dag("toy").step(toys.read, step_name="../evil", source=Source("x"))


def test_an_option_set_key_by_key_is_checked_as_a_whole_before_the_first_step(toy):
    toy.dag("read.upper=true").check_complete()
    dag = toy.dag()
    dag.steps["read"].options["upper"] = "perhaps"
    with pytest.raises(UsageError, match=r"^Option read\.upper: expected bool"):
        dag.check_complete()
