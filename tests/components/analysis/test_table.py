"""What is chosen for a table's columns, from counts; then the pass from records."""

import numpy as np
import pytest
from etils.epath import Path

from millrace.components.analysis import table, table_survey
from millrace.components.analysis.table_survey import ColumnSurvey
from millrace.components.artifacts import Examples
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError, OptionError
from millrace.components.features.table_spec import (
    Buckets,
    Category,
    Cross,
    Number,
    RawColumn,
    TableOptions,
)
from millrace.components.files import columns
from millrace.components.files.tfrecord import write_records
from millrace.components.statistics.dataset import fold
from millrace.serving.example import encode


def survey(rows, quantiles=4):
    return table_survey.of(
        fold(columns.batches([encode(row) for row in rows], "here"), "here"), quantiles
    )


def choose(rows, noted="", **options):
    parts = options.get("bucket_count", 4)
    return table.choose(survey(rows, parts), TableOptions(**options), noted)


HOURS = [
    {
        "hour": hour,
        "sky": ["sun", "rain"][hour % 2],
        "rides": float(10 * hour),
        **({"wind": np.float32(hour)} if hour % 4 else {}),
    }
    for hour in range(24)
]


def test_numbers_are_scaled_by_the_train_split_and_flagged_where_cells_are_missing():
    spec = choose(HOURS, label="rides")
    winds = np.array([hour for hour in range(24) if hour % 4], np.float64)
    assert spec.numbers == (
        Number("hour", 11.5, float(np.arange(24).std()), 11.5),
        Number(
            "wind",
            winds.mean(),
            pytest.approx(winds.std(), rel=1e-12),
            winds.mean(),
            indicator=True,
        ),
    )
    assert spec.raw == (
        RawColumn("hour", "int64"),
        RawColumn("sky", "bytes"),
        RawColumn("wind", "float32"),
    )
    assert (spec.problem, spec.target_mean, spec.classes) == ("regression", 115.0, ())
    assert spec.target_deviation == pytest.approx(10 * np.arange(24).std())
    assert choose(HOURS, label="rides", scaling="none").target_deviation == 0
    assert choose(HOURS, label="sky").target_deviation == 0
    assert spec.layout.inputs[0].shape == (3,)


def test_min_max_and_no_scaling():
    low = choose(HOURS, label="rides", scaling="min_max", missing_indicators=False)
    assert [(each.center, each.scale) for each in low.numbers] == [(0.0, 23.0), (1.0, 22.0)]
    assert not any(each.indicator for each in low.numbers)
    none = choose(HOURS, label="rides", scaling="none")
    assert [(each.center, each.scale) for each in none.numbers] == [(0.0, 1.0), (0.0, 1.0)]


def test_texts_and_named_numbers_are_categories_with_known_values():
    spec = choose(HOURS, label="rides", categorical=("hour",), vocabulary_size=3)
    assert spec.discrete == (Category("hour", ("0", "1", "10")), Category("sky", ("rain", "sun")))
    assert [each.name for each in spec.numbers] == ["wind"]
    assert (spec.sizes, spec.offsets) == ((5, 4), (0, 5))
    rare = choose(
        [*HOURS, {"sky": "hail", "hour": 0, "rides": 0.0}], label="rides", minimum_count=2
    )
    assert rare.discrete == (Category("sky", ("rain", "sun")),)


def test_buckets_lie_at_quantiles_and_crosses_name_categories():
    spec = choose(
        HOURS, label="rides", buckets=("hour",), bucket_count=4, crosses=("sky:hour",), cross_size=7
    )
    assert spec.discrete == (Category("sky", ("rain", "sun")), Buckets("hour", (5.0, 11.0, 17.0)))
    assert spec.crosses == (Cross(("sky", "hour"), 7),)
    assert spec.sizes == (4, 6, 7)
    assert [each.name for each in spec.numbers] == ["hour", "wind"]


