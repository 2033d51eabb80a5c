"""GetModelMetadata: the signatures of a loaded version."""

from __future__ import annotations

from typing import Final

from tensorflow_serving.apis import get_model_metadata_pb2

from impasto.serving.errors import invalid_argument
from impasto.serving.manager import ModelManager

SIGNATURE_DEF: Final = "signature_def"


def get_model_metadata(
    manager: ModelManager, request: get_model_metadata_pb2.GetModelMetadataRequest
) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """The SignatureDefs of the version that the request means, packed in an `Any`.

    Raises:
        StatusError: a field other than `signature_def`, no field, or no such servable.
    """
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    if not request.metadata_field:
        raise invalid_argument("GetModelMetadataRequest must specify at least one metadata_field")
    for field in request.metadata_field:
        if field != SIGNATURE_DEF:
            raise invalid_argument(f"Metadata field {field} is not supported")
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    with manager.use(request.model_spec) as servable:
        for name, signature in servable.signatures.items():
            signatures.signature_def[name].CopyFrom(signature)
        response.model_spec.name = servable.name
        response.model_spec.version.value = servable.version
    response.metadata[SIGNATURE_DEF].Pack(signatures)
    return response
