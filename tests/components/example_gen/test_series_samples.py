"""The embedded series: what they hold, and that they are the same every time."""

import numpy as np
import pandas as pd
import pytest

from millrace.components.example_gen import series_samples


def test_the_synthetic_series_is_trend_season_and_noise(tmp_path):
    series_samples.synthetic_series(tmp_path, noise=0.0)
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
        series_samples.synthetic_series(tmp_path / name, seed=seed)
        texts.append((tmp_path / name / "synthetic.csv").read_text())
    assert texts[0] == texts[1] != texts[2]


def test_co2_is_weekly_with_gaps(tmp_path):
    series_samples.co2_weekly(tmp_path)
    found = pd.read_csv(tmp_path / "co2.csv")
    assert (len(found), int(found["co2"].isna().sum())) == (2284, 59)
    assert found.iloc[0].tolist() == ["1958-03-29", 316.1]


def test_sunspots_are_yearly(tmp_path):
    series_samples.sunspots_yearly(tmp_path)
    found = pd.read_csv(tmp_path / "sunspots.csv")
    assert (len(found), found["date"].iloc[0], found["sunspots"].iloc[0]) == (
        309,
        "1700-01-01",
        5.0,
    )
