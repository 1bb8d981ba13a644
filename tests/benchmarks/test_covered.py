"""What the tests reach, summed up by room."""

import collections
import json
import sys

from benchmarks import covered


def told(reached, lines, branches_reached, branches):
    summary = {
        "covered_lines": reached,
        "num_statements": lines,
        "covered_branches": branches_reached,
        "num_branches": branches,
        "percent_covered": 100 * (reached + branches_reached) / (lines + branches),
    }
    return {"summary": summary}


FILES = {
    "pipeline/dag.py": told(30, 40, 1, 2),
    "pipeline/ui/site.py": told(60, 60, 0, 0),
    "serving/rest/app.py": told(5, 10, 0, 4),
}


def test_a_room_has_the_counts_of_its_modules():
    found = covered.rooms(FILES)
    assert {room: list(counts.values()) for room, counts in found.items()} == {
        "all": [95, 110, 1, 6],
        "pipeline": [90, 100, 1, 2],
        "pipeline/ui": [60, 60, 0, 0],
        "serving": [5, 10, 0, 4],
        "serving/rest": [5, 10, 0, 4],
    }


def test_a_share_is_whole_only_where_nothing_is_left():
    counts = collections.Counter(reached=9999, of=10000, all=10000)
    assert covered.share(counts, "reached", "of") == "99.9 %"
    assert covered.share(counts, "all", "of") == "100.0 %"
    assert covered.share(counts, "all", "none") == "-"


def test_the_modules_of_twenty_lines_that_are_reached_least_come_first(
    tmp_path, monkeypatch, capsys
):
    (tmp_path / "coverage.json").write_text(json.dumps({"files": FILES}))
    monkeypatch.setattr(sys, "argv", ["covered", str(tmp_path / "coverage.json")])
    covered.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split("\t") == ["all", "110", "86.3 %", "6", "16.6 %"]
    assert [line.split("\t")[0] for line in lines[-2:]] == [
        "pipeline/dag.py",
        "pipeline/ui/site.py",
    ]
