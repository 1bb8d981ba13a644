"""Race TFX on the same inputs: every step's wall and CPU seconds and peak memory.

    python -m benchmarks.race [--peer PYTHON] [--before FOLDER] [--scale N] [--rounds N]
        [--only table] [--only pictures] [--only digits] [--markdown FILE] [--json FILE]

PYTHON is the Python 3.10 of an environment with TFX 1.16, made outside of the project:

    python3.10 -m venv tfx && tfx/bin/pip install -U pip && tfx/bin/pip install tfx==1.16.0 dill

FOLDER is another checkout of millrace with an environment of its own in `.venv`. Without either,
millrace runs alone. The inputs are a CSV of 100,000 rows and 12 columns, and 10,000 PNGs of 28x28,
each times `--scale`; the recipe `digits` brings its own, at scale 1, and only millrace runs it.

All take turns, in `--rounds` rounds. In each, everyone runs from raw data to a pushed model in a
fresh root, with one epoch (`digits` with its own), and once more in the same root, where all steps
come from the cache.
Figures are medians of the rounds, ratios those of the rounds' ratios. When a step began and ended
is what millrace's store and TFX's metadata say; CPU and memory are read from /proc every 50 ms, of
all processes that the command started. The trainers are not compared: TFX trains another network by
an older Keras, and exports it in the same step.
"""

import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Mapping

from benchmarks import race_inputs, race_processes, race_table
from benchmarks.race_processes import Spent
from benchmarks.servers import ROOT

_ROWS, _PICTURES = 100_000, 10_000
_TABLE, _IMAGES, _DIGITS = "table", "pictures", "digits"
_RECIPES = {
    _TABLE: (
        *("tabular", "--data", "{inputs}/table", "--set", "analyze.features.label=label"),
        *("--set", "trainer.epochs=1", "--set", "evaluator.slices=c0"),
    ),
    _IMAGES: ("image-classifier", "--data", "{inputs}/pictures", "--set", "trainer.epochs=1"),
    _DIGITS: ("digits",),
}
_TFX = {
    _TABLE: ("benchmarks.tfx_peer.table", "{inputs}/table"),
    _IMAGES: ("benchmarks.tfx_peer.pictures", "{inputs}/records"),
}
_MILLRACE_STEPS = "SELECT step, started, ended FROM execution ORDER BY id"
_TFX_STEPS = (
    "SELECT Type.name, create_time_since_epoch, last_update_time_since_epoch"
    " FROM Execution JOIN Type ON Type.id = type_id ORDER BY Execution.id"
)

Times = dict[str, tuple[float, float]]  # by step: start and end, in seconds since 1970


@dataclasses.dataclass(frozen=True)
class Racer:
    """Who races.

    Attributes:
        name: as in the tables.
        commands: by race; `{inputs}` stands for the folder of all inputs, `{root}` for a fresh one.
        folder: where they run.
        times: when each step of a root's first run began and ended.
    """

    name: str
    commands: Mapping[str, tuple[str, ...]]
    folder: pathlib.Path
    times: Callable[[pathlib.Path], Times]


def main() -> None:
    """Run all rounds and print the tables."""
    arguments = _arguments()
    racers = _racers(arguments.peer, arguments.before)
    if len(racers) == 1:
        print("millrace runs alone; --peer PYTHON names the Python of an environment with TFX.")
    inputs = _inputs(arguments.work, arguments.scale, arguments.only)
    results: dict[str, dict[str, list[dict[str, Spent]]]] = {}
    for race in arguments.only:
        running = [racer for racer in racers if race in racer.commands]
        results[race] = {racer.name: [] for racer in running}
        for number in range(1, arguments.rounds + 1):
            for racer in running:
                spent = _run(racer, race, inputs, arguments.work, arguments.limit)
                results[race][racer.name].append(spent)
                _progress(race, number, racer, spent)
                if arguments.json:
                    arguments.json.write_text(_json(results, arguments.scale))
    text = "\n".join(_sections(results, arguments.scale))
    print(text)
    if arguments.markdown:
        arguments.markdown.write_text(text)


def _racers(peer: pathlib.Path | None, before: pathlib.Path | None) -> list[Racer]:
    racers: list[Racer] = []
    if peer:
        commands: dict[str, tuple[str, ...]] = {
            race: (str(peer), "-m", module, data, "{root}") for race, (module, data) in _TFX.items()
        }
        racers.append(Racer("TFX", commands, ROOT, tfx_times))
    checkouts = {"before": (before / ".venv/bin/python", before)} if before else {}
    checkouts["millrace"] = (pathlib.Path(sys.executable), ROOT)
    for name, (python, folder) in checkouts.items():
        commands = {
            race: (str(python.parent / "millrace"), "run", *recipe, "--root", "{root}")
            for race, recipe in _RECIPES.items()
        }
        racers.append(Racer(name, commands, folder, millrace_times))
    return racers


