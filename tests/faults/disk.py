"""Real disks that refuse: a file system that fills up or is read-only, and bits that turn.

    python -m tests.faults.disk [--steps 20] [FAULT …]

`full`: the root is on a file system of its own (a tmpfs, mounted by root) with room for less than a
run needs, a little more each time; then it is given room, and the next run must end as if nothing
had been. `read-only`: the file system of a finished root is mounted read-only, which the user
`nobody` has made; a run is refused with a text, to root and to nobody, and `runs` and `verify` go
on. `denied`: the same where the root is somebody else's, for a process that has no power to pass
over that; and data that only another may read. `nobody`: the user of that name, who has no home and
may write below the root alone, runs each kind of data, and is refused where even that is not so.
`slow`: each write, sync and rename takes its time, by a library that a C compiler makes; the run
ends as any other. `bits`: one bit is turned in each file of each output: `millrace verify` names
every one, and after `verify --repair` the next run makes them again. All is done by the command
`millrace`, which may never print a traceback.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from millrace.pipeline.console import print_table, stdout_console
from tests.faults.kill import (
    KINDS,
    MILLRACE,
    WRITERS,
    Lost,
    check_done,
    check_store,
    contents,
    write_table,
)

RUN = ["run", "line-fit", "--set", "trainer.epochs=30", "--json"]


# Without what lets root read and write the files of others. Not as another user, since Python may
# lie where none but root may look.
POWERLESS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner,-chown")
NOBODY = 65534
# The user without rights, who may look at what only root may, since Python may lie there.
AS_NOBODY = (
    *("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
)
SLOW = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <sys/types.h>
#include <unistd.h>
#define SLOW(ms, type, name, given, passed) \\
  type name given { \\
    static type (*next) given; \\
    if (!next) next = (type (*) given) dlsym(RTLD_NEXT, #name); \\
    usleep(ms * 1000); \\
    return next passed; \\
  }
SLOW(1, ssize_t, write, (int f, const void *b, size_t n), (f, b, n))
SLOW(5, ssize_t, pwrite64, (int f, const void *b, size_t n, off_t o), (f, b, n, o))
SLOW(200, int, fsync, (int f), (f))
SLOW(200, int, fdatasync, (int f), (f))
SLOW(50, int, rename, (const char *a, const char *b), (a, b))
"""


def of_nobody() -> dict[str, Any]:
    """How `called` runs a command as the user `nobody`, who has no home."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    environment = {**kept, "HOME": "/nonexistent", "CUDA_VISIBLE_DEVICES": ""}
    return {"prefix": AS_NOBODY, "env": environment, "cwd": "/"}


def called(
    root: Path, *words: str | Path, prefix: tuple[str, ...] = (), **more: Any
) -> subprocess.CompletedProcess[str]:
    """What `millrace` says with that root.

    Raises:
        Lost: it prints a traceback, or is killed.
    """
    command = [*prefix, MILLRACE, *words, "--root", root]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    if "Traceback" in done.stderr + done.stdout or done.returncode < 0:
        raise Lost(
            f"{' '.join(map(str, words))} ended with {done.returncode}: {done.stderr[-3000:]}"
        )
    return done


@contextlib.contextmanager
def mounted(folder: Path, size: int) -> Iterator[Callable[[str], None]]:
    """A tmpfs of so many KiB at `folder`; yields what mounts it with other options."""
    folder.mkdir()

    def mount(options: str) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)

    mount(f"size={size}k")
    try:
        yield lambda options: mount(f"remount,{options}")
    finally:
        subprocess.run(["umount", folder], check=True)


def full(base: Path, whole: Path, steps: int) -> str:
    """Run on a disk with room for a part of the run, then with room for all."""
    size = sum(file.stat().st_size for file in whole.rglob("*") if file.is_file()) // 1024
    ends, said = 0, set()
    for number in range(steps):
        with mounted(base / f"disk-{number}", max(16, size * number // steps)) as remount:
            root = base / f"disk-{number}" / "root"
            done = called(root, *RUN)
            if done.returncode == 0:
                raise Lost(f"a run of {size} KiB is done in {size * number // steps}")
            if "space" not in done.stdout + done.stderr and "full" not in done.stdout + done.stderr:
                raise Lost(f"not told of the disk: {done.stdout[-500:]}{done.stderr[-1500:]}")
            said.add(done.returncode)
            remount(f"size={4 * size + 4096}k")
            check_store(root)
            again = called(root, *RUN)
            if again.returncode:
                raise Lost(f"with room: {again.stderr[-1500:]}")
            check_done(root, whole, json.loads(again.stdout))
            ends += 1
    return f"{ends} of {steps} sizes, exit {said}"


def read_only(base: Path, whole: Path) -> str:
    """Use a finished root of nobody's, on a file system that has become read-only."""
    base.chmod(0o755)
    with mounted(base / "disk-ro", 65536) as remount:
        root = base / "disk-ro" / "root"
        root.mkdir()
        os.chown(root, NOBODY, NOBODY)
        made = called(root, *RUN, **of_nobody())
        if made.returncode:
            raise Lost(f"run of nobody: {made.stderr[-500:]}")
        check_done(root, whole, json.loads(made.stdout))
        before = contents(root)
        remount("ro")
        for who, how in (("root", {}), ("nobody", of_nobody())):
            refused = called(root, *RUN, **how)
            if refused.returncode == 0 or "ead-only" not in refused.stderr + refused.stdout:
                raise Lost(f"run of {who}: {refused.returncode} {refused.stderr[-500:]}")
            for command in ("runs", "verify"):
                if (done := called(root, command, **how)).returncode:
                    raise Lost(f"{command} of {who}: {done.stderr[-500:]}")
        if contents(root) != before:
            raise Lost("the root has changed")
        remount("rw")
        if (done := called(root, *RUN, **of_nobody())).returncode:
            raise Lost(f"not usable when it may be written again: {done.stderr[-500:]}")
    return "made by nobody; refused with a text to root and nobody; runs and verify work"


