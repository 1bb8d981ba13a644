"""What follows from a spec of windows, and specs that cannot be."""

import dataclasses

import pytest

from millrace.components.errors import DataError
from millrace.components.features import spec as specs
from millrace.components.features.layout import LayoutColumn, RecordLayout
from millrace.components.features.series_spec import bases_of
from tests.components.features.test_series import ONE, SPEC


def test_the_layout_has_the_window_the_known_columns_and_the_future():
    assert SPEC.layout == RecordLayout(
        (LayoutColumn("window", "float32", (3, 3)), LayoutColumn("known", "float32", (2, 1))),
        LayoutColumn("future", "float32", (2, 1)),
    )
    assert ONE.layout.inputs == (LayoutColumn("window", "float32", (3, 1)),)


def test_channels_are_the_columns_and_then_the_calendar():
    spec = dataclasses.replace(SPEC, calendar=("hour", "month"))
    assert spec.channels == ("load", "wind", "holiday", "calendar/hour", "calendar/month")


def test_it_is_written_and_read_back(tmp_path):
    specs.write(SPEC, tmp_path / "analysis.json")
    assert specs.read(tmp_path / "analysis.json") == SPEC


def test_it_is_a_forecast_without_classes():
    assert (SPEC.task, SPEC.label, SPEC.classes) == ("forecast", "", ())


def test_a_window_must_be_longer_than_what_differencing_goes_back():
    with pytest.raises(
        DataError, match=r"lookback: expected more rows than the 3 that difference=season goes back"
    ):
        dataclasses.replace(ONE, difference="season", season=3)
    with pytest.raises(DataError, match="more rows than the 4 that"):
        dataclasses.replace(ONE, difference="season", season=4)
    assert dataclasses.replace(ONE, difference="season", season=2).lag == 2
    assert dataclasses.replace(ONE, difference="previous").lag == 1


def test_a_spec_without_a_target_is_refused():
    with pytest.raises(DataError, match=r"a column to forecast\. Received: none\. Name one"):
        dataclasses.replace(ONE, targets=())


@pytest.mark.parametrize(
    ("least", "base", "has"),
    [
        ((0.5,), (), True),
        ((0.5, 2.0), (), True),
        ((0.5, 0.0), (), False),
        ((-1.0,), (), False),
        ((), (), False),
        ((0.5,), (3.0,), False),
    ],
)
def test_logarithms_need_targets_above_zero_as_they_are_in_the_data(least, base, has):
    assert dataclasses.replace(ONE, least=least, base=base).has_logarithms is has


def test_the_calendar_stands_on_no_base():
    described = {"base": [5.0, 7.0], "calendar": ["hour"], "known": ["b"], "targets": ["a"]}
    assert bases_of(described) == {"window": (5.0, 7.0, 0.0), "known": (7.0,), "future": (5.0,)}
    assert bases_of({}) == {}
