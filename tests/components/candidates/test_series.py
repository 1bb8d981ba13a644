"""What is tried for series depends on what their values allow."""

from millrace.components.candidates import series
from millrace.components.features.series_spec import SeriesSpec

POSITIVE = SeriesSpec(("y",), 14, 1, "D", (5.0,), (2.0,), (1.0,), least=(1.0,))

ALIKE = ["smoothed", "changes", "values", "smoothing"]


def names(spec, rows):
    return [each.name for each in series.of(spec, rows)]


def test_windows_are_forecast_from_their_own_level_or_a_common_one_and_on_logarithms_too():
    of_logs = ["smoothed_of_logs", "changes_of_logs", "smoothing_of_logs"]
    assert names(POSITIVE, 50) == [*ALIKE, *of_logs]


def test_the_last_rows_of_long_windows_are_tried_alone():
    spec = SeriesSpec(("y",), 400, 1, "D", (5.0,), (2.0,), (1.0,), least=(0.0,))
    tried = series.of(spec, 50_000)
    short = ["short_smoothed", "short_changes", "short_values"]
    assert [each.name for each in tried] == [*ALIKE, *short]
    assert [each.model.rows for each in tried] == [None] * 4 + [30] * 3
    assert names(spec, 50_001) == ALIKE


def test_without_positive_values_there_are_no_logarithms():
    spec = SeriesSpec(("y",), 14, 1, "D", (5.0,), (2.0,), (1.0,), least=(0.0,))
    assert names(spec, 999) == ALIKE
