"""The months that names in several languages mean."""

import pytest

from millrace.components.example_gen.csv.months import MONTHS


@pytest.mark.parametrize(
    ("names", "month"),
    [
        ("january januar janvier enero gennaio januari janeiro janner", 1),
        ("mar marz mrz mar mrt mars marzo marco marco maart", 3),
        ("may mai mayo maggio mei maio maj", 5),
        ("aug aout agosto augustus augusti ago", 8),
        ("oct okt ott out oktober octubre ottobre outubro octobre", 10),
        ("dec dez dic des diciembre dicembre dezembro decembre", 12),
    ],
)
def test_a_month_has_its_number_in_every_language(names, month):
    assert {MONTHS[name] for name in names.split()} == {month}
