"""A local gRPC server that answers TensorFlow Serving's API from a model repository.

    from impasto.serving import LocalServer

    with LocalServer("models") as server:
        print(server.address)

Importing this package is light; TensorFlow is imported when a server starts.
"""

from __future__ import annotations

from impasto.serving.errors import (
    AddressError,
    ConfigError,
    LocalServerError,
    ModelLoadError,
    RepositoryError,
)
from impasto.serving.local.options import GrpcOptions, ServerOptions
from impasto.serving.local.server import LocalServer
from impasto.serving.local.sources import ConfigFile, SingleModel

__all__ = [
    "AddressError",
    "ConfigError",
    "ConfigFile",
    "GrpcOptions",
    "LocalServer",
    "LocalServerError",
    "ModelLoadError",
    "RepositoryError",
    "ServerOptions",
    "SingleModel",
]
