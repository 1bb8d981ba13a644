"""Whether time and memory stay flat as the input grows: each step at 1x and 10x, up to `transform`.

    python -m benchmarks.growth [--only table] [--only reviews] [--only text] [--cores N]
        [--sizes 1 --sizes 10] [--work FOLDER]

At size 1 the table is a CSV of 1,000,000 rows and 12 columns, the reviews are a CSV of 100,000
labelled texts of some 1,000 bytes, and the text is one file of 100 MB for the generator. Words are
drawn by Zipf's law. `--cores 1` lets the whole command use one core, for the ratio of two runs.
Seconds are the store's, CPU and memory of all processes as in `benchmarks.race`.
"""

import argparse
import os
import pathlib
import shutil
import sys
import tempfile

import numpy as np

from benchmarks import race_inputs, race_processes
from benchmarks.race import millrace_times
from benchmarks.servers import ROOT

_ROWS, _REVIEWS, _BYTES = 1_000_000, 100_000, 100_000_000
_WORDS, _WORDS_OF_A_REVIEW, _WORDS_OF_A_LINE = 30_000, 170, 12
_LIMIT = 3600.0  # seconds of a run
_RECIPES = {
    "table": ("tabular", ("--set", "analyze.features.label=label")),
    "reviews": ("text-classifier", ()),
    "text": ("text-generator", ()),
}


def main() -> None:
    """Print a table: input, size, step, its seconds, units per second, CPU, and peak memory."""
    arguments = _arguments()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.cores])
    print("| input | size | step | s | units/s | CPU s | MiB |\n|---|---:|---|---:|---:|---:|---:|")
    for name in arguments.only:
        for size in arguments.sizes:
            for line in _lines(name, size, arguments.work):
                print(line, flush=True)


def _lines(name: str, size: int, work: pathlib.Path) -> list[str]:
    recipe, options = _RECIPES[name]
    data, root = work / f"{name}-{size}", work / "root"
    units = _write(name, size, data)
    shutil.rmtree(root, ignore_errors=True)
    command = [str(pathlib.Path(sys.executable).parent / "millrace"), "run", recipe]
    command += ["--data", str(data), "--root", str(root), "--to", "transform", *options]
    moments = race_processes.watched(
        command, work / "log", limit=_LIMIT, environment=os.environ, folder=ROOT
    )
    lines = []
    for step, (start, end) in millrace_times(root).items():
        spent = race_processes.spent(moments, start, end)
        lines.append(
            f"| {name} | {units:,} | {step} | {spent.wall:.1f} | {units / spent.wall:,.0f} "
            f"| {spent.cpu:.1f} | {spent.memory:.0f} |"
        )
    return lines


def _write(name: str, size: int, data: pathlib.Path) -> int:
    """Write the input unless it is there; returns how many rows, reviews or bytes it has."""
    units = {"table": _ROWS, "reviews": _REVIEWS, "text": _BYTES}[name] * size
    if data.exists():
        return units
    part = data.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    if name == "table":
        race_inputs.write_table(part, units)
    else:
        part.mkdir()
        _write_words(part, name, units)
    part.rename(data)
    return units


def _write_words(folder: pathlib.Path, name: str, units: int) -> None:
    random = np.random.default_rng(3)
    lengths = random.integers(2, 10, _WORDS)
    letters = np.array(list("etaoinshrdlucmfwypvbgkjqxz"))
    words = ["".join(random.choice(letters, length)) for length in lengths]

    def drawn(count: int) -> list[str]:
        return [words[place] for place in (random.zipf(1.3, count) - 1) % _WORDS]

    if name == "reviews":
        with (folder / "reviews.csv").open("w") as file:
            file.write("text,label\n")
            for number in range(units):
                text = " ".join(drawn(_WORDS_OF_A_REVIEW))
                file.write(f"{text},{'good' if number % 2 else 'bad'}\n")
        return
    with (folder / "corpus.txt").open("w") as file:
        written = 0
        while written < units:
            written += file.write(" ".join(drawn(_WORDS_OF_A_LINE)) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", choices=[*_RECIPES], help="all, if left out")
    parser.add_argument("--sizes", action="append", type=int, help="1 and 10, if left out")
    parser.add_argument("--cores", type=int, default=os.cpu_count(), help="how many may be used")
    parser.add_argument("--work", type=pathlib.Path, help="keeps the inputs")
    arguments = parser.parse_args()
    arguments.only = arguments.only or [*_RECIPES]
    arguments.sizes = arguments.sizes or [1, 10]
    arguments.work = arguments.work or pathlib.Path(tempfile.mkdtemp())
    arguments.work.mkdir(exist_ok=True, parents=True)
    return arguments


if __name__ == "__main__":
    main()
