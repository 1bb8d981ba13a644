"""Small inputs of `../shared/cases` whose values float32 cannot tell apart."""

import json
import logging

import numpy as np
import pytest
from etils.epath import Path

from millrace.components.analyze import analyze
from millrace.components.artifacts import RawFiles, TrainedModel
from millrace.components.beam.options import BeamOptions
from millrace.components.errors import DataError
from millrace.components.evaluator import evaluator
from millrace.components.example_gen.series import series_example_gen
from millrace.components.example_gen.tables import csv_example_gen
from millrace.components.example_gen.unlabelled import unlabelled_example_gen
from millrace.components.export import export
from millrace.components.features import spec as specs
from millrace.components.features.series_spec import SeriesOptions
from millrace.components.features.table_spec import TableOptions
from millrace.components.inference import predictions, requests
from millrace.components.models.build import load
from millrace.components.models.series import build
from millrace.components.models.series_options import Naive
from millrace.components.models.table_options import WideDeep
from millrace.components.statistics.reading import read
from millrace.components.statistics_gen import statistics_gen
from millrace.components.trainer import trainer
from millrace.components.transform import transform
from millrace.serving.model import LoadedModel
from tests.components.example_gen.conftest import records_of

ON_BEAM = BeamOptions()
ONE_AHEAD = SeriesOptions()


@pytest.fixture
def learnt(case, folder, tmp_path):
    """Ingest and analysis of a case, or of the text of a file, or of both in one folder."""

    def run(source, features=ONE_AHEAD, **options):
        if source.endswith(".csv"):
            file = case(source)
        else:
            file = tmp_path / "data.csv"
            file.write_text(source)
        examples = series_example_gen(
            RawFiles(Path(file)), folder("examples"), run_on=ON_BEAM, **options
        )
        analysis = analyze(examples, folder("analysis"), run_on=ON_BEAM, features=features)
        return file, examples, analysis

    return run


def months(count, value):
    first = np.datetime64("2010-01")
    return "month,y\n" + "".join(f"{first + n}-01,{value(n)!r}\n" for n in range(count))


def test_a_turnover_of_billions_keeps_its_values_and_its_season(learnt, caplog):
    caplog.set_level(logging.INFO)
    _, examples, analysis = learnt("turnover.csv")
    (train,) = records_of(examples)["train"]
    assert len(set(train["turnover"].tolist())) == 12
    assert specs.read(analysis.file).season == 12
    assert specs.read(analysis.file).base == (6779547100.0,)
    assert "turnover: kept less 6779547100, since float32's numbers are 512 apart" in caplog.text


def test_statistics_are_of_the_values_as_the_file_has_them(learnt, folder):
    value = [6779547060.56, 6779547100.56, 6779546900.56]
    _, examples, _ = learnt(months(84, lambda n: value[n % 3]))
    found = statistics_gen(examples, folder("statistics"), run_on=ON_BEAM)
    described = read(found, "train").features
    (stats,) = (each.num_stats for each in described if each.path.step[0] == "y")
    figures = [stats.min, stats.median, stats.max, stats.histograms[0].buckets[0].low_value]
    expected = [6779546900.56, 6779547060.56, 6779547100.56, 6779546900.56]
    np.testing.assert_allclose(figures, expected, rtol=0, atol=0.01)


def test_a_meter_reading_of_150_million_keeps_its_season(learnt):
    _, examples, analysis = learnt("meter.csv")
    (train,) = records_of(examples)["train"]
    assert len(set(train["wh"].tolist())) == 350
    assert specs.read(analysis.file).season == 24


@pytest.mark.parametrize(
    ("value", "base"),
    [
        (lambda n: -3e9 + 50 * (n % 4), (-2999999900.0,)),
        (lambda n: 50.0 + 1e-6 * (n % 6), (50.000002,)),
        (lambda n: 2e12 + 1000 * (n % 12) + n, (2000000006000.0,)),
        (lambda n: 1e15 + 30 * (n % 7) + n / 8, (1000000000000100.0,)),
        (lambda n: 50.0 + 1e-15 * (n % 6), ()),  # what sums leave behind
        (lambda n: 1234572 + 1000 * (n % 12), ()),  # float32 is fine enough for these
        (lambda n: 20.1 + 0.1 * (n % 12), ()),
        (lambda n: 5.0 if n else 5.1, ()),
    ],
)
def test_only_a_column_whose_steps_float32_would_round_gets_a_base(learnt, value, base):
    _, _, analysis = learnt(months(84, value))
    assert specs.read(analysis.file).base == pytest.approx(base, rel=1e-6)


