"""What is tried for series depends on what their values allow."""

from millrace.components.candidates import series
from millrace.components.features.series_spec import SeriesSpec

POSITIVE = SeriesSpec(("y",), 14, 1, "D", (5.0,), (2.0,), (1.0,), least=(1.0,))


def names(spec, rows):
    return [each.name for each in series.of(spec, rows)]


def test_few_windows_are_forecast_from_their_own_level_and_on_logarithms_too():
    alike = ["smoothed", "changes", "smoothing"]
    assert names(POSITIVE, 999) == [*alike, *(f"{name}_of_logs" for name in alike)]


def test_many_windows_may_have_a_level_in_common():
    assert names(POSITIVE, 1000)[-1] == "values"


def test_without_positive_values_there_are_no_logarithms():
    spec = SeriesSpec(("y",), 14, 1, "D", (5.0,), (2.0,), (1.0,), least=(0.0,))
    assert names(spec, 999) == ["smoothed", "changes", "smoothing"]
