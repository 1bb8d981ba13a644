"""Text from the command line becomes typed values, and typed values plain JSON."""

import json
import re
from typing import Annotated, Literal

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.models.custom_options import Custom
from millrace.components.models.layer_options import Dense, Initializer
from millrace.components.models.options import AnyModel
from millrace.components.models.series_options import ConvRnn
from millrace.components.options.pieces import Piece
from millrace.components.training.objective import Loss
from millrace.components.training.options import Optimizer
from millrace.components.training.schedule_options import (
    Constant,
    Own,
    ReduceOnPlateau,
    Schedule,
)
from millrace.pipeline import options
from millrace.pipeline.errors import UsageError
from tests.pipeline.toys import Large, Small

MODEL = Small | Large


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (int, "3", 3),
        (float, "1e-3", 0.001),
        (bool, "true", True),
        (str, "28", "28"),
        (str | None, "none", None),
        (int | None, "5", 5),
        (tuple[int, ...], "64,64", (64, 64)),
        (tuple[int, ...], "[64, 64]", (64, 64)),
        (tuple[int, ...], "64", (64,)),
        (tuple[int, int] | None, "150,200", (150, 200)),
        (tuple[str, ...], "a,b", ("a", "b")),
        (dict[str, float], '{"accuracy": 0.9}', {"accuracy": 0.9}),
        (dict[str, float], "train=0.8, test=0.2", {"train": 0.8, "test": 0.2}),
        (dict[str, str], "eval=May 1, 2020,test=2021", {"eval": "May 1, 2020", "test": "2021"}),
        (Literal["adam", "sgd"], "sgd", "sgd"),
    ],
)
def test_text_is_read_as_its_annotation_says(annotation, text, value):
    assert options.assign(annotation, None, [], text, "step.option") == value


def test_a_mapping_is_set_key_by_key_and_keeps_the_others():
    old = {"accuracy": 0.9}
    new = options.assign(dict[str, float], old, ["loss"], "0.5", "p")
    assert new == {"accuracy": 0.9, "loss": 0.5}
    assert old == {"accuracy": 0.9}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2020-05-01", r"expected str by name\..*`--set p=NAME=…,NAME=…`"),
        ("eval=1,eval=2", r"expected each name once\. Received: 'eval=1,eval=2'\. Leave one out"),
    ],
)
def test_a_mapping_that_names_nothing_or_one_twice_is_refused(text, said):
    with pytest.raises(UsageError, match=rf"^Option p: {said}"):
        options.assign(dict[str, str], {}, [], text, "p")


def test_a_key_of_a_mapping_to_plain_values_may_hold_dots():
    new = options.assign(dict[str, str], {}, ["model", "units"], "choice 64|128", "tuner.search")
    assert new == {"model.units": "choice 64|128"}


def test_options_are_shown_with_a_class_own_before_those_it_shares():
    shown = [row.option for row in options.rows("m", ConvRnn, ConvRnn())]
    assert shown == [
        *("m", "m.filters", "m.kernel_size", "m.strides", "m.units", "m.dense"),
        *("m.cell", "m.bidirectional"),
        *("m.activation", "m.dropout", "m.batch_normalization", "m.batch_momentum"),
        *("m.l1", "m.l2", "m.kernel_initializer"),
    ]


def test_a_union_is_chosen_by_kind_and_keeps_its_fields_when_the_kind_stays():
    assert options.assign(MODEL, Small(width=4), [], "small", "p") == Small(width=4)
    assert options.assign(MODEL, Small(width=4), [], "large", "p") == Large()
    assert options.assign(MODEL, Small(), ["kind"], "large", "p") == Large()


def test_one_dataclass_of_several_kinds_keeps_its_fields_when_the_kind_changes():
    adam = Optimizer(clipnorm=1.0)
    sgd = options.assign(Optimizer, adam, [], "sgd", "p")
    assert sgd == Optimizer("sgd", clipnorm=1.0)
    assert options.assign(Optimizer, sgd, ["momentum"], "0.9", "p").momentum == 0.9
    assert options.describe(Optimizer) == "adagrad or adam or adamw or nadam or rmsprop or sgd"
    assert next(options.rows("p", Optimizer, sgd))[:3] == ("p", options.describe(Optimizer), "sgd")
    with pytest.raises(UsageError, match=r"^Option p: expected adagrad or adam or"):
        options.assign(Optimizer, adam, [], "lion", "p")


def test_a_whole_whose_fields_do_not_fit_one_another_is_refused():
    half_way = options.assign(Optimizer, Optimizer(), ["momentum"], "0.9", "p")
    assert options.check(Optimizer, options.assign(Optimizer, half_way, [], "sgd", "p"), "p")
    with pytest.raises(UsageError, match=r"^trainer\.optimizer\.momentum: expected 0 with adam"):
        options.check(Optimizer, half_way, "p")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("clipnorm", "optimizer.clipnorm"),
        ("label_smoothing", "loss.label_smoothing"),
        ("widths", "model.widths"),
        ("large", "model=large"),
        ("los", "loss"),
    ],
)
def test_an_option_is_found_where_it_is_nested(word, said):
    known = {"model": MODEL, "loss": Loss, "optimizer": Optimizer, "epochs": int}
    assert options.nearest_option(word, known) == f"Did you mean `{said}`?"


def test_a_constraint_on_a_field_is_checked():
    with pytest.raises(
        UsageError, match=r"p: expected float from 0. Received: '-1'.*greater than or"
    ):
        options.assign(MODEL, Large(), ["rate"], "-1", "p")


