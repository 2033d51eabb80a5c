"""The gRPC health service, under the names that TensorFlow Serving registers and their full names."""

from __future__ import annotations

from typing import Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

SERVICES: Final = (
    "",
    "ModelService",
    "PredictionService",
    "tensorflow.serving.ModelService",
    "tensorflow.serving.PredictionService",
)


class Health:
    """Answers health checks: SERVING from the start until `stop_serving`.

    Args:
        server: the server to add the service to; it must not have started.
    """

    def __init__(self, server: grpc.Server) -> None:
        self._servicer = health.HealthServicer()
        for service in SERVICES:
            self._servicer.set(service, health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    def stop_serving(self) -> None:
        """Every service is NOT_SERVING from now on."""
        self._servicer.enter_graceful_shutdown()
