"""A server's answers are hostile input: each that is none is one error that says what the server did."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import grpc
import numpy as np
import pytest

from floods import hostile_answers, hostile_commands
from floods.honest_answers import METHODS, PHOTO
from impasto.client import AsyncClient, Client, Dream, ImpastoError, StyleVector, errors
from impasto.client._transport.failures import kind_of
from impasto.client._wire import messages
from impasto.client._wire.format import delimited, number, varint
from impasto.client.errors import DecodeError
from processes.forked_scripts import run_forked_script
from scripted.client_servers import Answer, prediction, scripted
from scripted.raw_http2 import Act, Stream, raw_server

ANSWERS = 30
"""To each method, of each client: 900 in all. `make fuzz` sends thousands to each."""

COMMANDS = 8
"""To each command; here too `make fuzz` sends thousands."""

FLOAT, STRING = 1, 7


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_whatever_a_server_answers_a_method_returns_or_raises_what_it_promises(kind: str) -> None:
    finished = run_forked_script(hostile_answers, kind, ANSWERS, 20)
    assert finished.returncode == 0, finished.stderr[-3000:]
    report = json.loads(finished.stdout)
    assert report["faults"] == []
    assert report["answers"] == ANSWERS * len(METHODS)
    assert report["outcomes"]["DecodeError"] > ANSWERS
    assert report["outcomes"]["result"] > ANSWERS  # both ways were tried
    assert report["megabytes"] < hostile_answers.MEMORY >> 20


def test_whatever_a_server_answers_a_command_keeps_its_promises_and_prints_nothing_that_a_terminal_obeys() -> (
    None
):
    finished = run_forked_script(hostile_commands, COMMANDS, 20)
    assert finished.returncode == 0, finished.stderr[-3000:]
    report = json.loads(finished.stdout)
    assert report["faults"] == []
    assert [row[0] for row in report["rows"]] == list(hostile_commands.COMMANDS)
    assert report["megabytes"] < hostile_answers.MEMORY >> 20


def answering(*answers: bytes) -> Answer:
    """Answers one call after the other; to all further ones, the last."""
    calls = iter(answers)

    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        return next(calls, answers[-1])

    return answer


def refusal(method: str, *answers: bytes) -> DecodeError:
    """The error of a method, where the server answers so."""
    with scripted(answering(*answers)) as server, Client(server.address) as client:
        with pytest.raises(DecodeError) as caught:
            METHODS[method].call(client)
        # What a job finds wrong is told without the address.
        assert caught.value.address in (None, server.address)
    return caught.value


def tensor(dtype: int, sizes: Sequence[int], *values: bytes) -> bytes:
    """The bytes of a TensorProto."""
    shape = b"".join(delimited(2, number(1, size)) for size in sizes)
    return number(1, dtype) + delimited(2, shape) + b"".join(values)


def entry(name: bytes, message: bytes) -> bytes:
    """The bytes of a PredictResponse with one output."""
    return delimited(1, delimited(1, name) + delimited(2, message))


def honest(method: str, place: int = 0, **changed: Any) -> tuple[bytes, ...]:
    """The honest answers to a method, with outputs changed in the one at `place`."""
    answers = [answer.SerializeToString() for answer in METHODS[method].answers]
    if not changed:
        return tuple(answers)
    outputs = {**messages.prediction(answers[place]).outputs, **changed}
    answers[place] = prediction(**{name: np.asarray(value) for name, value in outputs.items()})
    return tuple(answers)


@pytest.mark.parametrize("method", METHODS)
def test_honest_answers_make_the_result(method: str) -> None:
    answers = [answer.SerializeToString() for answer in METHODS[method].answers]
    with scripted(answering(*answers)) as server, Client(server.address, timeout=30) as client:
        call = METHODS[method].call if method != "wait_ready" else lambda c: c.wait_ready(models=["half"])
        assert METHODS[method].right(call(client))


# Limits before anything is multiplied, printed or allocated.


@pytest.mark.parametrize("dtype", [FLOAT, STRING, 0])
@pytest.mark.parametrize("rank", [255, 80_000])
def test_a_shape_of_more_dimensions_than_tensorflow_has_is_refused_unread(dtype: int, rank: int) -> None:
    answer = entry(b"y", tensor(dtype, [2**62] * rank))
    found = refusal("predict", answer)
    assert "more than 254 dimensions" in str(found)
    assert found.address is not None
    assert found.model == "half"


@pytest.mark.parametrize("sizes", [[2**62] * 254, [2**63 - 1] * 65, [2**20, 2**20]])
def test_a_shape_of_more_elements_than_a_message_holds_is_refused_and_its_product_not_printed(
    sizes: list[int],
) -> None:
    found = refusal("predict", entry(b"y", tensor(FLOAT, sizes)))
    assert "more elements than any message can hold" in str(found)
    assert len(str(found)) < 400


@pytest.mark.parametrize("sizes", [[-1] * 254, [2**62] * 253 + [-(2**63)]])
def test_a_negative_dimension_among_many_is_said_in_a_line(sizes: list[int]) -> None:
    assert len(str(refusal("predict", entry(b"y", tensor(FLOAT, sizes))))) < 400


def test_a_shape_of_metadata_has_no_more_dimensions_either() -> None:
    shape = b"".join(delimited(2, number(1, 3)) for _ in range(255))
    info = delimited(1, delimited(1, b"x") + delimited(2, number(2, FLOAT) + delimited(3, shape)))
    definition = delimited(1, delimited(1, b"serving_default") + delimited(2, info))
    answer = delimited(2, delimited(1, b"signature_def") + delimited(2, delimited(2, definition)))
    assert "more than 254 dimensions" in str(refusal("metadata", answer))


@pytest.mark.parametrize(
    ("dtype", "count"),
    [(FLOAT, 2**29 - 1), (FLOAT, 2**26 + 1), (STRING, 2**25 + 1), (10, 2**31), (18, 2**24 + 1)],
)
def test_one_element_does_not_stand_for_gigabytes(dtype: int, count: int) -> None:
    found = refusal("predict", entry(b"y", tensor(dtype, [count])))
    assert f"0 values claim to stand for {count} elements" in str(found)


def test_many_outputs_do_not_stand_together_for_what_one_may_not() -> None:
    answer = b"".join(entry(b"%d" % place, tensor(FLOAT, [2**22])) for place in range(17))
    assert "'16': 0 values claim to stand for 4194304 elements" in str(refusal("predict", answer))


def test_a_picture_of_one_colour_may_be_short() -> None:
    gray = tensor(4, [1, 2000, 3000, 3], delimited(7, b"\x7f"))
    found = messages.prediction(entry(b"image", gray)).outputs["image"]
    assert found.shape == (1, 2000, 3000, 3)
    assert (found == 127).all()


def test_a_default_does_not_stand_for_megabytes() -> None:
    default = delimited(4, delimited(1, b"x") + delimited(2, tensor(FLOAT, [2**18 + 1])))
    definition = delimited(1, delimited(1, b"serving_default") + delimited(2, default))
    answer = delimited(2, delimited(1, b"signature_def") + delimited(2, delimited(2, definition)))
    assert "'x': 0 values claim to stand for 262145 elements" in str(refusal("metadata", answer))


CROWDS = {
    "unknown numbers": b"\x78\0",
    "groups": b"\x7b\x7c",
    "unknown messages": b"\x7a\0",
}


@pytest.mark.parametrize("crowd", CROWDS)
@pytest.mark.parametrize(
    ("method", "most"), [("predict", 1 << 20), ("metadata", 1 << 18), ("status", 1 << 18)]
)
def test_fields_without_end_are_not_read_to_their_end(method: str, most: int, crowd: str) -> None:
    (answer,) = honest(method)
    few, many = CROWDS[crowd] * 1000, CROWDS[crowd] * (most + 1)
    with scripted(answering(few + answer, answer + many)) as server, Client(server.address) as client:
        assert METHODS[method].right(METHODS[method].call(client))
        with pytest.raises(DecodeError, match="more fields than any honest one"):
            METHODS[method].call(client)


def test_the_fields_of_messages_in_messages_are_counted_together() -> None:
    output = entry(b"y", number(1, FLOAT) + delimited(2, b"\x12\0" * 30))
    assert "more fields" in str(refusal("predict", output * 40_000))


def test_strings_without_end_are_not_read_to_their_end() -> None:
    content = bytes((1 << 22) + 1)
    found = refusal("predict", entry(b"y", tensor(STRING, [len(content)], delimited(4, content))))
    assert "4194305 strings; more than 4194304 are not read" in str(found)


@pytest.mark.parametrize("algorithm", [grpc.Compression.Gzip, grpc.Compression.Deflate])
def test_a_compressed_answer_is_not_unpacked_beyond_the_limit_of_messages(
    algorithm: grpc.Compression,
) -> None:
    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        context.set_compression(algorithm)
        return bytes(64 << 20)

    with (
        scripted(answer) as server,
        Client(server.address, timeout=60, max_message_bytes=1 << 20) as client,
        pytest.raises(errors.MessageTooLarge),
    ):
        client.status("half")


def test_the_name_of_an_output_is_cut_in_the_message() -> None:
    found = refusal("predict", entry(b"x" * 1_000_000, tensor(0, [])))
    assert "999,800 characters left out" in str(found)


def test_a_version_that_repeats_itself_is_cut_in_the_message() -> None:
    status = b"".join(delimited(1, number(1, version)) for version in range(100_000))
    with scripted(answering(status)) as server, Client(server.address) as client:
        with pytest.raises(errors.DeadlineExceeded, match="version 0 is UNKNOWN") as caught:
            client.wait_ready(timeout=0.5, models=["half"])
        assert len(str(caught.value)) < 5000
        assert "version 99999 is UNKNOWN" in caught.value.details


# Only what was asked for.


def test_only_outputs_that_were_asked_for_are_decoded() -> None:
    answer = prediction(y=np.ones(2, np.float32)) + entry(b"z", tensor(FLOAT, [2**40]))
    with scripted(answering(answer)) as server, Client(server.address) as client:
        found = client.predict("half", {}, outputs=["y"])
        assert list(found) == ["y"]
        with pytest.raises(DecodeError, match="output 'z'"):
            client.predict("half", {})


@pytest.mark.parametrize(("method", "place"), [("upscale", 1), ("stylize", 3), ("dream", 2), ("transfer", 8)])
def test_a_job_decodes_no_output_that_it_does_not_need(method: str, place: int) -> None:
    answers = [answer.SerializeToString() for answer in METHODS[method].answers]
    answers[place] += entry(b"\x1b[2J", tensor(FLOAT, [2**40]))
    with scripted(answering(*answers)) as server, Client(server.address) as client:
        assert METHODS[method].right(METHODS[method].call(client))


def test_an_output_that_was_asked_for_and_is_not_there_is_named() -> None:
    with (
        scripted(answering(prediction(y=np.ones(2, np.float32)))) as server,
        Client(server.address) as client,
        pytest.raises(DecodeError, match="half answered without 'w', 'z', which was asked for"),
    ):
        client.predict("half", {}, outputs=["w", "y", "z"])


# Status OK without a message, and other ends of a call.


def ending(status: str, words: str = "") -> Act:
    """Ends a call with this status, without a message."""

    def act(stream: Stream) -> None:
        stream.headers({":status": "200", "content-type": "application/grpc"})
        stream.headers({"grpc-status": status, **({"grpc-message": words} if words else {})}, end=True)

    return act


@pytest.mark.parametrize("method", METHODS)
def test_the_status_ok_without_a_message_is_an_error_that_says_so(method: str) -> None:
    with raw_server([ending("0")]) as server:
        with Client(server.address, timeout=30) as client:
            with pytest.raises(ImpastoError) as caught:
                call(method, client)
            assert isinstance(caught.value, DecodeError | errors.ServerFault | errors.CallUnsupported)

        async def run() -> None:
            async with AsyncClient(server.address, timeout=30) as client:
                with pytest.raises(ImpastoError) as caught:
                    await call(method, client)
                assert isinstance(caught.value, DecodeError | errors.ServerFault | errors.CallUnsupported)

        asyncio.run(run())


def call(method: str, client: Any) -> Any:
    return (
        client.wait_ready(timeout=30, models=["half"])
        if method == "wait_ready"
        else METHODS[method].call(client)
    )


@pytest.mark.parametrize("status", ["17", "99", "-1", "4294967296", "x", ""])
def test_a_status_that_grpc_does_not_know_is_a_call_error(status: str) -> None:
    with (
        raw_server([ending(status, "words")]) as server,
        Client(server.address, timeout=30) as client,
        pytest.raises(errors.CallError),
    ):
        client.status("half")


@pytest.mark.parametrize("digits", ["9" * 5000, "\u0669" * 400, "2" + "0" * 300])
def test_a_code_of_many_digits_in_a_servers_words_is_no_number(digits: str) -> None:
    kind = kind_of(grpc.StatusCode.INTERNAL, f"RST_STREAM with error code {digits}")
    assert kind is errors.ServerFault


def test_a_server_that_answers_nothing_that_can_be_read_is_not_ready() -> None:
    with (
        scripted(answering(b"\x0a\xff")) as server,
        Client(server.address) as client,
        pytest.raises(DecodeError, match="cannot be parsed"),
    ):
        client.wait_ready(timeout=30, models=["half"])  # it is told at once; a busy machine takes its time


def test_a_model_without_versions_is_said_to_have_none() -> None:
    with (
        scripted(answering(b"")) as server,
        Client(server.address) as client,
        pytest.raises(errors.DeadlineExceeded, match="the server knows no version of it"),
    ):
        client.wait_ready(timeout=0.3, models=["half"])


# Descriptions with absurd numbers, sizes of zero, and steps without end.


@pytest.mark.parametrize(
    ("method", "name", "value"),
    [
        *(
            (method, name, np.int32(value))
            for method in ("dream", "describe_dream", "transfer", "describe_transfer")
            for name in ("minimum_side", "maximum_steps", "maximum_pixels")
            for value in (0, -1, -(2**31))
        ),
        ("dream", "maximum_tile_pixels", np.int32(0)),
        ("dream", "suggested_steps", np.int32(-1)),
        ("dream", "suggested_steps", np.int32(2**31 - 1)),
        ("dream", "suggested_step_size", np.float32(np.nan)),
        ("dream", "suggested_step_size", np.float32(-1)),
        ("dream", "suggested_octave_scale", np.float32(0)),
        ("dream", "suggested_octave_scale", np.float32(np.inf)),
        ("dream", "suggested_octaves", np.zeros(0, np.int32)),
        ("dream", "suggested_octaves", np.arange(33, dtype=np.int32)),
        ("dream", "layers", np.array([b"a", b"a"], object)),
        ("dream", "layers", np.array([b"a"] * 5000, object)),
        ("dream", "layers", np.array([], object)),
        ("dream", "layer_weights", np.ones(3, np.float32)),
        ("dream", "layer_weights", np.array([1, np.nan], np.float32)),
        ("dream", "layer_weights", np.ones(1_000_000, np.float32)),
        ("dream", "backbone", np.array(b"x" * 20_000, object)),
        ("dream", "backbone", np.array(b"\xff", object)),
        ("transfer", "suggested_style_weight", np.float32(np.inf)),
        ("transfer", "suggested_content_weight", np.float32(-1)),
        ("transfer", "suggested_learning_rate", np.float32(2)),
        ("transfer", "suggested_steps", np.int32(2**31 - 1)),
        ("transfer", "style_layer_weights", np.ones(1, np.float32)),
        ("transfer", "content_layer_weights", np.ones(1, np.float32)),
    ],
)
def test_a_description_that_no_model_has_is_an_error_that_names_the_number(
    method: str, name: str, value: Any
) -> None:
    assert name.removeprefix("suggested_") in str(refusal(method, *honest(method, 0, **{name: value})))


@pytest.mark.parametrize("octave", [30_000, 2**31 - 1])
def test_an_octave_larger_than_any_number_is_an_input_error(octave: int) -> None:
    suggested = honest("dream", 0, suggested_octaves=np.array([octave], np.int32))
    with scripted(answering(suggested[0])) as server, Client(server.address) as client:
        with pytest.raises(errors.InvalidInput, match=f"octave {octave} of the scale 1.4"):
            client.dream(PHOTO, recipe="classic")
        with pytest.raises(errors.InvalidInput, match=f"octave -{octave} of the scale 0.5"):
            client.dream(PHOTO, octaves=[-octave], octave_scale=0.5)


@pytest.mark.parametrize("size", [(0, 0), (0, 20), (-1, -1), (16, 2**31 - 1), (15, 25), (20, 16)])
def test_sizes_that_no_rounding_makes_are_refused_before_room_is_made_for_them(size: tuple[int, int]) -> None:
    sizes = np.array([size], np.int32)
    assert "pixels of 16 x 20 times 1" in str(refusal("dream", *honest("dream", 1, sizes=sizes)))
    scaled = np.array(size, np.int32)
    assert "pixels of 16 x 20 times 0.8" in str(refusal("transfer", *honest("transfer", 1, size=scaled)))
    assert "pixels of 18 x 16 times " in str(refusal("transfer", *honest("transfer", 2, size=scaled)))


@pytest.mark.parametrize("done", [0, -1, 2, 2**31 - 1])
def test_a_server_that_made_no_progress_or_too_much_ends_the_job(done: int) -> None:
    found = refusal("transfer", *honest("transfer", 6, iteration=np.int32(done)))
    assert f"transfer says that {done} steps are done where it was asked to get to 1" in str(found)


@pytest.mark.parametrize(
    ("method", "place"), [("stylize", 0), ("stylize", 1), ("stylize", 2), ("style_vector", 1)]
)
@pytest.mark.parametrize(
    "vector",
    [
        np.zeros((1, 0)),
        np.zeros((0, 8)),
        np.full((1, 8), np.nan),
        np.full((1, 8), np.inf),
        np.zeros(8),
        np.zeros((2, 8)),
    ],
)
def test_a_style_vector_is_of_one_size_and_finite(method: str, place: int, vector: Any) -> None:
    answers = honest(method, place, vector=vector.astype(np.float32))
    assert "'vector'" in str(refusal(method, *answers))


@pytest.mark.parametrize(("method", "place"), [("stylize", 1), ("stylize", 2), ("style_vector", 1)])
def test_style_vectors_of_different_lengths_are_not_mixed(method: str, place: int) -> None:
    found = refusal(method, *honest(method, place, vector=np.zeros((1, 9), np.float32)))
    assert "float32 [1, 9] for 'vector' instead of float32 [1, 8]" in str(found)


def test_style_vectors_of_different_lengths_that_a_caller_gives_are_an_input_error() -> None:
    vectors = [StyleVector(np.zeros(length, np.float32), "stylize", 3) for length in (8, 9)]
    with scripted(answering(b"")) as server, Client(server.address) as client:
        for verb in (client.style_vector, lambda style: client.stylize(PHOTO, style)):
            with pytest.raises(errors.InvalidInput, match="make it anew"):
                verb(vectors)
        assert server.methods == []


@pytest.mark.parametrize("name", ["style_targets", "content_targets"])
@pytest.mark.parametrize("value", [np.zeros(0), np.array([np.nan]), np.array([np.inf])])
def test_what_a_transfer_paints_towards_is_there_and_finite(name: str, value: Any) -> None:
    answers = honest("transfer", 4, **{name: value.astype(np.float32)})
    assert repr(name) in str(refusal("transfer", *answers))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 3e38])
def test_a_picture_whose_numbers_ran_away_can_still_be_shown(number: float) -> None:
    state = np.full((16, 20, 3), number, np.float32)
    answers = honest("dream", 3, state=state)
    with scripted(answering(*answers)) as server, Client(server.address) as client:
        previews: list[Any] = []
        client.run(
            Dream(PHOTO, recipe="classic"), on_progress=lambda progress: previews.append(progress.preview())
        )
        assert {preview.size for preview in previews} == {(20, 16)}


def test_a_varint_of_eleven_bytes_is_a_damaged_message() -> None:
    assert "cut off or too long" in str(refusal("status", varint(1 << 3) + b"\xff" * 11))
