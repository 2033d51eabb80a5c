"""GetModelStatus: the states of a model's versions."""

from __future__ import annotations

from tensorflow_serving.apis import get_model_status_pb2

from impasto.serving.errors import invalid_argument, not_found
from impasto.serving.manager import ModelManager


def get_model_status(
    manager: ModelManager, request: get_model_status_pb2.GetModelStatusRequest
) -> get_model_status_pb2.GetModelStatusResponse:
    """The state of one version, or of all versions newest first; a label in the request is ignored.

    Raises:
        StatusError: no ModelSpec, no such model or version.
    """
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    spec = request.model_spec
    states = manager.states(spec.name)
    if spec.HasField("version"):
        states = [state for state in states if state.version == spec.version.value]
        if not states:
            raise not_found(f"Could not find version {spec.version.value} of model {spec.name}")
    elif not states:
        raise not_found(f"Could not find any versions of model {spec.name}")
    return get_model_status_pb2.GetModelStatusResponse(model_version_status=states)
