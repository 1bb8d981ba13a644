"""Signatures become steps; wrong wiring and wrong options are named."""

import re

import pydantic
import pytest
from etils.epath import Path

from millrace.components.artifacts import Examples, RawFiles
from millrace.components.example_gen.image import image_example_gen
from millrace.pipeline.dag import Dag, OptionsOf, Previous, Source
from millrace.pipeline.errors import UsageError, WiringError
from tests.pipeline import toys


def test_the_options_of_another_step_follow_what_that_is_set_to(toy):
    dag = Dag("lent")
    dag.step(lends, base=OptionsOf("train"))
    examples = dag.step(toys.read, source=Source("data"))
    dag.step(toys.train, examples=examples)
    dag.configure(["train.epochs=3"])
    assert dag.find("lends").options["base"]["epochs"] == 3
    dag.configure(["train.model=large"])
    assert dag.find("lends").options["base"] == dag.find("train").dumped_options()
    assert dag.find("lends").options["base"]["model"]["widths"] == [8, 8]
    with pytest.raises(
        UsageError, match=r"expected `train\.…`, from which step lends takes it\. .* lends\.base\."
    ):
        dag.configure(["lends.base=1"])


def lends(out: Path, *, base: dict[str, pydantic.JsonValue] = {}) -> Examples:  # noqa: B006
    return Examples(out)


def test_a_component_that_is_not_annotated_is_wired_wrongly():
    with pytest.raises(WiringError, match=r"missing type hint for `source`. Add one"):
        Dag("d").step(untyped)


def untyped(source, out: Path) -> Examples: ...


def test_an_input_of_another_type_is_refused():
    dag = Dag("d")
    with pytest.raises(
        WiringError, match=r"input `examples` expected Examples\. Received: RawFiles"
    ):
        dag.step(toys.count, examples=Source("x"))


def test_an_input_that_may_be_left_out_is_checked_where_it_is_given():
    dag = Dag("d")
    model = dag.step(toys.rest, examples=dag.step(toys.read, source=Source("x")))
    dag.step(toys.judge, model=model, baseline=None)
    with pytest.raises(WiringError, match=r"input `baseline` expected Model\. Received: RawFiles"):
        dag.step(toys.judge, step_name="again", model=model, baseline=Source("x"))


def test_a_missing_input_is_refused():
    with pytest.raises(WiringError, match="input `examples` expected Examples"):
        Dag("d").step(toys.count)


def test_an_unknown_binding_offers_the_nearest():
    with pytest.raises(WiringError, match=r"no parameter `sorce`. Did you mean `source`\?"):
        Dag("d").step(toys.read, sorce=Source("x"))


def test_a_step_name_is_used_once():
    dag = Dag("d")
    dag.step(toys.read, source=Source("x"))
    with pytest.raises(WiringError, match="added twice"):
        dag.step(toys.read, source=Source("x"))


def test_ancestors_and_descendants_follow_the_wires(toy):
    dag = toy.dag()
    assert dag.ancestors(dag.find("judge")) == {"judge", "train", "read"}
    assert dag.descendants(dag.find("count")) == {"count", "validate"}


def needy(source: RawFiles, out: Path, *, size: int) -> Examples: ...


def test_an_option_without_a_value_is_named_with_the_way_to_give_it():
    dag = Dag("d")
    dag.step(needy, source=Source("x"))
    with pytest.raises(UsageError, match=r"option `size` \(int\) has no default. .*needy.size=…"):
        dag.check_complete()
    dag.configure(["needy.size=3"])
    dag.check_complete()


@pytest.mark.parametrize(
    ("assignment", "text"),
    [
        ("train", "expected step.option=value. Received: 'train'"),
        ("train.epochs", "expected step.option=value"),
        (
            "epochs=1",
            "expected step.option=value. Received: 'epochs=1'. Did you mean `train.epochs=1`?",
        ),
        ("train.widht=1", "step train has no option `widht`. Did you mean `train.model.width`?"),
        ("judge.width=1", "step judge has no option `width`. Did you mean `train.model.width`?"),
        ("trian.epochs=1", "no step `trian`. Did you mean `train`?"),
        (
            "model.width=1",
            "pipeline toy has no step `model`. Did you mean `train.model.width`?",
        ),
        ("train.epoch=1", "step train has no option `epoch`. Did you mean `train.epochs`?"),
        ("train.epochs=many", "Option train.epochs: expected int. Received: 'many'"),
        ("train.fail=maybe", "expected no or data or option or bug or kill. Received: 'maybe'"),
        ("train.model=huge", "expected large or small. Received: 'huge'"),
        ("train.model.width=x", "Option train.model.width: expected int. Received: 'x'"),
        ("train.model.widths=1", "unknown field `widths`"),
        ("train.epochs.x=1", "expected no `.x`; the option is int"),
    ],
)
def test_a_wrong_assignment_says_what_was_expected(toy, assignment, text):
    with pytest.raises(UsageError, match=re.escape(text)):
        toy.dag(assignment)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("manifest.delimiter=;", "csv.delimiter"),
        ("manifest.encoding=utf-8", "csv.encoding"),
        ("csv.label_column=x", "manifest.label_column"),
        ("manifest.pattern={class}.jpg", "pattern"),
        ("manifest.fil=x.csv", "file"),
    ],
)
def test_a_field_of_another_option_is_offered_and_can_be_set(wrong, right):
    dag = Dag("d")
    dag.step(image_example_gen, source=Source("x"))
    key, _, value = wrong.partition("=")
    with pytest.raises(UsageError) as caught:
        dag.configure({f"image_example_gen.{key}": value})
    assert str(caught.value) == (
        f"--set image_example_gen.{key}: unknown field `{key.partition('.')[2]}`. "
        f"Did you mean `{right}`?"
    )
    right = right if right != "file" else "manifest.file"
    dag.configure({f"image_example_gen.{right}": value})


def test_values_of_python_are_set_as_text_is(toy):
    dag = toy.dag()
    dag.configure({"train.epochs": 7, "train.limit": None, "train.model": "large"})
    dag.configure({"train.model.widths": [1, 2], "train.weights.a": 1, "train.fail": "data"})
    options = dag.find("train").options
    assert (options["epochs"], options["limit"], options["fail"]) == (7, None, "data")
    assert (options["model"], options["weights"]) == (toys.Large(widths=(1, 2)), {"a": 1.0})
    with pytest.raises(UsageError, match=r"Option train\.epochs: expected int\. Received: 1\.5"):
        dag.configure({"train.epochs": 1.5})
    with pytest.raises(UsageError, match=r"--set train: expected step\.option\."):
        dag.configure({"train": 1})


def test_assignments_are_converted_by_their_annotations(toy):
    step = toy.dag(
        "train.epochs=7", "train.limit=none", "train.model=large", "train.model.widths=1,2"
    ).find("train")
    assert step.options["epochs"] == 7
    assert step.options["limit"] is None
    assert step.options["model"] == toys.Large(widths=(1, 2))


def test_an_input_can_be_given_an_artifact_of_an_earlier_run(toy):
    model = toy.run("train.epochs=3").artifacts["train"]
    judged = toy.run(f"judge.baseline={model.path}", "train.epochs=4").artifacts["judge"]
    assert (judged.path / "baseline").read_text().startswith("abc 3 ")


def test_previous_is_not_an_input_of_the_signature_but_a_way_to_bind_one(toy):
    assert isinstance(toy.dag().find("judge").inputs["baseline"], Previous)
