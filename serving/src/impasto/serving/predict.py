"""Predict: a request's tensors through one signature of a loaded model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import grpc
from numpy.typing import NDArray
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import predict_pb2

from impasto.client._wire.format import delimited
from impasto.serving import tensors
from impasto.serving.errors import StatusError, invalid_argument
from impasto.serving.servable import Servable

SERVING_DEFAULT: Final = "serving_default"


def predict(
    servable: Servable,
    request: predict_pb2.PredictRequest,
    *,
    timeout_ms: int | None = None,
    as_content: bool = False,
) -> bytes:
    """Runs the request's signature on the servable.

    Args:
        servable: the loaded version; the request's model_spec only names the signature and is echoed.
        request: inputs by alias, and the aliases of the outputs wanted (all if none).
        timeout_ms: the run is aborted after this many milliseconds; None lets it run.
        as_content: write the outputs into `tensor_content` rather than into typed fields.

    Returns:
        The bytes of the PredictResponse.

    Raises:
        StatusError: with the code and message that TensorFlow Serving gives.
    """
    signature_name = request.model_spec.signature_name or SERVING_DEFAULT
    if signature_name not in servable.signatures:
        raise StatusError(
            grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{signature_name}" not found.'
        )
    signature = servable.signatures[signature_name]
    feeds = _feeds(signature, request)
    aliases = _output_aliases(signature, request.output_filter)
    fetches = [signature.outputs[alias].name for alias in aliases]
    outputs = servable.run(feeds, fetches, timeout_ms=timeout_ms)

    response = predict_pb2.PredictResponse()
    response.model_spec.name = request.model_spec.name
    response.model_spec.signature_name = signature_name
    response.model_spec.version.value = servable.version
    return response.SerializeToString() + b"".join(
        _output_entry(alias, tensors.to_wire(output, as_content=as_content))
        for alias, output in zip(aliases, outputs, strict=True)
    )


def _feeds(
    signature: meta_graph_pb2.SignatureDef, request: predict_pb2.PredictRequest
) -> dict[str, NDArray[Any]]:
    """The arrays to feed, by tensor name: the request's, and the signature's defaults where it has none."""
    sent, wanted = set(request.inputs), set(signature.inputs)
    if len(sent) > len(wanted) or (len(sent) < len(wanted) and not signature.defaults):
        raise invalid_argument(
            f"input size does not match signature: {len(sent)}!={len(wanted)} len({_braced(sent)}) != "
            f"len({_braced(wanted)}). Sent extra: {_braced(sent - wanted)}. "
            f"Missing but required: {_braced(wanted - sent)}."
        )
    # An output may have as many dimensions as an input.
    has_strings = any(output.dtype == types_pb2.DT_STRING for output in signature.outputs.values())
    max_rank = tensors.MAX_RANK_WITH_STRINGS if has_strings else tensors.MAX_RANK
    feeds = {}
    for alias in sorted(wanted):
        feed_name = signature.inputs[alias].name
        if alias in sent:
            proto = request.inputs[alias]
        elif alias in signature.defaults:
            proto = signature.defaults[alias]
        else:
            raise invalid_argument(
                f"Signature input alias: {alias}(feed name: {feed_name}) not found in request and no default "
                f"value provided. Inputs expected to be in the request {_braced(sent)}, or default input "
                f"alias set: {','.join(sorted(signature.defaults))}"
            )
        try:
            feeds[feed_name] = tensors.from_proto(proto, max_rank=max_rank)
        except tensors.TensorParseError as error:
            raise invalid_argument(f"tensor parsing error: {alias}") from error
    if not sent <= wanted:
        raise invalid_argument(
            f"Inputs contains invalid name. Used request inputs: {','.join(sorted(sent & wanted))}, "
            f"request input: {','.join(sorted(sent))}"
        )
    return feeds


def _output_aliases(signature: meta_graph_pb2.SignatureDef, output_filter: Sequence[str]) -> list[str]:
    seen: set[str] = set()
    for alias in output_filter:
        if alias not in signature.outputs:
            raise invalid_argument(
                f"output tensor alias not found in signature: {alias} "
                f"Outputs expected to be in the set {_braced(signature.outputs)}."
            )
        if alias in seen:
            raise invalid_argument(f"duplicate output tensor alias: {alias}")
        seen.add(alias)
    return list(output_filter) or sorted(signature.outputs)


def _output_entry(alias: str, tensor: bytes) -> bytes:
    """One entry of the response's map of outputs: on the wire a message of a key and a value."""
    number = predict_pb2.PredictResponse.DESCRIPTOR.fields_by_name["outputs"].number
    return delimited(number, delimited(1, alias.encode()) + delimited(2, tensor))


def _braced(names: Iterable[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"
