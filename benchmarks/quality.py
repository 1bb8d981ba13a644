"""How good the generic recipes are, beside what a person writes in ten lines, on the same rows.

    python -m benchmarks.quality DATA [SET…] [--seeds N] [--before FOLDER] [--markdown FILE]

Each set is run as it is by the generic recipe for its kind, once per seed, and judged on its test
split; the references of `quality_references` read the very records that the run read. An error is a
wrong class, an absolute error, an absolute error in units of the naive forecast's (as in MASE), or
the bits of a character. The interval is that of our mean error less the best reference's, by a
bootstrap over test rows; below 0 we are better. Seconds are those of CPU of a whole run, and of
another checkout's with `--before`, whose errors are shown as well.
"""

import argparse
import csv
import dataclasses
import json
import math
import os
import pathlib
import resource
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from typing import cast

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from etils.epath import Path

from benchmarks import quality_made, quality_references
from benchmarks.course import MILLRACE
from benchmarks.quality_references import Errors
from benchmarks.quality_sets import SETS, QualitySet
from millrace.components.artifacts import Analysis, Evaluation, Examples, Model
from millrace.components.beam.options import BeamOptions
from millrace.components.bulk_inferrer import bulk_inferrer
from millrace.components.features import spec as specs
from millrace.components.features.image_spec import ImageSpec
from millrace.components.features.language_spec import LanguageSpec
from millrace.components.features.series_spec import SeriesSpec
from millrace.components.features.table_spec import TableSpec
from millrace.components.features.text_spec import TextSpec

_DRAWS = 2_000
_COLUMNS = ("set", "rows", "before", "ours", "best reference", "error / best", "95 %", "CPU s")


@dataclasses.dataclass(frozen=True)
class Ours:
    """What a recipe came to.

    Attributes:
        errors: of each test row, the mean over the seeds.
        seconds: of CPU, the first run's, which finds nothing in the cache.
        chosen: the networks that answer.
    """

    errors: np.ndarray
    seconds: float
    chosen: str


@dataclasses.dataclass(frozen=True)
class Judged:
    """A line of the table.

    Attributes:
        chosen: the set.
        ours, before: of this checkout, and of another.
        references: their mean errors, by name.
        interval: of our mean error less the best reference's.
    """

    chosen: QualitySet
    ours: Ours
    before: Ours | None
    references: Mapping[str, float]
    interval: tuple[float, float]

    @property
    def best(self) -> str:
        """The best reference's name."""
        return min(self.references, key=lambda name: self.references[name])

    @property
    def ratio(self) -> float:
        """Our error as a share of the best reference's; of wrong answers, half a row more each."""
        more = 0.5 / len(self.ours.errors) if self.chosen.counts else 0.0
        return (float(self.ours.errors.mean()) + more) / (self.references[self.best] + more)


def main() -> None:
    """Print a line per set as it is done, then the table."""
    arguments = _arguments()
    judged = []
    for each in SETS:
        if arguments.sets and each.name not in arguments.sets:
            continue
        with tempfile.TemporaryDirectory() as work:
            judged.append(_judge(each, arguments, pathlib.Path(work)))
        print(_line(judged[-1]), flush=True)
    text = table(judged)
    print(text)
    if arguments.markdown:
        arguments.markdown.write_text(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=pathlib.Path, help="the folder of data sets")
    parser.add_argument("sets", nargs="*", help="names of sets; all by default")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--before", type=pathlib.Path, help="another checkout, with its .venv")
    parser.add_argument("--markdown", type=pathlib.Path)
    parser.add_argument("--set", action="append", default=[], help="a setting of every run")
    return parser.parse_args()


def _judge(chosen: QualitySet, arguments: argparse.Namespace, work: pathlib.Path) -> Judged:
    data = (
        getattr(quality_made, chosen.made)(work / "made")
        if chosen.made
        else arguments.data.resolve() / chosen.path
    )
    settings = (*chosen.settings, *arguments.set)
    ours = _run(MILLRACE, chosen, data, settings, work / "now", arguments.seeds)
    before = None
    if arguments.before:
        millrace = arguments.before.resolve() / ".venv/bin/millrace"
        before = _run(millrace, chosen, data, settings, work / "before", arguments.seeds)
    references = _references(chosen, work / "now")
    means = {name: float(errors.mean()) for name, errors in references.items()}
    best = references[min(means, key=lambda name: means[name])]
    return Judged(chosen, ours, before, means, difference(ours.errors, best))


def _run(
    millrace: pathlib.Path,
    chosen: QualitySet,
    data: pathlib.Path,
    settings: Sequence[str],
    root: pathlib.Path,
    seeds: int,
) -> Ours:
    found, seconds, said = [], [], ""
    for seed in range(1, seeds + 1):
        command = [str(millrace), "run", chosen.recipe, "--data", str(data), "--root", str(root)]
        for setting in (*settings, f"trainer.seed={seed}"):
            command += ["--set", setting]
        begun = _cpu()
        done = subprocess.run(command, capture_output=True, check=False, text=True)
        seconds.append(_cpu() - begun)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        found.append(_errors(chosen, root))
        said = _chosen(_newest(root, "trainer"))
    return Ours(np.mean(found, axis=0), seconds[0], said)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _newest(root: pathlib.Path, step: str) -> Path:
    return Path(max((root / "artifacts" / step).iterdir(), key=lambda one: one.stat().st_mtime))


