"""Versions are labelled and withdrawn, for people and for programs."""

import json

import pytest
from google.protobuf import text_format

from millrace.serving.protos import model_server_config_pb2


@pytest.fixture
def serving(toy):
    for version in (1, 2, 3):
        (toy.root.serving / "toy" / str(version)).mkdir(parents=True)
    return toy.root.serving


def _config(serving):
    text = (serving / "models.config").read_text()
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    (one,) = config.model_config_list.config
    return one


def test_labels_are_given_shown_moved_and_taken_away(toy, serving, millrace):
    at = ("--root", toy.root.path)
    assert millrace("label toy stable=2 canary=latest", *at) == (
        0,
        "3  the newest  canary\n2  stable\n1\n",
        "",
    )
    _, out, _ = millrace("label toy stable=1 --remove canary --json", *at)
    assert json.loads(out) == {"model": "toy", "versions": [3, 2, 1], "labels": {"stable": 1}}
    (serving / "toy" / "1").rmdir()
    shown = millrace("label toy", *at)[1]
    assert shown.splitlines()[-1] == "1  stable  not there: nothing answers to this label"


def test_tensorflow_serving_is_told_of_labels_and_serves_all_that_they_may_name(
    toy, serving, millrace
):
    millrace("label toy stable=2 canary=latest --root", toy.root.path)
    one = _config(serving)
    assert dict(one.version_labels) == {"stable": 2, "canary": 3}
    assert one.model_version_policy.WhichOneof("policy_choice") == "all"
    assert (one.name, one.base_path) == ("toy", str(serving / "toy"))


def test_a_rollback_names_the_labels_that_nothing_answers_to_any_more(toy, serving, millrace):
    at = ("--root", toy.root.path)
    millrace("label toy new=3 old=1", *at)
    code, out, err = millrace("rollback toy --json", *at)
    assert code == 0
    assert json.loads(out) == {
        "model": "toy",
        "withdrawn": 3,
        "serving": 2,
        "unserved_labels": ["new"],
    }
    assert err == (
        "toy: the label new names version 3, which is withdrawn: nothing answers to it. Give it to "
        "another: `millrace label toy new=2`.\n"
    )
    assert dict(_config(serving).version_labels) == {"old": 1}  # it would refuse the whole file


@pytest.mark.parametrize("given", ["stable", "stable=", "stable=-1", "stable=new"])
def test_what_names_no_version_is_refused(toy, serving, millrace, given):
    code, _, err = millrace(f"label toy {given} --root", toy.root.path)
    assert code == 2
    assert err.startswith("millrace: Label: expected LABEL=VERSION, such as stable=3. Received: ")


def test_a_version_that_is_not_there_gets_no_label(toy, serving, millrace):
    code, _, err = millrace("label toy stable=9 --root", toy.root.path)
    assert (code, "expected a version that is there: 3, 2, 1. Received: 9" in err) == (2, True)
    assert not (serving / "models.config").exists()


def test_a_model_that_is_not_pushed_has_no_labels(toy, serving, millrace):
    code, _, err = millrace("label tony stable=1 --root", toy.root.path)
    assert (code, "Did you mean `toy`?" in err) == (2, True)
