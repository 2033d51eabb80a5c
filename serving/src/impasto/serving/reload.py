"""HandleReloadConfigRequest: another configuration for the running server."""

from __future__ import annotations

from collections.abc import Callable

from tensorflow_serving.apis import model_management_pb2

from impasto.serving.core import ServerCore
from impasto.serving.errors import invalid_argument


def reload_config(
    core: ServerCore,
    request: model_management_pb2.ReloadConfigRequest,
    *,
    is_wanted: Callable[[], bool],
) -> model_management_pb2.ReloadConfigResponse:
    """Puts the request's list of models in force; see `ServerCore.reload`.

    Raises:
        StatusError: there is no list of models, it is refused, or a new model in it does not load.
    """
    if request.config.WhichOneof("config") != "model_config_list":
        raise invalid_argument(
            "ServerModelConfig type not supported by HandleReloadConfigRequest. "
            "Only ModelConfigList is currently supported"
        )
    core.reload(request.config, is_wanted=is_wanted)
    response = model_management_pb2.ReloadConfigResponse()
    response.status.SetInParent()
    for name in dict.fromkeys(request.metric_names):
        response.metric.add(name=name, int64_value_increase=0)  # there are no metrics, so none increased
    return response
