"""What a process holds, as Linux tells it."""

import pathlib


class Process:
    """A process of this machine."""

    def __init__(self, number: int) -> None:
        self._folder = pathlib.Path(f"/proc/{number}")

    def memory(self) -> float:
        """What is resident, MiB."""
        return self._status("VmRSS") / 1024

    def threads(self) -> int:
        """How many there are."""
        return self._status("Threads")

    def files(self) -> int:
        """How many are open, sockets among them."""
        return len(list((self._folder / "fd").iterdir()))

    def _status(self, field: str) -> int:
        for line in (self._folder / "status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name == field:
                return int(value.split()[0])
        raise KeyError(field)
