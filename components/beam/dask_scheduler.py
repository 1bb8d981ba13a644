"""Beam's Dask runner: whether its scheduler answers, how it spreads shards, and how it is left."""

from __future__ import annotations

import asyncio
import concurrent.futures
import urllib.parse
from typing import TYPE_CHECKING, Any

from millrace.components.errors import OptionError

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

_SECONDS = 10.0
_SCHEDULER = "Scheduler"


def check(address: str | None) -> None:
    """Refuse an address where no Dask scheduler answers.

    Args:
        address: `tcp://host:port`; None where no flag names one: Dask starts a cluster itself.

    Raises:
        OptionError: no scheduler answers there.
    """
    if address is None:
        return
    if not address:  # such as a variable that is not set
        raise OptionError(
            "Beam flags: --dask_client_address: expected tcp://host:port of a Dask scheduler. "
            "Received: nothing. Give it, or leave the flag out: Dask then starts workers here."
        )
    # In a thread of its own: a notebook's has an event loop already.
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        try:
            kind = pool.submit(asyncio.run, _kind(address)).result()
        except (OSError, ValueError, TypeError) as error:
            reason = str(error).partition("\n")[0] or f"no answer in {_SECONDS:g} s"
            raise _refusal(address, reason) from None
    if kind != _SCHEDULER:
        raise _refusal(address, f"a Dask {kind.lower()}")


async def _kind(address: str) -> str:
    """What Dask's server at `address` is; `Client` would wait for a silent one forever."""
    from distributed.core import rpc

    host = urllib.parse.urlsplit(address if "://" in address else f"tcp://{address}").hostname
    if host:  # a name that nobody knows is looked up until the time is over
        await asyncio.get_running_loop().getaddrinfo(host, None)
    async with rpc(address, timeout=_SECONDS) as server:
        answer = await asyncio.wait_for(server.identity(), _SECONDS)
    return str(answer["type"])


def _refusal(address: str, received: str) -> OptionError:
    return OptionError(
        f"Beam flags: --dask_client_address={address}: expected tcp://host:port of a Dask "
        f"scheduler. Received: {received}. Start one there by `dask scheduler`, and `dask worker` "
        "for each worker, or correct it."
    )


def partitions(options: PipelineOptions) -> list[str]:
    """The flag that makes each shard a task of its own, unless a flag says otherwise."""
    given = options.get_all_options(drop_default=True)
    chosen = given.keys() & {"npartitions", "partition_size"}
    return [] if chosen else ["--dask_partition_size=1"]


def leave(result: Any) -> None:
    """Close the runner's connection, and the cluster if it has started one; Beam keeps both."""
    if (client := getattr(result, "client", None)) is not None:
        client.close()
