"""The gRPC health service, under the names that TensorFlow Serving registers."""

from __future__ import annotations

from typing import Any, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

SERVICES: Final = ("", "ModelService", "PredictionService")


class Health:
    """Answers health checks: SERVING from the start until `stop_serving`.

    Args:
        server: the server to add the service to; it must not have started.
    """

    def __init__(self, server: grpc.Server) -> None:
        self._servicer = _Servicer()
        for service in SERVICES:
            self._servicer.set(service, health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)

    def stop_serving(self) -> None:
        """Turn every service NOT_SERVING."""
        self._servicer.enter_graceful_shutdown()


class _Servicer(health.HealthServicer):
    """Refuses unknown names with the text of gRPC's C++ service, where Python's has none."""

    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802  # the method's name in the API
        if request.service not in SERVICES:
            context.abort(grpc.StatusCode.NOT_FOUND, "service name unknown")
        return super().Check(request, context)
