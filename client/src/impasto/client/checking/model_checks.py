"""Checks of a model on a replica: its versions, its signatures, how its answers come, and how soon."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from typing import Final

import numpy as np

from impasto.client import errors
from impasto.client._transport import calls
from impasto.client._wire.tensor_proto import BY_NAME
from impasto.client.checking import samples
from impasto.client.checking.probe import Answer, first_line
from impasto.client.checking.subject import Finding, Subject, failed, passed, skipped, warned
from impasto.client.model import Model, SignatureInfo, State, TensorInfo, VersionStatus, shape_text
from impasto.client.repository.contract import differences
from impasto.client.signatures import DREAM, SERVING_DEFAULT, STYLE_SIDE, STYLIZE, TRANSFER, UPSCALE

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
        yield from _conversation(
            subject, samples.DIALOGUES[subject.contract.name](subject.metadata.signatures)
        )
        return
    for name in sorted(subject.metadata.signatures):
        yield name, _with_invented(subject, subject.metadata.signatures[name])


def _conversation(subject: Subject, dialogue: samples.Dialogue) -> Iterator[tuple[str, Answer | Finding]]:
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
        return subject.call(signature.name, samples.invented(signature))
    except samples.CannotInvent as error:
        return skipped(_SIGNATURES, f"{signature.name}: not called, as {error}; give golden records")
    except samples.UNSUITABLE as error:
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


_MANY_STEPS: Final = 5
_LARGE_SIDE: Final = 512
"""The side, in pixels, of the tiles that most upscalers are sent."""
_COLD_SECONDS: Final = 2.0
_COLD_TIMES: Final = 10


def warm(subject: Subject) -> Iterator[Finding]:
    """Repeat the calls of all signatures, and compare the first seconds with the next. Keeps the answers."""
    subject.again.update((name, end) for name, end in call_all(subject) if isinstance(end, Answer))
    both = [
        (subject.answers[name].seconds, again.seconds, name)
        for name, again in subject.again.items()
        if name in subject.answers
    ]
    if both:
        yield judged_warm(*max(both, key=lambda one: one[0] - one[1]))


def judged_warm(first: float, later: float, signature: str) -> Finding:
    """Judge the seconds of the first call of a signature and of a later, equal one."""
    words = f"first call of {signature} {1000 * first:.0f} ms, the next one {1000 * later:.0f} ms"
    if first > later + _COLD_SECONDS and first > _COLD_TIMES * later:
        return warned(
            "warm",
            words,
            "--enable_model_warmup=true, with warm-up records in the version: exporters write them, and for others' "
            "models impasto-export repository publish --warm-up",
        )
    return passed("warm", words)


def latency(subject: Subject) -> Finding:
    """Measure the seconds of a megapixel, or of a step."""
    if subject.contract is None:
        return skipped("latency", "not known what of a call takes time; see warm")
    if subject.contract in (UPSCALE, STYLIZE):
        return passed("latency", _of_a_megapixel(subject, subject.contract.name))
    signature, stepping = _stepping(subject)
    one, many = (
        min(subject.call(signature, {**stepping, "steps": np.int32(steps)}).seconds for _ in range(2))
        for steps in (1, _MANY_STEPS)
    )
    step = max(many - one, 0.0) / (_MANY_STEPS - 1)
    height, width = subject.size()
    return passed(
        "latency",
        f"{1000 * step:.1f} ms a step at {width}x{height} px, and {1000 * max(one - step, 0.0):.0f} ms a call",
    )


def _of_a_megapixel(subject: Subject, contract: str) -> str:
    """Call serving_default twice, and tell the shorter time. Raises CallError."""
    side = max(STYLE_SIDE // 2 if subject.options.quick else STYLE_SIDE, *subject.size())
    inputs = samples.serving_inputs(contract, side, side)
    seconds = min(subject.call(SERVING_DEFAULT, inputs).seconds for _ in range(2))
    by = f", {subject.factors()[SERVING_DEFAULT]} times as large" if subject.contract is UPSCALE else ""
    return (
        f"{seconds / (side * side / 1e6):.2f} s a megapixel sent{by} ({1000 * seconds:.0f} ms at {side} px)"
    )


def at_once(subject: Subject) -> Finding:
    """Send many calls at once, of two sizes, and see how many are taken."""
    some = _of_two_sizes(subject)
    count = subject.options.concurrency
    if not some:
        return skipped("at once", "no inputs are known for serving_default")
    sent = list(islice(cycle(some), count))
    ends = subject.probe.at_once(subject.model, SERVING_DEFAULT, sent, subject.kind)
    failures = [end for end in ends if isinstance(end, errors.CallError)]
    subject.errors += failures
    refused = [error for error in failures if type(error) is errors.ServerOverloaded]
    if refused:
        return warned(
            "at once",
            f"of {count} calls at once {len(refused)} were refused ({first_line(refused[0])}): "
            f"it takes about {count - len(failures)}",
            "--grpc_max_threads=256",
        )
    others = [
        error for error in failures if not isinstance(error, errors.BatchMismatch | errors.NotBatchable)
    ]
    if others and subject.contract is None and isinstance(others[0], samples.UNSUITABLE):
        return skipped("at once", f"invented inputs do not suit it ({first_line(others[0])})")
    if others:
        return failed("at once", f"of {count} calls at once {len(others)} failed: {others[0]}")
    return passed("at once", f"{count - len(failures)} calls at once were answered")


def message_size(subject: Subject) -> Iterator[Finding]:
    """Check that an answer as large as a tile's comes through."""
    asked = _large(subject)
    if asked is None:
        return
    try:
        answer = subject.call(*asked)
    except errors.MessageTooLarge as error:
        yield failed(
            "message size",
            f"the answer of a tile does not come through: {first_line(error)}",
            "IMPASTO_MAX_MESSAGE_BYTES (max_message_bytes) here, or the limit of a proxy between",
        )
        return
    except errors.InvalidInput as error:
        yield skipped("message size", f"the model takes no picture of a tile's size: {first_line(error)}")
        return
    yield passed("message size", f"an answer of {answer.bytes / 1e6:.1f} MB came in {answer.seconds:.2f} s")


