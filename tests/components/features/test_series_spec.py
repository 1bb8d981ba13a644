"""What follows from a spec of windows, and specs that cannot be."""

import dataclasses

import pytest

from millrace.components.errors import DataError
from millrace.components.features import spec as specs
from millrace.components.features.layout import LayoutColumn, RecordLayout
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
    assert dataclasses.replace(ONE, difference="season", season=2).lag == 2
    assert dataclasses.replace(ONE, difference="previous").lag == 1


def test_a_spec_without_a_target_is_refused():
    with pytest.raises(DataError, match=r"a column to forecast\. Received: none\. Name one"):
        dataclasses.replace(ONE, targets=())
