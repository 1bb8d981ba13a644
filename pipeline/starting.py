"""A run started by another process than a person's shell, such as by a button of the pages.

The command runs in a process of its own, which goes on when the one that started it ends. What it
prints is kept beside the logs of its run, in `console.txt`.
"""

import pathlib
import re
import shlex
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Sequence

import sqlalchemy as sa

from millrace.pipeline.errors import PipelineError, UsageError
from millrace.pipeline.records import RunRecord
from millrace.pipeline.root import Root
from millrace.pipeline.store import Store

PATIENCE = 60.0  # seconds until a run is recorded: the imports and the digests of large data
_LOOK_EVERY = 0.1  # seconds
_MAIN = "from millrace.pipeline.cli.main import main; main()"
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def start(
    store: Store,
    root: Root,
    words: Sequence[str],
    *,
    folder: str = "",
    patience: float = PATIENCE,
) -> str:
    """Start `millrace` with `words`, a run under `root`, and wait until that is recorded.

    Args:
        store: the record of runs.
        root: which the words name.
        words: of the command line, the first of them `run`, or another command that makes one.
        folder: where to run it, as relative paths count from there; here if it is not there.
        patience: seconds to wait.

    Returns:
        The run's id.

    Raises:
        UsageError: the command ended before; says what it said.
        PipelineError: it has recorded nothing in time, and goes on.
    """
    known = _recorded(store, root)
    (root.path / "runs").mkdir(parents=True, exist_ok=True)
    console = pathlib.Path(root.path) / "runs" / f".{uuid.uuid4().hex}.txt"
    with console.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", _MAIN, *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder if folder and pathlib.Path(folder).is_dir() else None,
            start_new_session=True,
        )
    threading.Thread(target=process.wait, name="started run", daemon=True).start()
    command = shlex.join(["millrace", *words])
    end = time.monotonic() + patience
    while time.monotonic() < end:
        has_ended = process.poll() is not None
        for run, own in _recorded(store, root).items():
            if run not in known and own == command:
                console.rename(root.run(run) / "console.txt")
                return run
        if has_ended:
            said = _COLOURS.sub("", console.read_text(errors="replace")).strip()
            console.unlink()
            raise UsageError(said or f"`{command}` ended without a word.")
        time.sleep(_LOOK_EVERY)
    raise PipelineError(
        f"`{command}`: expected its run to be recorded within {patience:g} s. Received: nothing "
        f"yet; process {process.pid} goes on, and writes to {console}. Look at the runs later."
    )


def _recorded(store: Store, root: Root) -> dict[str, str]:
    """The commands of the newest runs of the root."""
    query = (
        sa.select(RunRecord.id, RunRecord.arguments)
        .where(RunRecord.root == root.name)
        .order_by(RunRecord.started.desc(), RunRecord.id.desc())
        .limit(100)
    )
    with store.session() as session:
        return {run: arguments.get("command", "") for run, arguments in session.execute(query)}
