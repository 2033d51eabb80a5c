"""Predict: run one signature of a loaded model on a request's tensors."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import grpc
from numpy.typing import NDArray
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import predict_pb2

from impasto.serving.errors import StatusError, invalid_argument
from impasto.serving.local import requests, tensors
from impasto.serving.local.servable import Servable, Taken
from impasto.serving.wire import Pieces, delimited, nested

SERVING_DEFAULT: Final = "serving_default"

_UNSENDABLE: Final = {types_pb2.DT_VARIANT: "variant", types_pb2.DT_RESOURCE: "resource"}
"""The dtypes of outputs that numpy has no arrays for: lists of tensors, and handles of variables."""

_MAX_REPEATED_BYTES: Final = 1 << 26
"""The most bytes that a whole request may leave to repetition: 2**24 float32 numbers."""

_MAX_UNFITTING_BYTES: Final = 1 << 20
"""The most bytes that a tensor of another shape than the model's may leave to repetition."""


def predict(
    servable: Servable,
    request: predict_pb2.PredictRequest,
    *,
    elements: Mapping[str, requests.Elements] = MappingProxyType({}),
    timeout_ms: int | None = None,
    as_content: bool = False,
    what_can_be_sent: bool = False,
) -> bytes:
    """Run the request's signature on the servable.

    Args:
        servable: the loaded version; the request's model_spec only names the signature and is copied into the response.
        request: inputs by alias, and the aliases of the wanted outputs (all if it names none).
        elements: what was taken out of the request's tensors, by alias.
        timeout_ms: the milliseconds after which the run is aborted; None for no limit.
        as_content: write the outputs into `tensor_content` rather than into typed fields.
        what_can_be_sent: leave out the outputs that no response can hold, rather than refuse them.

    Returns:
        The bytes of the PredictResponse.

    Raises:
        StatusError: the request is refused or fails; code and message are TensorFlow Serving's.
    """
    signature_name = request.model_spec.signature_name or SERVING_DEFAULT
    if signature_name not in servable.signatures:
        raise StatusError(
            grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{signature_name}" not found.'
        )
    signature = servable.signatures[signature_name]
    feeds = _feeds(servable, signature, request, elements)
    aliases = _output_aliases(signature, request.output_filter)
    unsendable = _unsendable(servable, signature)
    if what_can_be_sent:
        aliases = [alias for alias in aliases if alias not in unsendable]
    _check_sendable(signature, aliases, unsendable)
    fetches = [signature.outputs[alias].name for alias in aliases]
    outputs = servable.run(feeds, fetches, timeout_ms=timeout_ms)
    del feeds  # a picture's memory is needed for the response

    response = predict_pb2.PredictResponse()
    response.model_spec.name = request.model_spec.name
    response.model_spec.signature_name = signature_name
    response.model_spec.version.value = servable.version
    pieces: Pieces = [response.SerializeToString()]
    for alias, output in zip(aliases, outputs, strict=True):
        pieces += _output_entry(alias, tensors.to_wire(output, as_content=as_content))
    return b"".join(pieces)


def _feeds(
    servable: Servable,
    signature: meta_graph_pb2.SignatureDef,
    request: predict_pb2.PredictRequest,
    elements: Mapping[str, requests.Elements],
) -> dict[str, NDArray[Any]]:
    """Return the arrays to feed, by tensor name: the request's, else the signature's defaults."""
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
    budget = _RepetitionBudget()
    feeds = {}
    for alias in sorted(wanted):
        feed_name = signature.inputs[alias].name
        taken_out: requests.Elements = {}
        if alias in sent:
            proto, taken_out = request.inputs[alias], elements.get(alias, {})
        elif alias in signature.defaults:
            proto = signature.defaults[alias]
        else:
            raise invalid_argument(
                f"Signature input alias: {alias}(feed name: {feed_name}) not found in request and no default "
                f"value provided. Inputs expected to be in the request {_braced(sent)}, or default input "
                f"alias set: {','.join(sorted(signature.defaults))}"
            )
        try:
            feeds[feed_name] = _array(servable.takes(feed_name), proto, taken_out, max_rank, budget)
        except tensors.TensorParseError as error:
            raise invalid_argument(f"tensor parsing error: {alias}") from error
    if not sent <= wanted:
        raise invalid_argument(
            f"Inputs contains invalid name. Used request inputs: {','.join(sorted(sent & wanted))}, "
            f"request input: {','.join(sorted(sent))}"
        )
    return feeds


class _RepetitionBudget:
    """The bytes that one request may still leave to repetition, over all of its inputs.

    A message of 100 bytes can ask for any number of gigabytes. TensorFlow Serving tries to allocate them, and is
    killed if there is too little memory.
    """

    def __init__(self) -> None:
        self._left = _MAX_REPEATED_BYTES

    def take(self, size: int, *, fits: bool) -> None:
        """Use up the budget before memory is allocated.

        Args:
            size: the bytes that repetition would fill.
            fits: the tensor has the shape that the model takes.

        Raises:
            tensors.TensorParseError: these are too many bytes.
        """
        if not fits and size > _MAX_UNFITTING_BYTES:
            raise tensors.TensorParseError(
                "too many elements are left to repetition in a shape that the model does not take"
            )
        if size > self._left:
            raise tensors.TensorParseError("the request leaves too many elements to repetition")
        self._left -= size


def _array(
    taken: Taken | None,
    proto: tensor_pb2.TensorProto,
    elements: requests.Elements,
    max_rank: int,
    budget: _RepetitionBudget,
) -> NDArray[Any]:
    """Return an input's array; values are repeated only for the dtype, and in bulk only for the shape, of the model."""
    fits = taken is None
    if taken is not None and len(proto.tensor_shape.dim) <= max_rank:
        sizes = [dim.size for dim in proto.tensor_shape.dim]
        fits = min(sizes, default=0) >= 0 and taken.shape.is_compatible_with(sizes)
    return tensors.from_proto(
        proto,
        elements=elements,
        max_rank=max_rank,
        allow=functools.partial(budget.take, fits=fits),
        is_wanted=taken is None or taken.data_type == proto.dtype,
    )


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


def _unsendable(servable: Servable, signature: meta_graph_pb2.SignatureDef) -> dict[str, str]:
    """Return the aliases of outputs that no response can hold, with their kind. The graph knows it, whatever the
    signature says of an output.
    """
    kinds: dict[str, str] = {}
    for alias, output in signature.outputs.items():
        taken = servable.takes(output.name)
        kind = _UNSENDABLE.get(output.dtype if taken is None else taken.data_type)
        if kind is not None:
            kinds[alias] = kind
    return kinds


def _check_sendable(
    signature: meta_graph_pb2.SignatureDef, aliases: Sequence[str], unsendable: Mapping[str, str]
) -> None:
    for alias in aliases:
        if alias in unsendable:
            others = set(signature.outputs) - set(unsendable)
            raise StatusError(
                grpc.StatusCode.UNIMPLEMENTED,
                f"output {alias} is a {unsendable[alias]}, which no response of this server can hold; "
                f"ask for others with output_filter: {_braced(others)}",
            )


def _output_entry(alias: str, tensor: Pieces) -> Pieces:
    """Return an entry of the response's map of outputs: a message of a key and a value."""
    number = predict_pb2.PredictResponse.DESCRIPTOR.fields_by_name["outputs"].number
    return nested(number, [delimited(1, alias.encode()), *nested(2, tensor)])


def _braced(names: Iterable[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"
