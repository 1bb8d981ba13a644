"""Patterns of spans: what fits, which is newest, which range was requested."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from millrace.components.errors import DataError, OptionError
from millrace.components.example_gen.shards import span
from millrace.components.example_gen.shards.span import FoundSpan


@pytest.fixture
def place(tmp_path):
    def make(*names):
        for name in names:
            (tmp_path / name).mkdir(parents=True)
        return tmp_path

    return make


def below(root, pattern, spans="latest"):
    return [path.removeprefix(f"{root}/") for path in span.resolve(f"{root}/{pattern}", spans)]


def test_a_path_without_fields_is_returned_as_it_is():
    assert span.resolve("/data/{name}/x.csv") == ["/data/{name}/x.csv"]


def test_the_latest_span_is_the_highest_number_not_the_last_text(place):
    root = place("span-9", "span-10", "span-x", "other-11")
    assert below(root, "span-{SPAN}") == ["span-10"]


def test_a_width_fits_that_many_digits_only(place):
    assert below(place("07", "8", "123"), "{SPAN:2}") == ["07"]


def test_dates_are_spans_and_impossible_ones_fit_nothing(place):
    root = place("2024-02-28", "2024-02-30", "2023-12-31")
    assert below(root, "{YYYY}-{MM}-{DD}") == ["2024-02-28"]
    assert span.match("{YYYY}{MM}{DD}", "19700103") == FoundSpan(2, 0, "19700103")


def test_of_a_span_the_highest_version_counts_alone(place):
    root = place("1/v9", "1/v10", "2/v1", "2/v3")
    assert below(root, "{SPAN}/v{VERSION}") == ["2/v3"]
    assert below(root, "{SPAN}/v{VERSION}", "1..2") == ["1/v10", "2/v3"]


@pytest.mark.parametrize(
    ("spans", "chosen"),
    [
        ("latest", ["5"]),
        ("latest:2", ["3", "5"]),
        ("latest:2:1", ["2", "3"]),
        ("latest:9", ["1", "2", "3", "5"]),
        ("3", ["3"]),
        ("2..4", ["2", "3"]),
        ("3..", ["3", "5"]),
        ("..2", ["1", "2"]),
    ],
)
def test_spans_are_chosen_by_number_range_or_from_the_newest_back(place, spans, chosen):
    assert below(place("1", "2", "3", "5"), "{SPAN}", spans) == chosen


def test_dates_are_chosen_by_dates(place):
    root = place("y2024/m01/d30", "y2024/m01/d31", "y2024/m02/d01")
    found = below(root, "y{YYYY}/m{MM}/d{DD}", "2024-01-31..2024-02-28")
    assert found == ["y2024/m01/d31", "y2024/m02/d01"]


def test_files_of_a_span_all_come_with_it(tmp_path):
    for name in ("1-a.csv", "1-b.csv", "2-a.csv"):
        (tmp_path / name).write_text("")
    assert below(tmp_path, "{SPAN}-*.csv", "1") == ["1-a.csv", "1-b.csv"]


def test_a_relative_pattern_gives_relative_paths(place, monkeypatch):
    monkeypatch.chdir(place("in/3", "in/4"))
    assert span.resolve("in/{SPAN}") == ["in/4"]


def test_a_field_that_comes_twice_holds_the_same():
    assert span.match("{SPAN}/data-{SPAN}.csv", "7/data-7.csv") == FoundSpan(7, 0, "7/data-7.csv")
    assert span.match("{SPAN}/data-{SPAN}.csv", "7/data-8.csv") is None


@given(st.integers(0, 10**9), st.integers(0, 99))
def test_what_is_written_into_a_pattern_is_read_back(number, version):
    path = f"/d/{number}.+/v{version}/x"
    assert span.match("/d/{SPAN}.+/v{VERSION}/x", path) == FoundSpan(number, version, path)


@pytest.mark.parametrize(
    ("pattern", "spans", "error", "message"),
    [
        (
            "{YYYY}-{MM}",
            "latest",
            OptionError,
            r"or \{YYYY\}, \{MM\} and \{DD\} together\. Received",
        ),
        ("{SPAN}/{YYYY}{MM}{DD}", "latest", OptionError, "Received: SPAN, YYYY, MM, DD. Correct"),
        ("{VERSION}", "latest", OptionError, "Received: VERSION. Correct the pattern"),
        ("{SPAN}", "newest", OptionError, "or whole numbers as one, FIRST.*Received: 'newest'"),
        ("{SPAN}", f"latest:{'9' * 5000}", OptionError, "or whole numbers as one, FIRST"),
        ("{SPAN}", f"1..{'9' * 5000}", OptionError, "or whole numbers as one, FIRST"),
        ("{SPAN}", "7..9", DataError, r"Received: none; there are 1 to 5\. Choose among these"),
        ("no/{SPAN}", "latest", DataError, "expected a path that fits it. Received: none. Check"),
    ],
)
def test_what_is_malformed_or_missing_is_refused(place, pattern, spans, error, message):
    root = place("1", "5")
    with pytest.raises(error, match=message):
        span.resolve(f"{root}/{pattern}", spans)


def test_a_width_that_no_name_has_is_no_pattern():
    assert span.is_pattern("{SPAN:200}")
    assert not span.is_pattern("{SPAN:5000}")