def _of_two_sizes(subject: Subject) -> list[samples.Inputs]:
    """Inputs of quick calls, for pictures of two sizes."""
    if subject.contract is None:
        small = subject.serving_inputs()
        return [] if small is None else [small]
    height, width = subject.size()
    return [samples.serving_inputs(subject.contract.name, height, side) for side in (width, width + 8)]


def _large(subject: Subject) -> tuple[str, samples.Inputs] | None:
    """A signature and inputs whose answer is as large as a tile's, and is quickly computed; None for others' models."""
    if subject.contract is None:
        return None
    size = np.array([_LARGE_SIDE, _LARGE_SIDE], np.int32)
    if subject.contract is DREAM:
        return "open", {"image": samples.picture(samples.SIDE, samples.SIDE), "size": size}
    if subject.contract is TRANSFER:
        return "resize", {"image": np.zeros((samples.SIDE, samples.SIDE, 3), np.float32), "size": size}
    if subject.contract is UPSCALE:
        factors = subject.factors()
        signature, side = max(factors, key=lambda name: factors[name]), max(subject.told("tile"), 1)
        return signature, samples.serving_inputs(UPSCALE.name, side, side)
    return SERVING_DEFAULT, samples.serving_inputs(subject.contract.name, _LARGE_SIDE, _LARGE_SIDE)


def _stepping(subject: Subject) -> tuple[str, samples.Inputs]:
    """The signature that takes the steps of a dream or a transfer, and inputs for it. Raises CallError."""
    if subject.contract is DREAM:
        return "ascend", {"state": samples.output(subject.opened(), "state")}
    return "optimize", samples.optimize_inputs(subject.opened())