def denied(base: Path, whole: Path) -> str:
    """Use a finished root of somebody else's, and data that are somebody else's alone."""
    root = base / "denied"
    called(root, *RUN)
    before, places = contents(root), [root, *root.rglob("*")]
    for place in places:
        os.chown(place, NOBODY, NOBODY)
        place.chmod(0o755 if place.is_dir() else 0o644)
    refused = called(root, *RUN, prefix=POWERLESS)
    if refused.returncode == 0 or "ermission denied" not in refused.stderr + refused.stdout:
        raise Lost(f"run: {refused.returncode} {refused.stderr[-500:]}")
    for command in ("runs", "verify"):
        if (done := called(root, command, prefix=POWERLESS)).returncode:
            raise Lost(f"{command}: {done.stderr[-500:]}")
    if contents(root) != before:
        raise Lost("the root has changed")
    for place in places:
        os.chown(place, 0, 0)
    check_done(root, whole, json.loads(called(root, *RUN, prefix=POWERLESS).stdout))
    data = base / "data.csv"
    write_table(data)
    os.chown(data, NOBODY, NOBODY)
    data.chmod(0o600)
    read = called(base / "other", "run", "penguins", "--data", data, prefix=POWERLESS)
    if read.returncode == 0 or data.name not in read.stderr + read.stdout:
        raise Lost(f"data: {read.returncode} {read.stderr[-500:]}")
    return "refused with a text, root and data; runs and verify work"


def nobody(base: Path, whole: Path) -> str:
    """Run each kind of data as the user `nobody`, and without the right to write to the root."""
    base.chmod(0o755)
    for name, kind in KINDS.items():
        place = base / f"nobody-{name}"
        (place / "root").mkdir(parents=True)
        if kind.data:
            WRITERS[kind.data](place / "data.csv")
        _, *words = kind.command(place, place / "root")
        words = words[: words.index("--root")]
        refused = called(place / "root", *words, **of_nobody())
        if refused.returncode == 0 or "can be written to" not in refused.stderr + refused.stdout:
            raise Lost(f"{name}, no right to write: {refused.returncode} {refused.stderr[-500:]}")
        os.chown(place / "root", NOBODY, NOBODY)
        done = called(place / "root", *words, **of_nobody())
        if done.returncode:
            raise Lost(f"{name}: {done.stdout[-500:]}{done.stderr[-1500:]}")
    return f"done, and refused without the right to write to the root: {', '.join(KINDS)}"


def slow(base: Path, whole: Path) -> str:
    """Run where each write, sync and rename takes its time."""
    (base / "slow.c").write_text(SLOW)
    library = base / "slow.so"
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return "not tried: there is no C compiler"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", library, base / "slow.c", "-ldl"]
    subprocess.run(command, check=True)
    environment = {**os.environ, "LD_PRELOAD": str(library)}
    done = called(base / "slow", *RUN, env=environment)
    if done.returncode:
        raise Lost(f"run: {done.stdout[-500:]}{done.stderr[-1500:]}")
    check_store(base / "slow")
    check_done(base / "slow", whole, json.loads(done.stdout))
    return "done, equal to an undisturbed run"


def bits(base: Path, whole: Path) -> str:
    """Turn a bit in each file of each output, by the seed 7."""
    root, draw = base / "bits", random.Random(7)
    called(root, *RUN)
    files = [file for file in root.glob("artifacts/*/*/**/*") if file.is_file()]
    files = [file for file in files if file.stat().st_size]
    for file in files:
        data = bytearray(file.read_bytes())
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        file.write_bytes(data)
    told = called(root, "verify", "--json").stdout
    if unnamed := [file for file in files if file.name not in told]:
        raise Lost(f"verify does not name {', '.join(map(str, unnamed))}")
    called(root, "verify", "--repair")
    again = called(root, *RUN)
    check_done(root, whole, json.loads(again.stdout))
    return f"{len(files)} files, all named, all made again"


def main() -> int:
    """Print one row per fault; returns 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=20, help="sizes of the disk that fills up")
    parser.add_argument(
        "faults", nargs="*", metavar="FAULT", help="without root, bits and slow alone"
    )
    arguments = parser.parse_args()
    base, rows = Path(tempfile.mkdtemp(prefix="disk-")), []
    whole = base / "whole"
    called(whole, *RUN)
    cases: dict[str, Callable[[], str]] = {
        "bits": lambda: bits(base, whole),
        "slow": lambda: slow(base, whole),
    }
    if os.geteuid() == 0:
        cases["nobody"] = lambda: nobody(base, whole)
        cases["denied"] = lambda: denied(base, whole)
        cases["read-only"] = lambda: read_only(base, whole)
        cases["full"] = lambda: full(base, whole, arguments.steps)
    for name in arguments.faults or cases:
        try:
            rows.append((name, cases[name](), ""))
        except Lost as error:
            rows.append((name, "", f"LOST: {error}"))
    print_table(stdout_console(), ("fault", "survived", "lost"), rows)
    shutil.rmtree(base)
    return int(any(lost for _, _, lost in rows))


if __name__ == "__main__":
    sys.exit(main())
