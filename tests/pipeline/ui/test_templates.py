"""How numbers, times and sizes are written."""

import re

import jinja2
import pytest

from millrace.pipeline.ui import templates


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (23_400_000, "23 MB"),
        (5e15, "5000 TB"),
    ],
)
def test_a_size(count, text):
    assert templates.size(count) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (59.4, "59 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_a_duration(count, text):
    assert templates.seconds(count) == text


def test_a_moment():
    assert templates.moment("2026-01-31T12:00:05") == "31 Jan 2026, 12:00 UTC"


def test_what_is_shown_is_escaped_and_a_name_that_is_not_there_is_an_error():
    assert "&lt;b&gt;" in templates.render(
        "error.html", shown={"error": "<b>"}, key="", roots=[], path="", query="", form_secret=""
    )
    with pytest.raises(jinja2.UndefinedError):
        templates.render("error.html", shown={}, key="", roots=[], path="", query="")


def test_no_class_of_the_style_has_two_rules_that_set_the_same():
    found = {}
    rules = re.sub(
        r"/\*.*?\*/|@[^{]+\{(?:[^{}]*\{[^{}]*\})*\s*\}", "", templates.static("style.css")
    )
    for selectors, body in re.findall(r"([^{}]+)\{([^{}]*)\}", rules):
        names = {each.partition(":")[0].strip() for each in body.split(";")} - {""}
        for selector in filter(
            re.compile(r"\.[\w-]+").fullmatch, map(str.strip, selectors.split(","))
        ):
            found.setdefault(selector, []).extend(names)
    assert found[".charts"]
    twice = {selector: names for selector, names in found.items() if len(names) > len(set(names))}
    assert twice == {}
