"""Clients of a TensorFlow model server, this project's or the real one; no TensorFlow needed.

`Client` uses gRPC, `AsyncClient` gRPC with asyncio, `RestClient` HTTP and JSON. They have the same
methods. A name is imported when it is first used, so that nobody waits for a client not needed.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from millrace.serving.client.async_client import AsyncClient
    from millrace.serving.client.calls import Class, Metadata, Prediction, VersionStatus
    from millrace.serving.client.channel import Observation, Tls
    from millrace.serving.client.grpc_client import Client
    from millrace.serving.client.rest_client import RestClient

__all__ = [
    "AsyncClient",
    "Class",
    "Client",
    "Metadata",
    "Observation",
    "Prediction",
    "RestClient",
    "Tls",
    "VersionStatus",
]

_MODULES = {
    "AsyncClient": "async_client",
    "Class": "calls",
    "Client": "grpc_client",
    "Metadata": "calls",
    "Observation": "channel",
    "Prediction": "calls",
    "RestClient": "rest_client",
    "Tls": "channel",
    "VersionStatus": "calls",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
