"""Run every row of the course, from raw data to an answer over gRPC, and print the table.

    python -m benchmarks.course DATA [--results FILE] [--work FOLDER] [ROW…]

DATA holds the datasets, each in a folder of its name (`course_rows`). Each row runs the real
command `millrace run` in a root of its own, then `millrace predict`, which starts the server on the
pushed model and queries it over gRPC. Rows already in the results file are not run again.
"""

import argparse
import dataclasses
import json
import operator
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from benchmarks import course_data
from benchmarks.course_rows import ROWS, CourseRow

MILLRACE = pathlib.Path(sys.executable).parent / "millrace"
_COMPARE = {">=": operator.ge, "<=": operator.le, "<": operator.lt, ">": operator.gt}
_DIFFERENCE = re.compile(r"answers differ by at most (\S+)")
_COLUMNS = (
    *("recipe", "command", "seconds", "figures", "blessed, pushed"),
    *("served less trained", "a served answer"),
)
_SHOWN = (
    *("accuracy", "f1_score", "r2", "perplexity", "unigram_perplexity"),
    *("mae", "naive_mae", "moving_average_mae"),
)


@dataclasses.dataclass(frozen=True)
class Result:
    """The outcome of a row; `seconds` are for `millrace run`, `passed` says which needs it met."""

    name: str
    command: str
    seconds: float
    figures: dict[str, float]
    passed: dict[str, bool]
    blessed: bool
    pushed: bool
    difference: str
    answer: str
    stand_in: str = ""
    failure: str = ""


def main() -> int:
    """Run what is not in the results yet; returns 1 if a row misses a need."""
    arguments = _arguments()
    file = arguments.results
    known = _read(file)
    for row in ROWS:
        name = row.name or row.recipe
        if name in known or (arguments.rows and name not in arguments.rows):
            continue
        known[name] = run(row, arguments.data.resolve(), arguments.work)
        with file.open("a") as out:
            out.write(json.dumps(dataclasses.asdict(known[name])) + "\n")
        print(_line(known[name]), file=sys.stderr, flush=True)
    shown = [known[name] for row in ROWS if (name := row.name or row.recipe) in known]
    print(
        "| recipe | command | seconds | figures | blessed, pushed | served less trained | answer |"
    )
    print("|---|---|---|---|---|---|---|")
    for result in shown:
        print(_line(result))
    return int(any(result.failure or not all(result.passed.values()) for result in shown))


def run(row: CourseRow, data: pathlib.Path, work: pathlib.Path) -> Result:
    """Run and query one row in a fresh root, which is removed if all went well."""
    name = row.name or row.recipe
    root = work / name
    if root.exists():
        shutil.rmtree(root)
    command = ["run", row.recipe]
    if row.data:
        command += ["--data", str(course_data.place(row.data, data, work))]
    for setting in row.settings:
        command += ["--set", setting.format(data=data)]
    if row.name:
        command += ["--name", row.name]
    start = time.monotonic()
    done = _millrace(*command, "--root", str(root), "--json")
    seconds = time.monotonic() - start
    report = json.loads(done.stdout) if done.stdout.strip() else {}
    figures = {
        key: report["metrics"][key] for key in _SHOWN if key in (report.get("metrics") or {})
    }
    result = Result(
        name=name,
        command=" ".join(["millrace", *command]).replace(str(data), "D").replace(str(work), "W"),
        seconds=round(seconds, 1),
        figures=figures,
        passed={need: _holds(need, figures) for need in row.needs},
        blessed=bool(report.get("blessed")),
        pushed=bool(report.get("pushed")),
        difference=_difference(root),
        answer="",
        stand_in=row.stand_in,
        failure=done.stderr[-500:] if done.returncode else "",
    )
    if result.pushed:
        result = _queried(result, row, root)
    if not result.failure and all(result.passed.values()):
        shutil.rmtree(root)
    return result


def _queried(result: Result, row: CourseRow, root: pathlib.Path) -> Result:
    """The result with the answer of the served model."""
    done = _millrace("predict", result.name, *row.query, "--root", str(root), "--json")
    if done.returncode:
        return dataclasses.replace(result, failure=done.stderr[-500:])
    prediction = json.loads(done.stdout)["predictions"][0]
    answer = prediction[row.answer]
    while isinstance(answer, list):
        answer = answer[0]
    passed = dict(result.passed)
    if row.near is not None:
        passed[f"within {row.within} of {row.near:g}"] = abs(answer - row.near) <= row.within
    shown = f"{answer:.5g}" if isinstance(answer, float) else str(answer)
    if truth := prediction.get("truth"):
        while isinstance(truth, list):
            truth = truth[0]
        shown += f" (truth {truth:.5g})" if isinstance(truth, float) else f" (truth {truth})"
    return dataclasses.replace(result, answer=shown.replace("\n", " / "), passed=passed)


def _holds(need: str, figures: dict[str, float]) -> bool:
    left, sign, right = need.split()
    bound = figures.get(right)
    return left in figures and _COMPARE[sign](
        figures[left], float(right) if bound is None else bound
    )


def _difference(root: pathlib.Path) -> str:
    """The largest difference of served and trained answers, as `export` found it."""
    for log in root.glob("runs/*/export.log"):
        if found := _DIFFERENCE.search(log.read_text()):
            return found[1]
    return ""


def _millrace(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([MILLRACE, *arguments], capture_output=True, check=False, text=True)


def _line(result: Result) -> str:
    figures = ", ".join(f"{name} {value:.4g}" for name, value in result.figures.items())
    missed = [need for need, met in result.passed.items() if not met]
    remarks = [
        *([f"stand-in: {result.stand_in}"] if result.stand_in else []),
        *(f"MISSED {need}" for need in missed),
        *([f"FAILED {result.failure.splitlines()[-1]}"] if result.failure else []),
    ]
    cells = (
        result.name,
        f"`{result.command}`",
        f"{result.seconds:.0f}",
        "; ".join(filter(None, (figures, *remarks))),
        f"{'yes' if result.blessed else 'no'}, {'yes' if result.pushed else 'no'}",
        result.difference,
        result.answer,
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _read(file: pathlib.Path) -> dict[str, Result]:
    if not file.exists():
        return {}
    results = (Result(**json.loads(line)) for line in file.read_text().splitlines())
    return {result.name: result for result in results}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("data", type=pathlib.Path, metavar="DATA")
    parser.add_argument("rows", nargs="*", metavar="ROW")
    default = pathlib.Path(tempfile.gettempdir()) / "millrace-course"
    parser.add_argument("--work", type=pathlib.Path, default=default)
    parser.add_argument("--results", type=pathlib.Path, default=default / "results.jsonl")
    arguments = parser.parse_intermixed_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    return arguments


if __name__ == "__main__":
    sys.exit(main())
