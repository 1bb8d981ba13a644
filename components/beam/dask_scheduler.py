"""Beam's Dask runner: whether its scheduler answers, how it spreads shards, and how it is left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from millrace.components.errors import OptionError

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

_SECONDS = 10


def check(address: str) -> None:
    """Refuse an address where no Dask scheduler answers.

    Args:
        address: `tcp://host:port`; the empty text names none: Dask starts a cluster itself.

    Raises:
        OptionError: no scheduler answers there.
    """
    if not address:
        return
    from distributed import Client

    try:
        Client(address, timeout=_SECONDS, set_as_default=False).close()
    except (OSError, ValueError, TypeError) as error:
        raise OptionError(
            f"Beam flags: --dask_client_address={address}: expected tcp://host:port of a Dask "
            f"scheduler. Received: {str(error).partition('. ')[0] or type(error).__name__}. Start "
            "one there by `dask scheduler`, and `dask worker` for each worker, or correct it."
        ) from None


def partitions(options: PipelineOptions) -> list[str]:
    """The flag that makes each shard a task of its own, unless a flag says otherwise."""
    given = options.get_all_options(drop_default=True)
    chosen = given.keys() & {"npartitions", "partition_size"}
    return [] if chosen else ["--dask_partition_size=1"]


def leave(result: Any) -> None:
    """Close the runner's connection, and the cluster if it has started one; Beam keeps both."""
    if (client := getattr(result, "client", None)) is not None:
        client.close()