def _inputs(work: pathlib.Path, scale: int, races: list[str]) -> pathlib.Path:
    """The folder of all inputs of that scale below `work`; what is there is kept."""
    folder = work / f"inputs-{scale}"
    folder.mkdir(exist_ok=True)
    made = folder / "part"
    if _TABLE in races and not (folder / "table").exists():
        shutil.rmtree(made, ignore_errors=True)
        race_inputs.write_table(made, _ROWS * scale)
        made.rename(folder / "table")
    if _IMAGES in races and not (folder / "records").exists():
        for part in (made, folder / "pictures"):
            shutil.rmtree(part, ignore_errors=True)
        race_inputs.write_pictures(folder / "pictures", made, _PICTURES * scale)
        made.rename(folder / "records")
    return folder


def _run(
    racer: Racer, race: str, inputs: pathlib.Path, work: pathlib.Path, limit: float
) -> dict[str, Spent]:
    """Both runs in a fresh root; what each step of the first has used, and the two as a whole."""
    root = work / "root"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    places = {"inputs": str(inputs), "root": str(root)}
    command = [word.format_map(places) for word in racer.commands[race]]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("MILLRACE_STORE", None)  # the root's own is read
    found: dict[str, Spent] = {}
    for whole in (race_table.WHOLE, race_table.AGAIN):
        moments = race_processes.watched(
            command,
            work / f"{racer.name}.log",
            limit=limit,
            environment=environment,
            folder=racer.folder,
        )
        if whole == race_table.WHOLE:
            for step, (start, end) in racer.times(root).items():
                found[step] = race_processes.spent(moments, start, end)
        found[whole] = race_processes.spent(moments, moments[0].at, moments[-1].at)
    shutil.rmtree(root)
    return found


def millrace_times(root: pathlib.Path) -> Times:
    """When each step ran, by the store of `root`."""

    def seconds(text: str) -> float:
        return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC).timestamp()

    rows = _read(root / "millrace.db", _MILLRACE_STEPS)
    return {step: (seconds(started), seconds(ended)) for step, started, ended in rows}


def tfx_times(root: pathlib.Path) -> Times:
    """When each component ran, by TFX's metadata in `root`."""
    rows = _read(root / "metadata.db", _TFX_STEPS)
    return {kind.rpartition(".")[2]: (start / 1000, end / 1000) for kind, start, end in rows}


def _read(file: pathlib.Path, query: str) -> list[tuple]:  # type: ignore[type-arg]
    connection = sqlite3.connect(file)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def _progress(race: str, number: int, racer: Racer, spent: Mapping[str, Spent]) -> None:
    whole, again = spent[race_table.WHOLE], spent[race_table.AGAIN]
    print(
        f"{race}, round {number}, {racer.name}: {whole.wall:.1f} s, {whole.cpu:.1f} s of CPU, "
        f"{whole.memory:,.0f} MiB; again {again.wall:.1f} s",
        file=sys.stderr,
        flush=True,
    )


def _sections(results: Mapping[str, Mapping[str, list[dict[str, Spent]]]], scale: int) -> list[str]:
    titles = {
        _TABLE: f"CSV of {_ROWS * scale:,} rows and 12 columns",
        _IMAGES: f"{_PICTURES * scale:,} PNGs of 28x28",
        _DIGITS: "The recipe `digits`",
    }
    return [
        f"### {titles[race]}\n\n{race_table.markdown(each)}\n" for race, each in results.items()
    ]


def _json(results: Mapping[str, Mapping[str, list[dict[str, Spent]]]], scale: int) -> str:
    return json.dumps(
        {"cores": os.cpu_count(), "scale": scale, "rounds": results},
        default=dataclasses.asdict,
        indent=1,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--peer", type=pathlib.Path, metavar="PYTHON")
    parser.add_argument("--before", type=pathlib.Path, metavar="FOLDER")
    parser.add_argument("--scale", type=int, default=1, help="times as many rows and pictures")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", action="append", choices=_RECIPES)
    parser.add_argument("--limit", type=float, default=1800.0, help="seconds for one command")
    default = pathlib.Path(tempfile.gettempdir()) / "millrace-race"
    parser.add_argument("--work", type=pathlib.Path, default=default, help="holds the inputs")
    parser.add_argument("--markdown", type=pathlib.Path, metavar="FILE", help="the tables")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="every round's figures")
    arguments = parser.parse_args()
    if not arguments.only:
        arguments.only = [_TABLE, _IMAGES, *([_DIGITS] if arguments.scale == 1 else [])]
    arguments.before = arguments.before and arguments.before.resolve()
    arguments.work = arguments.work.resolve()
    arguments.work.mkdir(parents=True, exist_ok=True)
    return arguments


if __name__ == "__main__":
    main()