def test_where_no_base_helps_a_target_is_refused_and_the_advice_works(learnt, caplog):
    meter = [3 * n + n % 5 + (1e9 if n > 40 else 0) for n in range(84)]
    told = (
        "'y': .* 64 apart at its size. Received: 4 from row to row, usually. Forecast the changes"
    )
    with pytest.raises(DataError, match=told):
        learnt(months(84, lambda n: meter[n]))
    lines = months(84, lambda n: meter[n]).splitlines()
    changes = ["change", "", *np.diff(meter).tolist()]
    text = "\n".join(f"{line},{change}" for line, change in zip(lines, changes, strict=True))
    _, examples, _ = learnt(text, targets=("change",), covariates=("y",))
    assert len(set(records_of(examples)["test"][0]["change"].tolist())) == 2
    assert "y: float32's numbers are 64 apart at its size, and its usual step is 4" in caplog.text


def test_series_of_one_file_too_far_apart_are_refused_and_one_alone_is_kept(learnt):
    def line(n, meter):
        return f"{np.datetime64('2020-01-01') + n},{meter},{(1 if meter == 'a' else 7) * 1e9 + n}\n"

    head = "date,meter,y\n"
    panel = head + "".join(line(n, meter) for n in range(84) for meter in "ab")
    with pytest.raises(DataError, match=r"Received: 1 from row.*Give one series at a time, in a"):
        learnt(panel)
    _, examples, _ = learnt(head + "".join(line(n, "b") for n in range(84)))
    assert len(set(records_of(examples)["train"][0]["y"].tolist())) == 59


@pytest.fixture
def exported(learnt, folder):
    """A naive forecaster of a case, from the file to the served model."""

    def run(source, **options):
        file, examples, analysis = learnt(source, **options)
        spec = specs.read(analysis.file)
        trained = TrainedModel(folder("trained"))
        network = build(Naive(), spec, units=1, activation="linear").inference
        trained.keras_file.parent.mkdir()
        network.save(str(trained.keras_file))
        windows = transform(examples, analysis, folder("windows"), run_on=ON_BEAM)
        model = export(trained, analysis, windows, folder("model"))
        return file, examples, analysis, windows, model

    return run


def test_a_forecaster_is_served_and_judged_in_all_digits(exported, folder):
    file, examples, analysis, windows, model = exported("turnover.csv")
    asked = unlabelled_example_gen(RawFiles(Path(file)), model, examples, analysis, folder("asked"))
    (row,) = records_of(asked)["unlabelled"]
    with LoadedModel(model.saved_model) as loaded:
        for name in ("serving_default", "examples"):
            inputs = requests.inputs(loaded.signatures[name], [row])
            (found,) = loaded.predict(inputs, signature=name)["forecast"]
            assert found.dtype == np.float64
            np.testing.assert_allclose(found, [[6779547300.56]], rtol=0, atol=0.01)
        rows = specs.read(analysis.file).lookback
        given = {"window": np.full((1, rows, 1), 6779546860.56)}  # as a client types it
        (found,) = loaded.predict(given)["forecast"]
        np.testing.assert_allclose(found, [[6779546860.56]], rtol=0, atol=0.01)

    found = evaluator(windows, model, None, folder("evaluation"), run_on=ON_BEAM)
    summary = json.loads((found.path / "metrics.json").read_text())
    by_january = 440  # of the test split's 18 months one begins a year
    assert summary["metrics"]["mae"] == pytest.approx((17 * 40 + by_january) / 18)
    assert summary["metrics"]["naive_mae"] == summary["metrics"]["mae"]
    assert summary["metrics"]["seasonal_naive_mae"] == 0
    assert not found.blessed
    line = (found.path / "forecasts.csv").read_text().splitlines()[1]
    assert line.startswith("2020-07-01T00:00:00Z,,1,turnover,1,6779547100.56,6779547060.56,")


def test_an_example_holds_all_digits_of_a_forecast_in_float64():
    found = predictions.as_features({"forecast": np.array([[[6779547060.56]]])})
    assert found["prediction/forecast"].to_pylist() == [[b"6779547060.56"]]


def test_the_price_of_a_house_is_learnt_as_well_as_by_linear_regression(case, folder):
    houses = RawFiles(case("houses.csv"))
    examples = csv_example_gen(houses, folder("examples"), run_on=ON_BEAM)
    options = TableOptions(label="price")
    analysis = analyze(examples, folder("analysis"), run_on=ON_BEAM, features=options)
    table = transform(examples, analysis, folder("table"), run_on=ON_BEAM)
    trained = trainer(
        table,
        analysis,
        None,
        folder("trained"),
        resume=folder("resume"),
        model=WideDeep(),
        epochs=30,
        batch_size=32,
        learning_rate=0.003,
    )
    spec = specs.read(analysis.file)
    network = load(trained.keras_file, spec)
    judged = records_of(table)["test"]
    truth = np.array([row["label"][0] for row in judged])
    inputs = {
        each.name: np.stack([row[each.name] for row in judged]).astype(each.dtype)
        for each in spec.layout.inputs
    }
    error = truth - network(inputs).numpy()[:, 0]
    assert 1 - np.square(error).mean() / truth.var() > 0.94  # a linear regression's
