"""The pictures are drawn, hold what they should, and leave matplotlib as it was."""

import subprocess
import sys

import numpy as np
import pytest
from etils.epath import Path
from PIL import Image

from millrace.components.evaluating import classification_plots
from millrace.components.evaluating.classification_tally import tally
from tests.components.answers import answers


def test_two_classes_get_four_pictures(tmp_path):
    names = classification_plots.draw(tally(*answers(200, 2)), ["cat", "dog"], Path(tmp_path))
    assert names == ["confusion_matrix.png", "precision_recall.png", "reliability.png", "roc.png"]
    for name in names:
        with Image.open(tmp_path / name) as image:
            assert image.format == "PNG"
            assert len(np.unique(np.asarray(image.convert("L")))) > 20


def test_more_classes_get_no_curves_nor_do_rows_of_one_class(tmp_path):
    names = classification_plots.draw(tally(*answers(50, 3)), ["a", "b", "c"], Path(tmp_path))
    assert names == ["confusion_matrix.png", "reliability.png"]
    _, scores = answers(50, 2)
    one_sided = tally(np.zeros(50, np.int64), scores)
    assert classification_plots.draw(one_sided, ["a", "b"], Path(tmp_path)) == names


def test_the_confusion_matrix_shows_its_counts_and_names():
    figure = classification_plots.confusion_matrix(np.array([[5, 1], [0, 7]]), ["cat", "dog"])
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["5", "1", "7"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cat", "dog"]
    assert axes.get_title() == "Answers by class"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("answer", "truth")


def test_many_classes_are_drawn_without_names_or_numbers(tmp_path):
    classes = [f"class {number}" for number in range(120)]
    figure = classification_plots.confusion_matrix(np.eye(120, dtype=np.int64), classes)
    assert not figure.axes[0].texts
    assert figure.get_size_inches()[0] < 20


@pytest.mark.parametrize(
    ("name", "label"),
    [("$x$", r"\$x\$"), ("a" * 30, "a" * 19 + "…"), ("日本", "#0"), ("a\nb", "#0"), ("_^{", "_^{")],
)
def test_odd_class_names_are_drawn(tmp_path, name, label):
    figure = classification_plots.confusion_matrix(np.eye(2, dtype=np.int64), [name, "other"])
    assert figure.axes[0].get_yticklabels()[0].get_text() == label
    classification_plots.draw(tally(*answers(20, 2)), [name, name], Path(tmp_path))


def test_a_curve_of_many_points_is_thinned_but_keeps_its_ends():
    kept = classification_plots._thinned(1_000_000)
    assert len(kept) == 2_000
    assert (kept[0], kept[-1]) == (0, 999_999)
    assert classification_plots._thinned(3).tolist() == [0, 1, 2]


def test_pyplot_is_never_imported(tmp_path):
    code = (
        "import sys; from millrace.components.evaluating import classification_plots; "
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
