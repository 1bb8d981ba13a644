"""The machines of a training, as TF_CONFIG names them."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from millrace.components.errors import OptionError

MODULE = "millrace.components.training.ranks"
COMMAND = f"python -m {MODULE}"  # on every machine but the first
_EXAMPLE = (
    'TF_CONFIG=\'{"cluster": {"worker": ["a:2222", "b:2222"]}, '
    '"task": {"type": "worker", "index": 0}}\''
)


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The machines of a training.

    Attributes:
        addresses: `host:port` of each rank; the first one leads.
        rank: this process's place among them.
        has_chief: whether the first one is not counted among the workers.
    """

    addresses: tuple[str, ...]
    rank: int
    has_chief: bool = False

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Cluster":
        """What TF_CONFIG says, as TensorFlow reads it.

        Raises:
            OptionError: there is none, or it is none of a training among equals.
        """
        text = environment.get("TF_CONFIG")
        if not text:
            raise _misfit("TF_CONFIG in the environment", "none")
        try:
            config = json.loads(text)
        except ValueError:
            raise _misfit("JSON", text) from None
        tasks = _tasks(config)
        if not tasks:
            raise _misfit(
                "a cluster of workers, each host:port (1 to 65535), and at most one chief", text
            )
        twice = {each for each in tasks.values() if list(tasks.values()).count(each) > 1}
        if twice:
            raise _misfit("an address of its own for each rank", f"{', '.join(twice)} twice")
        task = config.get("task")
        if not isinstance(task, dict) or (task.get("type"), task.get("index")) not in tasks:
            raise _misfit("a task of the cluster, by its type and index", text)
        rank = list(tasks).index((task["type"], task["index"]))
        return cls(tuple(tasks.values()), rank, ("chief", 0) in tasks)

    @classmethod
    def led(cls, environment: Mapping[str, str]) -> "Cluster":
        """The same, of the first rank.

        Raises:
            OptionError: this is another one, or `of` raises it.
        """
        cluster = cls.of(environment)
        if cluster.rank:
            raise OptionError(
                f"trainer.strategy=multi_worker: expected the first rank of TF_CONFIG, "
                f"{cluster.addresses[0]}. Received: rank {cluster.rank}. Run this there, and "
                f"`{COMMAND}` here."
            )
        return cluster

    @classmethod
    def followed(cls, environment: Mapping[str, str]) -> "Cluster":
        """The same, of any other rank.

        Raises:
            OptionError: this is the first one, or `of` raises it.
        """
        cluster = cls.of(environment)
        if cluster.rank == 0:
            raise OptionError(
                "TF_CONFIG: expected another rank than the first. Received: "
                f"{cluster.addresses[0]}, which leads. Run `millrace run` here, and this on the "
                "other machines."
            )
        return cluster

    def others(self) -> dict[int, str]:
        """The addresses of the other ranks, by rank."""
        return {rank: each for rank, each in enumerate(self.addresses) if rank != self.rank}


def _tasks(config: Any) -> dict[tuple[str, int], str]:
    """The addresses of a cluster by type and index, by rank; none if it is not a fitting one."""
    cluster = config.get("cluster") if isinstance(config, dict) else None
    if not isinstance(cluster, dict) or cluster.keys() - {"chief", "worker"}:
        return {}
    lists = [(kind, cluster.get(kind, [])) for kind in ("chief", "worker")]
    if not all(isinstance(addresses, list) for _, addresses in lists) or len(lists[0][1]) > 1:
        return {}
    tasks = {
        (kind, index): address
        for kind, addresses in lists
        for index, address in enumerate(addresses)
    }
    return tasks if all(map(_is_address, tasks.values())) else {}


def _is_address(text: Any) -> bool:
    host, _, port = text.rpartition(":") if isinstance(text, str) else ("", "", "")
    return bool(host) and port.isascii() and port.isdecimal() and 0 < int(port) < 1 << 16


def _misfit(expected: str, received: str) -> OptionError:
    return OptionError(
        f"trainer.strategy=multi_worker: expected {expected}. Received: {received}. "
        f"For example {_EXAMPLE}, and another index on each machine."
    )
