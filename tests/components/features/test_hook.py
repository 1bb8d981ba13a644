"""A user's function runs in the graph, or is refused with the reason."""

import dataclasses

import pytest
import tensorflow as tf

from millrace.components.errors import DataError, OptionError
from millrace.components.features import hook_spec
from millrace.components.features.hook import apply
from millrace.components.features.hook_spec import Hook

OWN = "tests.components.features.own_hooks"
TEXT = tf.TensorSpec([None], tf.string)
IMAGE = tf.TensorSpec([None, None, 1], tf.uint8)
COLUMNS = {"age": tf.TensorSpec([None], tf.float32), "city": TEXT}


def _hook(name):
    return hook_spec.settle(f"{OWN}:{name}")


def _refusal(name, value, wanted):
    with pytest.raises(OptionError) as caught:
        apply(_hook(name), value, wanted)
    return str(caught.value)


def test_without_a_hook_the_value_passes():
    assert hook_spec.settle("") is None
    assert apply(None, tf.constant(["A"]), TEXT).numpy().tolist() == [b"A"]


def test_text_is_changed():
    answer = apply(_hook("lower"), tf.constant(["One", "TWO"]), TEXT)
    assert answer.numpy().tolist() == [b"one", b"two"]


def test_a_picture_may_change_its_size_but_not_its_channels():
    picture = tf.constant([[[0], [10]], [[20], [255]]], tf.uint8)
    assert apply(_hook("inverted"), picture, IMAGE).numpy().ravel().tolist() == [255, 245, 235, 0]
    assert apply(_hook("halved"), picture, IMAGE).shape == (1, 1, 1)
    wanted = tf.TensorSpec([None, None, 3], tf.uint8)
    assert _refusal("inverted", picture, wanted) == (
        f"analyze.features.preprocess: expected {OWN}:inverted to return uint8 […, …, 3]. "
        "Received: uint8 [2, 2, 1]. Return what it is given, in the same form."
    )


def test_columns_keep_their_names():
    columns = {"age": tf.constant([1.5]), "city": tf.constant(["Rome"])}
    changed = apply(_hook("doubled"), columns, COLUMNS)
    assert changed["age"].numpy().tolist() == [3.0]
    assert "Received: age: float32 [1]." in _refusal("one_column", columns, COLUMNS)


def test_the_function_stands_in_the_graph_of_its_caller():
    @tf.function(input_signature=[TEXT])
    def serve(text):
        return apply(_hook("lower"), text, TEXT)

    assert serve(tf.constant(["ABC"])).numpy().tolist() == [b"abc"]
    body = serve.get_concrete_function().graph.as_graph_def().library.function
    assert any(node.op == "StringLower" for one in body for node in one.node_def)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("counted", "to return string […]. Received: int32 [1]."),
        ("nothing", "to return string […]. Received: a NoneType."),
        ("by_numpy", "fails with AttributeError:"),
        ("by_python", "with EagerPyFunc, which call back into Python."),
    ],
)
def test_what_cannot_be_served_is_refused(name, reason):
    assert reason in _refusal(name, tf.constant(["a"]), TEXT)


def test_a_function_that_is_not_there_is_refused_by_analyze():
    with pytest.raises(OptionError, match="Did you mean `lower`"):
        _hook("lowr")


def test_code_that_changed_since_the_analysis_is_refused():
    stale = dataclasses.replace(_hook("lower"), code="0" * 64)
    with pytest.raises(DataError, match=f"{OWN}:lower: expected the code that the analysis"):
        apply(stale, tf.constant(["a"]), TEXT)


def test_the_digest_is_of_the_code_that_the_function_reaches():
    assert _hook("lower") == Hook(f"{OWN}:lower", hook_spec.digest(f"{OWN}:lower"))
    assert len(_hook("lower").code) == 64


def test_a_process_that_cannot_import_the_function_says_so_and_what_gives_it_the_code():
    hook = Hook("nowhere_to_be_found.pre:lower", "0" * 64)
    with pytest.raises(OptionError) as caught:
        apply(hook, tf.constant(["A"]), TEXT)
    assert str(caught.value) == (
        "analyze.features.preprocess: expected a module that Python can find. Received: "
        "nowhere_to_be_found.pre, and there is no nowhere_to_be_found. Run millrace in the folder "
        "that holds it, or put that folder on PYTHONPATH. Beam's workers need it too: ship it to "
        "remote ones with `-- --setup_file=./setup.py` or `-- --extra_package=FILE.tar.gz`, or put "
        "its folder on the PYTHONPATH of each."
    )
