"""How many CPU cores this process may use: its CPU affinity, or its container's limit.

Source: the Linux kernel's documentation of control groups v2, `cpu.max`.
"""

import math
import os
from pathlib import Path

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def available(quota: Path = _QUOTA) -> int:
    """Returns the number of cores, at least one; `quota` is the file with the container's limit."""
    bound = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    try:
        allowed, _, period = quota.read_text().strip().partition(" ")
    except OSError:  # no such limit on this machine
        return bound
    if allowed == "max":
        return bound
    return max(1, min(bound, math.ceil(int(allowed) / int(period))))
