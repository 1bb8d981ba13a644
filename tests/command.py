"""The real commands, as a shell would start them."""

import os
import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent


def millrace(*arguments, cwd=None, program="millrace", timeout=280, **environment):
    """Run the installed command; returns the finished process, its output as text."""
    return subprocess.run(
        [BIN / program, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env={**os.environ, "NO_COLOR": "1", **environment},
    )


def started(*arguments, **more):
    """Start the installed command; its output is one stream of text."""
    return subprocess.Popen(
        [BIN / "millrace", *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **more,
    )


def processes():
    """What runs on this machine, without zombies: number, parent's number and command line."""
    listed = subprocess.run(
        ["ps", "-ww", "-eo", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True
    )
    rows = [line.split(None, 3) for line in listed.stdout.splitlines()]
    return [
        (int(pid), int(parent), args)
        for pid, parent, state, args in rows
        if not state.startswith("Z")
    ]


def children(pid):
    """The command lines of the processes that `pid` started, by number.

    One that was forked a moment ago, and still has its parent's, is left out.
    """
    found = processes()
    own = [args for one, _, args in found if one == pid]
    return {one: args for one, parent, args in found if parent == pid and args not in own}


def is_alive(pid):
    """Whether there is such a process."""
    return pid in {one for one, _, _ in processes()}
