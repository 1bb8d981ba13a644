"""The sample data: what it holds, that it is the same every time, and what it does without."""

import collections
import pathlib
import subprocess
import sys
from importlib import metadata

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from statsmodels.datasets import co2

from millrace.components.errors import DataError
from millrace.components.example_gen import samples


def test_every_scan_is_a_png_in_the_folder_of_its_digit(out):
    root = pathlib.Path(samples.digits_images(out).path)
    scans = load_digits()
    files = sorted(root.glob("*/*.png"), key=lambda path: path.name)
    assert [path.name for path in files] == [f"{number:04d}.png" for number in range(1797)]
    assert [path.parent.name for path in files] == [str(digit) for digit in scans.target]
    counts = collections.Counter(path.parent.name for path in files)
    assert (len(counts), counts["0"], counts["8"]) == (10, 178, 174)
    for path, scan in zip(files, scans.images, strict=True):
        with Image.open(path) as image:
            assert (image.mode, image.size) == ("L", (8, 8))
            pixels = np.asarray(image, dtype=int)
        assert (pixels == np.rint(scan * 255 / 16)).all()
    assert pixels.max() == 255
    assert pixels.min() == 0


def test_the_synthetic_series_is_trend_season_and_noise(tmp_path):
    samples.synthetic_series(tmp_path, noise=0.0)
    found = pd.read_csv(tmp_path / "synthetic.csv")
    assert list(found.columns) == ["date", "value"]
    assert (len(found), found["date"].iloc[0], found["date"].iloc[-1]) == (
        *(1461, "2015-01-01"),
        "2018-12-31",
    )
    assert found["value"].iloc[0] == 50.0  # level 10, season 40
    assert found["value"].iloc[365] == pytest.approx(50 + 0.05 * 365)
    decayed = 10 + 0.05 * 300 + 40 * np.exp(-3 * 300 / 365)
    assert found["value"].iloc[300] == pytest.approx(decayed, rel=1e-5)


def test_the_noise_follows_from_the_seed(tmp_path):
    texts = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        samples.synthetic_series(tmp_path / name, seed=seed)
        texts.append((tmp_path / name / "synthetic.csv").read_text())
    assert texts[0] == texts[1] != texts[2]


def test_co2_is_weekly_with_gaps(tmp_path):
    samples.co2_weekly(tmp_path)
    found = pd.read_csv(tmp_path / "co2.csv")
    assert (len(found), int(found["co2"].isna().sum())) == (2284, 59)
    assert found.iloc[0].tolist() == ["1958-03-29", 316.1]
    theirs = co2.load_pandas().data["co2"]
    assert found["date"].tolist() == theirs.index.strftime("%Y-%m-%d").tolist()
    np.testing.assert_array_equal(found["co2"], theirs)


def test_the_line_has_six_points(out):
    header, *rows = (samples.line_fit(out).path / "line.csv").read_text().splitlines()
    assert header == "x,y"
    assert rows == ["-1.0,-3.0", "0.0,-1.0", "1.0,1.0", "2.0,3.0", "3.0,5.0", "4.0,7.0"]


def test_six_houses_cost_half_a_unit_and_half_a_unit_per_bedroom(out):
    header, *rows = (samples.house_prices(out).path / "houses.csv").read_text().splitlines()
    assert header == "bedrooms,price"
    assert rows == ["1.0,1.0", "2.0,1.5", "3.0,2.0", "4.0,2.5", "5.0,3.0", "6.0,3.5"]


INGEST = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"sklearn", "statsmodels", "scipy", "patsy", "joblib"}:
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Missing())
from millrace.pipeline.cli.main import main
sys.argv[1:] = ["run", sys.argv[1], "--to", sys.argv[2], "--root", sys.argv[3]]
main()
"""


@pytest.mark.parametrize(
    ("recipe", "step"), [("digits", "image_example_gen"), ("co2", "series_example_gen")]
)
def test_ingest_imports_no_library_for_its_data(recipe, step, tmp_path):
    command = [sys.executable, "-c", INGEST, recipe, step, tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "artifacts" / step).iterdir())) == 1


@pytest.mark.parametrize(
    ("sample", "distribution"),
    [(samples.digits_images, "scikit-learn"), (samples.co2_weekly, "statsmodels")],
)
def test_a_distribution_that_is_missing_or_lacks_the_file_is_named(
    sample, distribution, out, tmp_path, monkeypatch
):
    def absent(name):
        raise metadata.PackageNotFoundError(name)

    class Other(metadata.Distribution):
        version = "9.0"

        def read_text(self, filename): ...

        def locate_file(self, path):
            return tmp_path / path

    for found, received in ((absent, "no such distribution"), (lambda _: Other(), "version 9.0,")):
        monkeypatch.setattr(metadata, "distribution", found)
        with pytest.raises(DataError, match=f"{received}.* Run `pip install {distribution}`"):
            sample(out)
