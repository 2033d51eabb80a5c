"""The dream as a job: open, ascend as often as it takes, close, at one octave after the other.

Cut into calls of about a second it equals one long call of `serving_default` bit for bit, for all state travels. That
holds among servers of one kind: another processor, number of threads or version of TensorFlow rounds differently.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._answers import output
from impasto.client._calls import Call, ModelRef, Outputs, predict_call
from impasto.client._chunks import Pace
from impasto.client._jobs import Job, Snapshot
from impasto.client._pinning import ask, pinned_by, pinned_to
from impasto.client._values import whole
from impasto.client.checkpoint import check_same_job
from impasto.client.dream.description import DreamDescription, describe_call, read_description, sizes_call
from impasto.client.dream.options import DreamOptions
from impasto.client.dream.plan import KIND, MOST_STEPS, Plan, fit, settle
from impasto.client.dream.progress import Canvas, DreamProgress
from impasto.client.errors import CheckpointError
from impasto.client.pictures import MAX_PIXELS, Picture

_PIXELS: Final = "pixels"


@dataclass(frozen=True, eq=False)
class _Position:
    """How far a dream is.

    Attributes:
        octave: the index of the current one.
        step: steps done at it.
        pixels: a uint8 picture that is to be opened at this octave (beyond the last one, the result), or this
            octave's state, float32.
    """

    octave: int
    step: int
    pixels: NDArray[Any]

    @property
    def is_open(self) -> bool:
        return self.pixels.dtype == np.float32


def describe_job(ref: ModelRef) -> Job[DreamDescription]:
    """What the model says about itself."""
    return read_description((yield from ask(describe_call(ref), ref)), ref.name)


def dream_job(
    picture: Picture,
    ref: ModelRef,
    options: DreamOptions,
    *,
    resume: Snapshot | None = None,
    every: int | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Job[Image.Image]:
    """Dream; yields a DreamProgress at the start, after each chunk of steps, and with the result.

    The version that answers first does the whole job.

    Args:
        picture: what to dream of.
        ref: a model with the contract of dream.
        options: how.
        resume: where an earlier run of the same job was.
        every: end a chunk at each multiple of this many steps, counted over all octaves.
        max_pixels: the largest width times height of the guide as it is read.

    Raises:
        InvalidInput: an option does not suit the model.
        CheckpointError: `resume` is of another job.
        ModelNotFound: the model is not served; VersionGone in the middle of the job, or where `resume` has begun it.
        ImageError: the guide cannot be used.
    """
    if every is not None:
        every = whole("every", every, 1, MOST_STEPS)
    if resume is not None:
        ref = pinned_by(resume, ref, kind=KIND)
    plan, ref = yield from _plan(picture, ref, options, max_pixels=max_pixels)
    identity = plan.identity(picture, ref.name)
    position = _Position(0, 0, picture.rgb) if resume is None else _position(resume, identity, plan)
    canvas = Canvas(picture=picture, preserve_color=plan.settings.preserve_color)
    run = _Run(plan, ref, canvas, every)
    shows = True
    while True:
        # First, so that whoever stops at a progress loses none of it.
        yield Snapshot(
            identity, {"octave": position.octave, "step": position.step}, {_PIXELS: position.pixels}
        )
        if shows:
            yield run.progress(position)
        if position.octave == len(plan.sizes):
            return canvas.image(position.pixels)
        before = position
        position = yield from run.advance(before)
        shows = position.step > before.step or position.octave == len(plan.sizes)


def _plan(
    picture: Picture, ref: ModelRef, options: DreamOptions, *, max_pixels: int
) -> Job[tuple[Plan, ModelRef]]:
    model = yield from describe_job(ref)
    ref = pinned_to(model.version, ref)
    settings = settle(options, model, max_pixels=max_pixels)
    height, width = picture.rgb.shape[:2]
    asked = sizes_call(
        ref, size=(height, width), octave_scale=settings.octave_scale, octaves=settings.octaves
    )
    answer = yield from ask(asked, ref)
    sizes = output(answer, "sizes", dtype=np.int32, shape=(len(settings.octaves), 2), model=ref.name)
    return fit(settings, model, sizes), ref


class _Run:
    """One run of a plan: the calls, and what is measured of them."""

    def __init__(self, plan: Plan, ref: ModelRef, canvas: Canvas, every: int | None) -> None:
        self._plan = plan
        self._ref = ref
        self._canvas = canvas
        self._every = every
        self._pace = Pace()
        self._loss: float | None = None
        settings = plan.settings
        self._inputs: Mapping[str, NDArray[Any]] = {
            "step_size": np.asarray(settings.step_size, np.float32),
            "layer_weights": settings.weights,
            "tile": np.asarray(plan.tile, np.int32),
            "seed": np.asarray(settings.seed, np.int32),
            **({} if settings.guide is None else {"guide": settings.guide}),
        }

    def advance(self, position: _Position) -> Job[_Position]:
        """The position after one more call."""
        if not position.is_open:
            state = yield from self._open(position.pixels, self._plan.sizes[position.octave])
            return replace(position, pixels=state)
        if position.step < self._plan.settings.steps:
            return (yield from self._ascend(position))
        return _Position(position.octave + 1, 0, (yield from self._close(position)))

    def progress(self, position: _Position) -> DreamProgress:
        """What people see of `position`."""
        steps, octaves = self._plan.settings.steps, len(self._plan.sizes)
        behind = position.octave * steps + position.step
        over = position.octave == octaves
        left = 0 if over else self._work_left(position)
        return DreamProgress(
            behind,
            steps * octaves,
            octave=min(position.octave + 1, octaves),
            octaves=octaves,
            step=steps if over else position.step,
            steps=steps,
            loss=self._loss,
            seconds_left=0.0 if over else self._pace.seconds(left),
            fraction=1.0 if over else 1.0 - left / max(self._plan.work, 1),
            _canvas=self._canvas,
            _pixels=position.pixels,
        )

    def _work_left(self, position: _Position) -> int:
        areas = [height * width for height, width in self._plan.sizes[position.octave :]]
        return self._plan.settings.steps * sum(areas) - position.step * areas[0]

    def _send(self, call: Call[Outputs]) -> Job[Outputs]:
        return ask(call, self._ref, on_failure=self._pace.disturb)

    def _open(self, image: NDArray[Any], size: tuple[int, int]) -> Job[NDArray[np.float32]]:
        inputs = {"image": image, "size": np.array(size, np.int32)}
        outputs = yield from self._send(predict_call(self._ref, inputs, signature="open"))
        return output(outputs, "state", dtype=np.float32, shape=(*size, 3), model=self._ref.name)

    def _ascend(self, position: _Position) -> Job[_Position]:
        height, width = self._plan.sizes[position.octave]
        count = self._pace.steps(height * width, most=self._most_steps(position))
        inputs = {
            **self._inputs,
            "state": position.pixels,
            "steps": np.asarray(count, np.int32),
            "first_step": np.asarray(position.step, np.int32),
        }
        signature = "ascend" if self._plan.settings.guide is None else "ascend_guided"
        call = predict_call(self._ref, inputs, signature=signature, outputs=["state", "loss"])
        self._pace.start()
        outputs = yield from self._send(call)
        self._pace.stop(count * height * width)
        state = output(outputs, "state", dtype=np.float32, shape=(height, width, 3), model=self._ref.name)
        self._loss = float(output(outputs, "loss", dtype=np.float32, shape=(), model=self._ref.name))
        return _Position(position.octave, position.step + count, state)

    def _most_steps(self, position: _Position) -> int:
        steps = self._plan.settings.steps
        most = min(steps - position.step, self._plan.model.maximum_steps)
        if self._every is None:
            return most
        return min(most, self._every - (position.octave * steps + position.step) % self._every)

    def _close(self, position: _Position) -> Job[NDArray[np.uint8]]:
        sizes = self._plan.sizes
        is_last = position.octave + 1 == len(sizes)
        size = self._canvas.picture.rgb.shape[:2] if is_last else sizes[position.octave]
        inputs = {"state": position.pixels, "size": np.array(size, np.int32)}
        outputs = yield from self._send(predict_call(self._ref, inputs, signature="close"))
        return output(outputs, "image", dtype=np.uint8, shape=(*size, 3), model=self._ref.name)


def _position(resume: Snapshot, identity: Mapping[str, Any], plan: Plan) -> _Position:
    check_same_job(resume, identity)
    octave, step = resume.position.get("octave"), resume.position.get("step")
    pixels = resume.arrays.get(_PIXELS)
    if (
        not isinstance(octave, int)
        or not isinstance(step, int)
        or pixels is None
        or not 0 <= octave <= len(plan.sizes)
        or not 0 <= step <= plan.settings.steps
        or not _fits(pixels, octave, plan)
    ):
        raise CheckpointError("the checkpoint is damaged; delete it to begin anew, or name another")
    return _Position(octave, step, pixels)


def _fits(pixels: NDArray[Any], octave: int, plan: Plan) -> bool:
    if pixels.dtype == np.float32:
        return octave < len(plan.sizes) and pixels.shape == (*plan.sizes[octave], 3)
    return pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.size > 0
