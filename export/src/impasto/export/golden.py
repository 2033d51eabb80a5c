"""Writing golden records: requests, and what the SavedModel answers once it is loaded as a server loads it.

A request may need what an earlier one was answered, such as the targets of an optimisation. So an exporter's requests
are a generator, which receives the outputs of each request that it yields:

    def requests() -> Requests:
        opened = yield "open", {"image": picture}
        yield "ascend", {"state": opened["state"], "steps": 2}
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from numpy.typing import NDArray

from impasto.client.repository import golden
from impasto.client.repository.golden import GoldenRecord
from impasto.export.repository import PublishError
from impasto.export.saved_model import ServedModel
from impasto.export.warmup import Request, checked_inputs

Outputs: TypeAlias = Mapping[str, NDArray[Any]]
"""A signature's outputs by name."""

Requests: TypeAlias = Generator[Request, Outputs, None]
"""Requests of golden records, which receive their outputs."""

_LARGEST_RECORD: Final = 16 * 2**20
"""Bytes of a golden record's file: it is copied with the version, and called at each check."""

_SAME: Final = 0.01
"""The largest part of an output by which two runs of one request may differ, as on machines with many threads."""


def independent(requests: Iterable[Request]) -> Requests:
    """Requests none of which needs what another one was answered."""
    for request in requests:  # noqa: UP028 - `yield from` would send the outputs on to `requests`
        yield request


def write_golden(target: Path, served: ServedModel, requests: Requests, *, where: str) -> None:
    """Run each request twice, and write it and its outputs into the version that is being made.

    Golden records that the directory brings are replaced.

    Args:
        target: the version's directory.
        served: the SavedModel in it.
        requests: what to run.
        where: where the requests come from, for messages.

    Raises:
        PublishError: a request fails, has another answer each time, or is too large for a record.
        WarmupError: an input does not fit its signature.
    """
    folder = target / golden.FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.npz"):
        old.unlink()
    place, outputs = 0, None
    while (request := _next(requests, outputs)) is not None:
        place += 1
        record = _recorded(served, request, f"{where}: request {place}")
        outputs = record.outputs
        (folder / f"{place:04}.npz").write_bytes(record.to_bytes())


def golden_files(target: Path) -> tuple[str, ...]:
    """The files of the golden records in a version's directory, for the manifest's field `golden`."""
    return tuple(
        sorted(path.relative_to(target).as_posix() for path in (target / golden.FOLDER).glob("*.npz"))
    )


def run_request(
    served: ServedModel, signature: str, inputs: Mapping[str, npt.ArrayLike], where: str
) -> dict[str, NDArray[Any]]:
    """Run a request; what it raises says where it comes from. Raises PublishError."""
    try:
        return served.run(signature, inputs)
    except (tf.errors.OpError, ValueError, TypeError) as error:
        said = _words(error)
        raise PublishError(
            f"{where} of {signature!r} fails ({said}): mend the request or the model"
        ) from error


def _next(requests: Requests, outputs: Outputs | None) -> Request | None:
    try:
        return next(requests) if outputs is None else requests.send(outputs)
    except StopIteration:
        return None


def _recorded(served: ServedModel, request: Request, where: str) -> GoldenRecord:
    """Run a request, and check what it gives. Raises PublishError, WarmupError."""
    signature, given = request
    inputs = checked_inputs(served.signatures, signature, given)
    outputs, again = (run_request(served, signature, inputs, where) for _ in range(2))
    if different := sorted(name for name in outputs if not _alike(outputs[name], again[name])):
        raise PublishError(
            f"{where}: {', '.join(different)} differs from run to run, so it is no golden record: leave it out"
        )
    record = GoldenRecord(signature, inputs, outputs)
    if (size := len(record.to_bytes())) > _LARGEST_RECORD:
        raise PublishError(
            f"{where}: its record has {size:,} bytes, more than {_LARGEST_RECORD:,}: use smaller inputs"
        )
    return record


def _words(error: Exception) -> str:
    """Return what is wrong, without the places in the graph that TensorFlow puts around it."""
    text = error.message if isinstance(error, tf.errors.OpError) else str(error)
    lines = text.splitlines()
    start = max((number for number, line in enumerate(lines, 1) if line.startswith("Node: ")), default=0)
    kept = [line.strip() for line in lines[start:] if not line.lstrip().startswith("[[{{node")]
    return " ".join(line for line in kept if line) or text


def _alike(one: NDArray[Any], other: NDArray[Any]) -> bool:
    if one.shape != other.shape or one.dtype.kind in "OSUb":
        return np.array_equal(one, other)
    kind = np.complex128 if one.dtype.kind == "c" else np.float64
    one, other = one.astype(kind), other.astype(kind)
    finite = np.abs(one[np.isfinite(one)])
    return np.allclose(one, other, rtol=0, atol=_SAME * float(finite.max(initial=0)), equal_nan=True)