@pytest.mark.parametrize(("noted", "label"), [("b", "b"), ("", "target"), ("other", "target")])
def test_the_label_is_that_of_the_ingest_else_chosen(noted, label):
    rows = [dict.fromkeys(("target", "b", "z"), float(number) / 3) for number in range(30)]
    assert choose(rows, noted).label == label


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (["a", "b"] * 5, "classification"),
        ([0, 1, 2] * 5, "classification"),
        ([0.0, 1.0] * 5, "classification"),
        ([0.5, 1.0] * 5, "regression"),
        ([0, 1, 2] * 4, "regression"),
        (list(range(21)) * 5, "regression"),
        ([-3.0, -1.0, 1.0, 3.0, 5.0, 7.0], "regression"),
    ],
)
def test_few_whole_numbers_and_texts_are_classes(values, problem):
    rows = [{"x": float(place), "y": value} for place, value in enumerate(values)]
    assert choose(rows).problem == problem


def test_classes_of_numbers_are_in_the_order_of_the_numbers():
    rows = [{"x": float(n), "y": [10, 9, -1][n % 3]} for n in range(30)]
    assert choose(rows).classes == ("-1", "9", "10")
    rows = [{"x": float(n), "y": np.float32([1, 0][n % 2])} for n in range(30)]
    assert choose(rows).classes == ("0.0", "1.0")


def test_columns_without_information_are_left_out():
    rows = [
        {"x": float(n), "one": 1, "name": f"row {n}", "v": [1.0, 2.0], "y": float(n) / 7}
        for n in range(40)
    ]
    assert [raw.name for raw in choose(rows).raw] == ["x"]
    assert [raw.name for raw in choose(rows, categorical=("one",)).raw] == ["one", "x"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"label": "z"},
            OptionError,
            r"^analyze\.features\.label: expected columns of the table: ",
        ),
        (
            {"buckets": ("sky",)},
            OptionError,
            r"buckets: expected columns of numbers\. Received: sky",
        ),
        (
            {"crosses": ("sky:hour",)},
            OptionError,
            r"crosses: expected categorical columns or buckets, .* of sky\. Received: 'sky:hour'",
        ),
        (
            {"label": "sky", "problem": "regression"},
            OptionError,
            r"problem: expected classification of the text 'sky'\. Received: regression\.",
        ),
        (
            {"exclude": ("hour", "sky", "wind", "half")},
            DataError,
            r"^Table: expected columns beside the label 'rides' .* Received: none, half \(excl",
        ),
        (
            {"categorical": ("half",)},
            OptionError,
            r"categorical: expected columns of text, or of whole numbers .* Received: 'half'",
        ),
    ],
)
def test_options_that_do_not_fit_the_table_are_refused(options, error, message):
    rows = [{**row, "half": row["rides"] + 0.5} for row in HOURS]
    with pytest.raises(error, match=message):
        choose(rows, **{"label": "rides", **options})


def test_one_class_alone_is_refused():
    rows = [{"x": float(n), "y": "same"} for n in range(9)]
    with pytest.raises(
        DataError,
        match=r"^Label 'y': expected two or more classes in the train split\. Received: 'same'\. ",
    ):
        choose(rows)


def test_a_survey_survives_json():
    found = survey(HOURS)
    assert table_survey.from_json(table_survey.to_json(found)) == found
    assert found.columns["sky"] == ColumnSurvey("bytes", 24, 1, 2, {"rain": 12, "sun": 12})


def test_a_pass_over_shards_finds_what_the_records_together_say(tmp_path):
    records = [encode(row) for row in HOURS]
    specs = []
    for shards in (1, 3):
        examples = Examples(Path(tmp_path) / str(shards))
        examples.split_path("train").mkdir(parents=True)
        for shard in range(shards):
            write_records(examples.shard("train", shard, shards), records[shard::shards])
        examples.write_summary({"train": 24}, notes={"label": "rides"})
        specs.append(table.settle(examples, TableOptions(), examples.path, BeamOptions()))
    assert specs[0] == specs[1] == choose(HOURS, "rides")


