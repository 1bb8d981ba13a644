"""The wheel, built twice, installed into fresh environments with the lock, and tried there.

    python -m tests.faults.installed [--lock requirements-cpu.lock] PYTHON…

Each PYTHON is a version (`3.12`) on the path or in pyenv, or an interpreter. It fetches a gigabyte
for each. What is tried has no repository around it: `millrace --version`, `millrace run line-fit`,
a question to the pushed model, and the run again, of which every step must be a cache hit.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from millrace.pipeline.console import print_table, stdout_console

ROOT = Path(__file__).parents[2]
BUILD = "import sys, setuptools.build_meta as b; print(b.build_wheel(sys.argv[1]))"


def main() -> None:
    """Print one row per Python; ends with 1 if a wheel differs or a command fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lock", default="requirements.lock")
    parser.add_argument("pythons", nargs="*", default=["3.11", "3.12", "3.13"])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        first, again = (build(Path(folder, name)) for name in ("first", "again"))
        if first.read_bytes() != again.read_bytes():
            raise SystemExit(f"{first.name}: two builds of one source differ")
        digest = hashlib.sha256(first.read_bytes()).hexdigest()[:12]
        rows = [
            (version, digest, *tried(interpreter(version), first, arguments.lock))
            for version in arguments.pythons
        ]
    heads = ("Python", "wheel", "says", "line-fit", "its answer to 10", "run again")
    print_table(stdout_console(), heads, rows)


def build(folder: Path) -> Path:
    """The wheel of the files that git has, built in a clone."""
    source = folder / "source"
    subprocess.run(["git", "clone", "--quiet", ROOT, source], check=True)
    done = subprocess.run(
        [sys.executable, "-c", BUILD, folder],
        cwd=source,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000"},
        check=True,
        capture_output=True,
        text=True,
    )
    return folder / done.stdout.splitlines()[-1]


def interpreter(version: str) -> str:
    """The interpreter of `version`: one of pyenv's, else that on the path."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    found = sorted(versions.glob(f"{version}.*/bin/python"))
    return str(found[-1]) if found else version if "/" in version else f"python{version}"


def tried(python: str, wheel: Path, lock: str) -> tuple[str, str, str, str]:
    """Install `wheel` in an environment of its own and run it; what it said."""
    with tempfile.TemporaryDirectory() as folder:
        bin_folder = Path(folder, "environment", "bin")
        call([python, "-m", "venv", bin_folder.parent], folder)
        pip = [bin_folder / "pip", "install", "--quiet", "--disable-pip-version-check"]
        call([*pip, "--require-hashes", "-r", ROOT / lock], folder)
        call([*pip, "--no-deps", wheel], folder)
        millrace = bin_folder / "millrace"
        version = call([millrace, "--version"], folder)
        run = json.loads(call([millrace, "run", "line-fit", "--json"], folder))
        answer = call([millrace, "predict", "line-fit", "x=10"], folder)
        again = json.loads(call([millrace, "run", "line-fit", "--json"], folder))
        hits = sum(step["status"] == "cached" for step in again["steps"])
        return version, run["status"], answer, f"{hits} of {len(again['steps'])} cached"


def call(command: list[str | Path], folder: str) -> str:
    """What `command` prints; run in `folder`, so that nothing of the repository is found."""
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stderr[-3000:]}")
    return done.stdout.strip()


if __name__ == "__main__":
    main()
