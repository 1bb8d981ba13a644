"""The same bytes from every step, whatever must not matter.

    python -m tests.faults.determinism [KIND …]

The small recipe of each kind of data (see `tests.faults.kill`) runs on a root of its own, and again
with other hash seeds of Python, on another day (libfaketime, Debian's `faketime`; up to `export`),
and on a root whose path is longer, as the first run of its root each time. `files` reads the same
folder of pictures, texts and tables when its files were created in other orders, so that the file
system lists them otherwise. Every output must be the first one's, byte for byte but for what
`tests.faults.kill` names as volatile; SavedModels by sameness.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from millrace.pipeline.console import print_table, stdout_console
from tests.faults.disk import called
from tests.faults.kill import KINDS, WRITERS, Lost, differences, outputs
from tests.faults.server import FAKETIME

IN_ALL = {"CUDA_VISIBLE_DEVICES": ""}
VARIANTS = {
    "hash seed 1": {"PYTHONHASHSEED": "1"},
    "hash seed 2": {"PYTHONHASHSEED": "2"},
    "another day": {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME": "-400d",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    },
    "another root": {"PYTHONHASHSEED": "0"},
}


def run(words: list[str | Path], root: Path, settings: dict[str, str]) -> Path:
    """Run so on a fresh root; returns it.

    Raises:
        Lost: the run fails.
    """
    done = called(root, "run", *words, env={**os.environ, **IN_ALL, **settings})
    if done.returncode:
        raise Lost(f"{words[0]}: {done.stdout[-500:]}{done.stderr[-1500:]}")
    return root


def unlike(root: Path, first: Path, *, is_part: bool = False) -> list[str]:
    """The steps and files in which two roots of one run each differ, where each must have all steps
    or `root` may have a part of them.
    """
    ours, theirs = ({one.parent.name: one for one in outputs(each)} for each in (root, first))
    missing = ours.keys() - theirs.keys() if is_part else ours.keys() ^ theirs.keys()
    found = [f"{step} is missing" for step in sorted(missing)]
    for step in sorted(ours.keys() & theirs.keys()):
        found += [f"{step}/{name}" for name in differences(ours[step], theirs[step])]
    return found


def of_kind(name: str, base: Path) -> dict[str, list[str]]:
    """What differs in each variant of a kind's recipe."""
    kind, data = KINDS[name], base / "data.csv"
    words: list[str | Path] = [kind.recipe]
    for setting in kind.settings:
        words += ["--set", setting]
    if kind.data:
        WRITERS[kind.data](data)
        words += ["--data", data]
    first, found = run(words, base / "first", {"PYTHONHASHSEED": "0"}), {}
    for variant, settings in VARIANTS.items():
        if "LD_PRELOAD" in settings and not FAKETIME.exists():
            continue
        place = base / "another" / "place-of-a-longer-name" if variant == "another root" else base
        # Under libfaketime a wait for the model server of `infra_validator` ends with EINVAL.
        part = ["--to", "export"] if "LD_PRELOAD" in settings else []
        root = run([*words, *part], place / variant.replace(" ", "-"), settings)
        found[variant] = unlike(root, first, is_part=bool(part))
    return found


def write_files(kind: str, folder: Path, order: list[int]) -> None:
    """Twenty files of a kind in two folders, created in that order, the same whatever it is."""
    for number in order:
        place = folder / ("even", "odd")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        draw = np.random.default_rng(number)
        if kind == "images":
            pixels = draw.integers(0, 255, (8, 8, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(place / f"{number}.png")
        elif kind == "texts":
            (place / f"{number}.txt").write_text(f"a text about {number}, of {draw.random():.3f}")
        else:
            rows = "".join(f"{x:.3f},{int(x > 0)}\n" for x in draw.normal(size=20))
            (folder / f"{number}.csv").write_text(f"x,y\n{rows}")


def of_files(base: Path) -> dict[str, list[str]]:
    """What differs in what is read of folders whose files were created in other orders."""
    recipes = {"images": "image-classifier", "texts": "text-classifier", "tables": "tabular"}
    orders = [list(range(20)), list(range(20))[::-1], random.Random(7).sample(range(20), 20)]
    found: dict[str, list[str]] = {}
    for kind, recipe in recipes.items():
        roots = []
        for number, order in enumerate(orders):
            data = base / kind / str(number) / "data"
            write_files(kind, data, order)
            words: list[str | Path] = [recipe, "--data", data, "--to", "statistics_gen"]
            words += ["--set", "analyze.features.label=y"] if kind == "tables" else []
            roots.append(run(words, base / kind / f"root-{number}", {"PYTHONHASHSEED": "0"}))
            shutil.rmtree(data)
        for root in roots[1:]:
            found.setdefault(f"{kind} in another order", []).extend(unlike(root, roots[0]))
    return found


def main() -> int:
    """Print one row per kind and variant; returns 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("kinds", nargs="*", default=[*KINDS, "files"], metavar="KIND")
    rows, base = [], Path(tempfile.mkdtemp(prefix="determinism-"))
    for name in parser.parse_args().kinds:
        (base / name).mkdir()
        work: Callable[[Path], dict[str, list[str]]] = (
            of_files if name == "files" else lambda place, name=name: of_kind(name, place)
        )
        try:
            found = work(base / name)
        except Lost as error:
            found = {"a run": [f"failed: {error}"]}
        rows += [(name, variant, ", ".join(differing)) for variant, differing in found.items()]
    print_table(stdout_console(), ("kind", "variant", "differs in"), rows)
    if lost := any(differing for _, _, differing in rows):
        print(f"the roots are in {base}", file=sys.stderr)
    else:
        shutil.rmtree(base)
    return int(lost)


if __name__ == "__main__":
    sys.exit(main())
