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