def _examples(chosen: QualitySet, root: pathlib.Path) -> Examples:
    """What the run read: the output of its ingest."""
    [step] = [one.name for one in (root / "artifacts").iterdir() if "example_gen" in one.name]
    return Examples(_newest(root, step))


def _spec(root: pathlib.Path) -> specs.Spec:
    return specs.read(Analysis(_newest(root, "analyze")).file)


def _chosen(trained: Path) -> str:
    file = trained / "candidates.csv"
    if not file.exists():
        return ""
    with file.open() as text:
        taken = [row for row in csv.DictReader(text) if float(row["share"] or 0)]
    return ", ".join(f"{row['name']} {float(row['share']):.0%}" for row in taken)


def _errors(chosen: QualitySet, root: pathlib.Path) -> np.ndarray:
    """Of each test row, in their order."""
    evaluation, spec = Evaluation(_newest(root, "evaluator")), _spec(root)
    if isinstance(spec, LanguageSpec):
        return np.array([evaluation.metrics["bits_per_character"]])
    if isinstance(spec, SeriesSpec):
        with evaluation.forecasts_file.open() as text:
            read = list(csv.DictReader(text))
        off = [abs(float(row["actual"]) - float(row["forecast"])) for row in read if row["actual"]]
        return np.array(off) / (spec.naive_error[0] or 1.0)
    examples = _examples(chosen, root)
    answers = _answers(Model(_newest(root, "export")), examples)
    truth = quality_references.labels(examples, spec)
    if isinstance(spec, TableSpec) and spec.problem == "regression":
        numbers = np.array([answer["prediction"] for answer in answers])
        return np.abs(numbers - np.array(truth, np.float64))
    return np.array(
        [answer["class"] != label for answer, label in zip(answers, truth, strict=True)]
    )


def _answers(model: Model, examples: Examples) -> list[dict[str, str]]:
    """What `model` says of each record of the test split."""
    with tempfile.TemporaryDirectory() as folder:
        bulk_inferrer(
            *(model, None, examples, None, Path(folder)),
            run_on=BeamOptions(),
            prediction_logs=False,
            splits=("test",),
            allow_unblessed=True,
        )
        lines = (pathlib.Path(folder) / "predictions.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def _references(chosen: QualitySet, root: pathlib.Path) -> Errors:
    examples, spec = _examples(chosen, root), _spec(root)
    match chosen.kind:
        case "text":
            return quality_references.of_texts(examples, cast(TextSpec, spec))
        case "table":
            return quality_references.of_tables(examples, cast(TableSpec, spec))
        case "series":
            return quality_references.of_series(examples, cast(SeriesSpec, spec))
        case "image":
            return quality_references.of_images(examples, cast(ImageSpec, spec))
        case "language":
            return quality_references.of_language(examples, cast(LanguageSpec, spec))


def difference(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of our mean error less theirs on the same rows, by a seeded bootstrap."""
    if ours.shape != theirs.shape or len(ours) == 1:
        return (math.nan, math.nan)
    off = ours - theirs
    random = np.random.default_rng(0)
    means = [off[random.integers(0, len(off), len(off))].mean() for _ in range(_DRAWS)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def table(judged: Sequence[Judged]) -> str:
    """Markdown: a line per set, and the geometric mean of the ratios of each kind of data."""
    lines = [f"| {' | '.join(_COLUMNS)} |", f"|{' --- |' * len(_COLUMNS)}"]
    lines += [f"| {' | '.join(_cells(each))} |" for each in judged]
    for group in dict.fromkeys(each.chosen.group for each in judged):
        ratios = [each.ratio for each in judged if each.chosen.group == group]
        mean = math.exp(np.mean(np.log(ratios)))
        lines.append(f"| **{group}** | | | | geometric mean | **{mean:.3f}** | | |")
    return "\n".join(lines) + "\n"


def _cells(each: Judged) -> list[str]:
    low, high = each.interval
    before = f"{each.before.errors.mean():.4g} ({each.before.seconds:.0f} s)" if each.before else ""
    return [
        each.chosen.name,
        f"{len(each.ours.errors):,}",
        before,
        f"{each.ours.errors.mean():.4g}" + (f" ({each.ours.chosen})" if each.ours.chosen else ""),
        f"{each.references[each.best]:.4g} ({each.best})",
        f"{each.ratio:.3f}",
        "" if math.isnan(low) else f"{low:+.3g} to {high:+.3g}",
        f"{each.ours.seconds:.0f}",
    ]


def _line(each: Judged) -> str:
    others = ", ".join(f"{name} {error:.4g}" for name, error in each.references.items())
    return f"{' | '.join(_cells(each))} | {others}"


if __name__ == "__main__":
    main()
