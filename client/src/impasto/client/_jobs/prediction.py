"""One call of a signature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from impasto.client._jobs.steps import Steps
from impasto.client._jobs.values import names
from impasto.client._transport import calls
from impasto.client.errors import CallError, DecodeError, InvalidInput, PreconditionFailed, SignatureNotFound
from impasto.client.model import Model
from impasto.client.signatures import SERVING_DEFAULT


def predict(
    model: Model,
    inputs: Mapping[str, object],
    *,
    signature: str | None,
    outputs: Sequence[str],
) -> Steps[calls.Outputs]:
    """Send one Predict; where the model cannot run it, its metadata tells whether the signature is what is missing.

    Raises:
        InvalidInput: an input cannot be sent, or `inputs` or `outputs` is no collection of them.
        DecodeError: the answer cannot be read, or lacks an output that was asked for.
        CallError: the call failed; SignatureNotFound if the model has no such signature.
    """
    wanted_outputs = names("outputs", outputs)
    _check_inputs(inputs)
    try:
        prediction = yield calls.predict_call(model, inputs, signature=signature, outputs=wanted_outputs)
    except PreconditionFailed as error:
        wanted = signature or SERVING_DEFAULT
        try:
            metadata = yield calls.metadata_call(model)
        except CallError:
            raise error from error.__cause__
        if wanted in metadata.signatures:
            raise
        raise error.as_kind(
            SignatureNotFound,
            f"{model.name} has no signature {wanted!r}; it has {', '.join(sorted(metadata.signatures))}",
        ) from error
    answer: calls.Outputs = prediction.outputs
    missing = [name for name in wanted_outputs if name not in answer]
    if missing:
        raise DecodeError(
            f"{model.name} answered without {', '.join(map(repr, missing))}, which was asked for",
            model=model.name,
        )
    return answer


def _check_inputs(inputs: object) -> None:
    if not isinstance(inputs, Mapping):
        raise InvalidInput(
            f"inputs is a {type(inputs).__name__}; it must be a dict of arrays by the names of the inputs"
        )
