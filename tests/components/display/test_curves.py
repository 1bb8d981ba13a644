"""Learning curves: the right points, for the metrics that there are."""

from hypothesis import given
from hypothesis import strategies as st

from millrace.components.display import curves


def test_the_lowest_value_lies_at_the_bottom_and_the_highest_at_the_top():
    assert curves.points([0.0, 1.0, 0.5], 0.0, 1.0) == "36.0,164.0 210.0,36.0 384.0,100.0"


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50))
def test_every_point_lies_inside_the_margins(values):
    for point in curves.points(values, min(values), max(values)).split():
        x, y = map(float, point.split(","))
        assert curves.MARGIN <= x <= curves.WIDTH - curves.MARGIN
        assert curves.MARGIN <= y <= curves.HEIGHT - curves.MARGIN


def test_each_metric_gets_a_chart_with_validation_beside_training():
    columns = ["epoch", "loss", "accuracy", "val_loss"]
    loss, accuracy = curves.draw(columns, [[1, 2.0, 0.1, 3.0], [2, 1.0, 0.2, 2.0]])
    assert loss.count("<polyline") == 2
    assert 'aria-label="loss"' in loss
    assert accuracy.count("<polyline") == 1


def test_a_single_epoch_makes_no_curve():
    assert list(curves.draw(["epoch", "loss"], [[1, 2.0]])) == []