def test_classes_of_under_ten_rows_are_named_with_what_to_do(tmp_path, caplog):
    examples = Examples(tmp_path / "examples")
    examples.split_path("train").mkdir(parents=True)
    kinds = ["common"] * 30 + ["scarce"] * 9 + ["enough"] * 10
    rows = [{"x": float(n), "kind": kind} for n, kind in enumerate(kinds)]
    write_records(examples.shard("train", 0, 1), map(encode, rows))
    examples.write_summary({"train": len(rows)}, (), {"label": "kind"})
    table.settle(examples, TableOptions(), examples.path, BeamOptions())
    assert "classes with under 10 rows in train, which are hardly learnt: 'scarce' (9); " in (
        caplog.text
    )
    assert "trainer.class_weight=balanced" in caplog.text


@pytest.fixture
def houses(tmp_path):
    """Records of houses whose price follows from a ratio."""
    examples = Examples(tmp_path / "examples")
    examples.split_path("train").mkdir(parents=True)
    rows = [
        {"id": n, "area": float(10 * n), "rooms": 1 + n % 3, "town": ["Oslo", "ROME"][n % 2],
         "price": float(n)}
        for n in range(1, 41)
    ]  # fmt: skip
    write_records(examples.shard("train", 0, 1), map(encode, rows))
    return examples.write_summary({"train": 40}, (), {"label": "price"})


def settled(houses, tmp_path, function, **options):
    out = tmp_path / function
    out.mkdir()
    chosen = TableOptions(preprocess=f"tests.components.features.own_hooks:{function}", **options)
    return table.settle(houses, chosen, Path(out), BeamOptions())


def test_options_are_of_the_columns_that_a_persons_own_function_makes(houses, tmp_path):
    spec = settled(houses, tmp_path, "roomy", exclude=("id",), buckets=("per_room",))
    assert spec.raw == (
        RawColumn("area", "float32"),
        RawColumn("rooms", "int64"),
        RawColumn("town", "bytes"),
    )
    assert (spec.target, spec.hook.function) == (
        "price",
        "tests.components.features.own_hooks:roomy",
    )
    assert [number.name for number in spec.numbers] == ["per_room"]
    assert spec.discrete[0] == Category("town", ("oslo", "rome"))
    assert spec.discrete[1].name == "per_room"
    ratios = [10 * n / (1 + n % 3) for n in range(1, 41)]
    assert spec.numbers[0].center == pytest.approx(np.mean(ratios), rel=1e-6)


def test_a_function_may_not_make_the_label(houses, tmp_path):
    with pytest.raises(
        OptionError, match=r"own_hooks:relabelled to leave the label 'price' to the"
    ):
        settled(houses, tmp_path, "relabelled")


def test_columns_that_a_function_is_not_given_must_be_there(houses, tmp_path):
    with pytest.raises(
        OptionError, match=r"analyze\.features\.exclude: expected columns of the ta"
    ):
        settled(houses, tmp_path, "roomy", exclude=("ident",))


def test_a_column_of_names_is_left_out_with_the_setting_that_takes_it(caplog):
    rows = [{**row, "remark": f"no {row['hour']}"} for row in HOURS]
    with caplog.at_level("INFO"):
        choose(rows, label="rides")
    assert (
        "left out: remark (names or identifiers, 24 distinct texts in 24 rows); "
        "analyze.features.include takes a column all the same"
    ) in caplog.messages


def test_values_beyond_the_vocabulary_are_reported(caplog):
    rows = [{**row, "code": f"no {row['hour'] // 2}"} for row in HOURS]
    with caplog.at_level("INFO"):
        choose(rows, label="rides", vocabulary_size=5)
    assert (
        "column 'code': the 5 most frequent of 12 values are kept; "
        "analyze.features.vocabulary_size allows more"
    ) in caplog.messages
    caplog.clear()
    with caplog.at_level("INFO"):
        choose(rows, label="rides", vocabulary_size=12)
    assert "most frequent" not in caplog.text


@pytest.mark.parametrize("label", ["rides", "wind"])
def test_a_number_that_stands_for_a_missing_one_is_named_with_the_option(caplog, label):
    rows = [
        {"rides": float(10 * hour), "wind": -999.9 if hour in (3, 9) else hour / 8}
        for hour in range(40)
    ]
    choose(rows, label=label)
    assert caplog.messages[-1] == (
        "column 'wind': -999.9 stands in 2 rows, all others between 0 and 4.875. If it means that "
        "there is no value: `--set csv_example_gen.csv.missing=-999.9`"
    )