def test_of_a_tuple_the_wrong_item_is_named():
    with pytest.raises(UsageError, match=r"\(1: Input should be greater than or equal to 1\)"):
        options.assign(tuple[Annotated[int, pydantic.Field(ge=1)], ...], (), [], "8,0", "p")


def test_a_wrong_default_is_named_by_its_place():
    with pytest.raises(UsageError, match=r"Option a\.b: expected int"):
        options.check(int, "x", "a.b")


@given(st.lists(st.integers(-(2**31), 2**31), min_size=1))
def test_a_dumped_tuple_reads_back_as_itself(numbers):
    annotation = tuple[int, ...]
    text = json.dumps(options.dump(annotation, tuple(numbers)))
    assert options.assign(annotation, (), [], text, "p") == tuple(numbers)


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (int | None, "int or none"),
        (tuple[int, int], "int,int"),
        (dict[str, float], "float by name"),
        (tuple[Annotated[int, pydantic.Field(ge=1)], ...], "int from 1,…"),
        (Annotated[float, pydantic.Field(gt=0, lt=1)] | None, "float above 0 below 1 or none"),
        (Annotated[int, pydantic.Field(ge=0, le=2**31 - 1)], "int from 0"),
        (MODEL, "large or small"),
        (Literal["a", "b"], "a or b"),
    ],
)
def test_a_type_is_described_as_a_person_would_write_it(annotation, words):
    assert options.describe(annotation) == words


def test_what_can_be_set_is_listed_field_by_field():
    assert list(options.rows("train.model", MODEL, Large(rate=0.1), "the network.")) == [
        ("train.model", "large or small", "large", "the network."),
        ("train.model.widths", "int,…", (8, 8), ""),
        ("train.model.rate", "float from 0", 0.1, ""),
    ]
    assert list(options.rows("train.epochs", int, 3)) == [("train.epochs", "int", 3, "")]


def test_a_field_means_what_the_docstring_of_its_dataclass_says():
    found = {row.option: row.meaning for row in options.rows("p", Optimizer, Optimizer())}
    assert found["p.momentum"] == "of sgd and rmsprop."


def test_nearest_lists_everything_when_nothing_is_near():
    assert options.nearest("zzz", ["b", "a"]) == "There are: a, b."
    assert options.nearest("zzz", []) == "There are: none."


@pytest.mark.parametrize("text", ["inf", "nan", "-inf", "1e999"])
@pytest.mark.parametrize(
    ("annotation", "current", "keys"),
    [
        (float, 1.0, []),
        (float | None, None, []),
        (dict[str, float], {}, ["accuracy"]),
        (MODEL, Large(), ["rate"]),
        (Large, Large(), ["rate"]),
        (tuple[float, ...], (), []),
    ],
)
def test_no_number_is_infinite_or_nan(annotation, current, keys, text):
    with pytest.raises(UsageError, match=r"^Option p: expected .*Received: .*finite number"):
        options.assign(annotation, current, keys, text, "p")


def test_a_check_of_our_own_says_it_all_whichever_way_the_value_was_typed():
    def check(value):
        raise ValueError("expected less. Received: more. Give less.")

    annotation = Annotated[dict[str, int], pydantic.AfterValidator(check)]
    told = "Option p: expected less. Received: more. Give less. Correct it with `--set p=…`."
    with pytest.raises(UsageError, match=f"^{re.escape(told)}$"):
        options.assign(annotation, {}, [], '{"a": 1}', "p")


def test_a_byte_that_is_no_utf8_is_refused_in_words():
    with pytest.raises(UsageError, match=r"^Option p: expected UTF-8\. Received: 'caf\\xe9'\."):
        options.assign(str, "", [], "caf\udce9", "p")


@pytest.mark.parametrize(
    ("annotation", "current", "text", "value"),
    [
        (Optimizer, Optimizer(clipnorm=1.0), "Adam", Optimizer("adam", clipnorm=1.0)),
        (Optimizer, Optimizer(), "RMSprop", Optimizer("rmsprop")),
        (Optimizer, Optimizer(), "Lion(beta_1=0.5)", Optimizer("Lion(beta_1=0.5)")),
        (Loss, Loss(), "MeanSquaredError", Loss("mean_squared_error")),
        (Loss, Loss(), "mine.losses:focal(gamma=2)", Loss("mine.losses:focal(gamma=2)")),
        (Initializer, "", "HeNormal", "he_normal"),
        (Initializer, "", "mine:own(by=2)", "mine:own(by=2)"),
        (tuple[Piece, ...], (), "A(x=1,y=[2, 3]), m:b", ("A(x=1,y=[2, 3])", "m:b")),
        (AnyModel, Dense(), "mine:build(width=4)", Custom("mine:build", {"width": 4})),
        (Schedule, Constant(), "mine:slower(by=2)", Own("mine:slower(by=2)")),
        (Schedule, Constant(), "ReduceOnPlateau", ReduceOnPlateau()),
    ],
)
def test_a_piece_is_named_as_keras_names_it_or_by_its_module(annotation, current, text, value):
    assert options.assign(annotation, current, (), text, "trainer.piece") == value


@pytest.mark.parametrize(
    ("annotation", "current", "text", "said"),
    [
        (Optimizer, Optimizer(), "adan", "expected adagrad or"),
        (Loss, Loss(), "mine:focal(gamma=x)", "arguments that are plain values"),
        (AnyModel, Dense(), "mine:build(4)", "its arguments by name"),
        (tuple[Piece, ...], (), "accuracy", "the name of a class of Keras"),
    ],
)
def test_what_names_no_piece_is_refused(annotation, current, text, said):
    with pytest.raises(UsageError, match=said):
        options.assign(annotation, current, (), text, "trainer.piece")
