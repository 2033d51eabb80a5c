"""Checks of a model on a replica: its versions, its signatures, and how its answers come."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from impasto.client import errors
from impasto.client._transport import calls
from impasto.client._wire.tensor_proto import BY_NAME
from impasto.client.checking.findings import Finding, failed, passed, skipped, warned
from impasto.client.checking.probe import Answer, first_line
from impasto.client.checking.samples import DIALOGUES, UNSUITABLE, CannotInvent, Dialogue, invented
from impasto.client.checking.subject import Subject
from impasto.client.model import Model, SignatureInfo, State, TensorInfo, VersionStatus, shape_text
from impasto.client.repository.contract import differences

_TENSOR_CONTENT: Final = "--enable_serialization_as_tensor_content=true"
_SIGNATURES: Final = "signatures"
_MOST_SHOWN: Final = 3


def versions(found: Sequence[VersionStatus]) -> Finding:
    """Judge the states of a model's versions."""
    told = ", ".join(f"{v.version} {v.state.name}{f' ({v.error})' if v.error else ''}" for v in found)
    if not any(v.state is State.AVAILABLE for v in found):
        return failed("versions", f"none can be called: {told or 'the server knows none'}")
    broken = [v.version for v in found if v.error or v.state in (State.START, State.LOADING)]
    if broken:
        return warned(
            "versions",
            f"{told}: version {broken[0]} is not there",
            "the server's log says why; impasto-export repository verify",
        )
    return passed("versions", told)


def labels(subject: Subject) -> Finding:
    """Say which of the usual labels the model has. Raises CallError."""
    wanted, found = subject.options.labels, list[str]()
    for label in wanted:
        try:
            metadata = subject.probe.ask(calls.metadata_call(Model(subject.model.name, label=label)))
        except (errors.InvalidInput, errors.ModelNotFound):
            continue
        found.append(f"{label} is version {metadata.version}")
    return passed("labels", ", ".join(found) or f"none of {', '.join(wanted)}")


def contract(subject: Subject) -> Finding:
    """Compare the signatures with those that this client calls."""
    served = subject.metadata.signatures
    if subject.contract is None:
        return passed("contract", f"not a model of Impasto's; signatures: {', '.join(served) or 'none'}")
    if found := differences(subject.contract, served):
        more = f", and {len(found) - _MOST_SHOWN} more" if len(found) > _MOST_SHOWN else ""
        return failed(
            "contract",
            f"not as this client calls it: {'; '.join(found[:_MOST_SHOWN])}{more}",
            "export the model with the impasto-export of this client's release",
        )
    return passed("contract", f"as this client calls it; signatures: {', '.join(served)}")


def signatures(subject: Subject) -> Iterator[Finding]:
    """Call every signature, and check that the outputs are those that the metadata promises. Keeps the answers."""
    right: list[str] = []
    for name, end in call_all(subject):
        if isinstance(end, Answer):
            subject.answers[name] = end
            faults = _faults(subject.metadata.signatures[name], end)
            if not faults:
                right.append(name)
                continue
            end = failed(_SIGNATURES, f"{name}: {'; '.join(faults[:_MOST_SHOWN])}")
        yield end
    if right:
        yield passed(_SIGNATURES, f"{len(right)} answered as they should: {', '.join(right)}")


def call_all(subject: Subject) -> Iterator[tuple[str, Answer | Finding]]:
    """Call every signature; its name, and the answer or the reason why there is none. The same calls each time."""
    if subject.contract is not None:
        yield from _conversation(subject, DIALOGUES[subject.contract.name](subject.metadata.signatures))
        return
    for name in sorted(subject.metadata.signatures):
        yield name, _with_invented(subject, subject.metadata.signatures[name])


def _conversation(subject: Subject, dialogue: Dialogue) -> Iterator[tuple[str, Answer | Finding]]:
    """Carry out a dialogue, as far as the model's signatures and answers allow."""
    left = set(subject.metadata.signatures)
    reason, name = "", ""
    try:
        name, inputs = next(dialogue)
        while name in left:  # a model may leave some out, and what follows is made of their answers
            left.discard(name)
            answer = subject.call(name, inputs)
            yield name, answer
            name, inputs = dialogue.send(answer.outputs)
        reason = f"{name} is missing"
    except StopIteration:
        reason = "this client knows no inputs for them"
    except errors.CallError as error:
        yield name, failed(_SIGNATURES, f"{name}: {error}")
        reason = f"{name} failed"
    if left:
        yield "", skipped(_SIGNATURES, f"not called, as {reason}: {', '.join(sorted(left))}")


def _with_invented(subject: Subject, signature: SignatureInfo) -> Answer | Finding:
    if subject.is_changed_by_calls:
        words = "not called, as the manifest says that a call changes what the next one sees"
        return skipped(_SIGNATURES, f"{signature.name}: {words}")
    try:
        return subject.call(signature.name, invented(signature))
    except CannotInvent as error:
        return skipped(_SIGNATURES, f"{signature.name}: not called, as {error}; give golden records")
    except UNSUITABLE as error:
        return skipped(
            _SIGNATURES,
            f"{signature.name}: invented inputs do not suit it ({first_line(error)}); give golden records",
        )


def _faults(signature: SignatureInfo, answer: Answer) -> list[str]:
    """The ways in which an answer is not what the metadata promises."""
    faults = [f"{name} is missing" for name in signature.outputs if name not in answer.outputs]
    for name, array in answer.outputs.items():
        info = signature.outputs.get(name)
        dtype = "string" if array.dtype.kind == "O" else array.dtype.name
        if info is not None and not (dtype in _arrives_as(info) and _fits(array.shape, info)):
            faults.append(
                f"{name} is {dtype} {shape_text(array.shape)}, not {info.dtype} {shape_text(info.shape)}"
            )
    return faults


def _arrives_as(info: TensorInfo) -> set[str]:
    """The dtypes that an output of this one is read as: some have no other name in numpy than that of their bits."""
    known = BY_NAME.get(info.dtype)
    return {info.dtype} if known is None else {info.dtype, known.storage.name}


def _fits(shape: Sequence[int], info: TensorInfo) -> bool:
    return info.shape is None or (
        len(shape) == len(info.shape)
        and all(wanted in (None, size) for size, wanted in zip(shape, info.shape, strict=True))
    )


def encoding(subject: Subject) -> Finding:
    """Check how numbers come: in tensor_content, or in typed fields, which take longer to write and to read."""
    if not subject.answers:
        return skipped("encoding", "nothing was answered")
    typed = [name for name, answer in subject.answers.items() if answer.typed]
    if typed:
        return warned("encoding", f"numbers come in typed fields ({', '.join(typed)})", _TENSOR_CONTENT)
    return passed("encoding", "numbers come as tensor_content")


def batching(subject: Subject) -> Finding:
    """Judge what calls were refused with: a server that batches refuses pictures that meet others, and scalars."""
    refused = next(
        (one for one in subject.errors if isinstance(one, errors.NotBatchable | errors.BatchMismatch)), None
    )
    if refused is not None:
        return failed(
            "batching",
            f"the server batches calls, which this model does not bear: {first_line(refused)}",
            "no --enable_batching, or --enable_per_model_batching_parameters=true without batching_params.pbtxt here",
        )
    if not subject.answers:
        return skipped("batching", "nothing was answered")
    return passed("batching", "no call was refused for the sake of a batch")
