"""The transfer as a job: at each size open, optimise as often as it takes; at the end close.

Cut into calls of about a second it equals one long call of `serving_default` bit for bit, for all state travels. That
holds among servers of one kind: another processor, number of threads or version of TensorFlow rounds differently.
What `open` computes, the Gram matrices and the content's activations, travels too: for each step of a call that is
less than to compute it anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._answers import output
from impasto.client._chunks import Pace
from impasto.client._jobs import Job, Snapshot
from impasto.client._pinning import ask, pinned_by, pinned_to
from impasto.client._transport.calls import Call, ModelRef, Outputs, predict_call
from impasto.client._values import whole
from impasto.client.transfer.canvas import Canvas
from impasto.client.transfer.description import (
    TransferDescription,
    describe_call,
    read_description,
    read_size,
    size_call,
)
from impasto.client.transfer.materials import Materials, near, resized
from impasto.client.transfer.options import TransferOptions
from impasto.client.transfer.plan import KIND, MOST_STEPS, Level, Plan, Settings, Size, fit, settle
from impasto.client.transfer.progress import Losses, TransferProgress, epoch_of
from impasto.client.transfer.state import Array, Painting, Position, restored

_STATE: Final = ("image", "m", "v")
_LOSSES: Final = tuple(field.name for field in fields(Losses))
_OUTPUTS: Final = (*_STATE, *(f"{name}_loss" for name in _LOSSES))


def describe_job(ref: ModelRef) -> Job[TransferDescription]:
    """What the model says about itself."""
    return read_description((yield from ask(describe_call(ref), ref)), ref.name)


def transfer_job(
    materials: Materials,
    ref: ModelRef,
    options: TransferOptions,
    *,
    resume: Snapshot | None = None,
    every: int | None = None,
) -> Job[Image.Image]:
    """Paint; yields a TransferProgress at the start, after each chunk of steps, and with the result.

    The version that answers first does the whole job.

    Args:
        materials: the pictures.
        ref: a model with the contract of transfer.
        options: how.
        resume: where an earlier run of the same job was.
        every: end a chunk at each multiple of this many steps, counted over all sizes.

    Raises:
        InvalidInput: an option does not suit the model or the pictures.
        CheckpointError: `resume` is of another job.
        ModelNotFound: the model is not served; VersionGone in the middle of the job, or where `resume` has begun it.
    """
    if every is not None:
        every = whole("every", every, 1, MOST_STEPS)
    if resume is not None:
        ref = pinned_by(resume, ref, kind=KIND)
    plan, ref = yield from _plan(materials, ref, options)
    identity = plan.identity(materials, ref.name)
    position = Position(0, 0) if resume is None else restored(resume, identity, plan)
    canvas = Canvas(
        materials=materials,
        size=materials.size if plan.settings.keep_size else plan.painted_size,
        preserve_color=plan.settings.preserve_color,
    )
    run = _Run(plan, ref, materials, canvas, every)
    shows = True
    while True:
        # First, so that whoever stops at a progress loses none of it.
        yield position.snapshot(identity)
        if shows:
            yield run.progress(position)
        if position.level == len(plan.levels):
            return canvas.image(position.pixels)
        before = position
        position = yield from run.advance(before)
        shows = position.step > before.step or position.level == len(plan.levels)


def _plan(materials: Materials, ref: ModelRef, options: TransferOptions) -> Job[tuple[Plan, ModelRef]]:
    model = yield from describe_job(ref)
    ref = pinned_to(model.version, ref)
    settings = settle(options, model, styles=len(materials.styles), name=ref.name)
    levels = yield from _levels(materials, ref, settings)
    return fit(settings, model, levels), ref


def _levels(materials: Materials, ref: ModelRef, settings: Settings) -> Job[tuple[Level, ...]]:
    levels: list[Level] = []
    for side in settings.sides(materials.size):
        size = yield from _scaled(ref, materials.size, side)
        styles: list[Size] = []
        for style in materials.styles:
            height, width = style.shape[:2]
            styles.append((yield from _scaled(ref, (height, width), settings.style_side(size))))
        levels.append(Level(size, tuple(styles)))
    return tuple(levels)


def _scaled(ref: ModelRef, size: Size, longest_side: int) -> Job[Size]:
    if max(size) == longest_side:
        return size
    return read_size((yield from ask(size_call(ref, size, longest_side=longest_side), ref)), ref.name)


class _Run:
    """One run of a plan: the calls, and what is measured of them."""

    def __init__(
        self, plan: Plan, ref: ModelRef, materials: Materials, canvas: Canvas, every: int | None
    ) -> None:
        self._plan = plan
        self._ref = ref
        self._materials = materials
        self._canvas = canvas
        self._every = every
        self._pace = Pace()
        self._losses: Losses | None = None
        self._mask: NDArray[np.float32] | None = None
        settings = plan.settings
        self._style_layers = {"style_layer_weights": settings.style_layers}
        self._layers = {**self._style_layers, "content_layer_weights": settings.content_layers}
        self._weights = {name: np.asarray(value, np.float32) for name, value in settings.weights.items()}

    def advance(self, position: Position) -> Job[Position]:
        """The position after one more call, or the few that open a size."""
        if position.painting is None:
            return replace(position, painting=(yield from self._open(position)), image=None)
        if position.step < self._plan.settings.steps:
            return (yield from self._optimize(position, position.painting))
        if position.level + 1 < len(self._plan.levels):
            return Position(position.level + 1, 0, image=position.painting.image)
        return Position(position.level + 1, 0, image=(yield from self._close(position.painting.image)))

    def progress(self, position: Position) -> TransferProgress:
        """What people see of `position`."""
        settings, levels = self._plan.settings, self._plan.levels
        over = position.level == len(levels)
        step = settings.steps if over else position.step
        left = 0 if over else self._work_left(position)
        height, width = levels[min(position.level, len(levels) - 1)].size
        return TransferProgress(
            position.level * settings.steps + position.step,
            settings.steps * len(levels),
            level=min(position.level + 1, len(levels)),
            levels=len(levels),
            size=(width, height),
            epoch=epoch_of(step, epochs=settings.epochs, steps_per_epoch=settings.steps_per_epoch),
            epochs=settings.epochs,
            step=step,
            steps=settings.steps,
            losses=self._losses,
            seconds_left=0.0 if over else self._pace.seconds(left),
            fraction=1.0 if over else 1.0 - left / max(self._plan.work, 1),
            _canvas=self._canvas,
            _pixels=position.pixels,
        )

    def _work_left(self, position: Position) -> int:
        areas = [height * width for height, width in (lv.size for lv in self._plan.levels[position.level :])]
        return self._plan.settings.steps * sum(areas) - position.step * areas[0]

    def _send(self, call: Call[Outputs]) -> Job[Outputs]:
        return ask(call, self._ref, on_failure=self._pace.disturb)

    def _open(self, position: Position) -> Job[Painting]:
        level = self._plan.levels[position.level]
        first, *others = zip(self._materials.styles, level.styles, strict=True)
        inputs = {
            "content": near(self._materials.content.rgb, level.size),
            "size": np.array(level.size, np.int32),
            **_style_inputs(*first),
            **self._layers,
        }
        opened = yield from self._send(predict_call(self._ref, inputs, signature="open"))
        targets = [self._flat(opened, "style_targets")]
        for style, size in others:
            inputs = {**_style_inputs(style, size), **self._style_layers}
            answer = yield from self._send(predict_call(self._ref, inputs, signature="open_style"))
            targets.append(self._flat(answer, "style_targets", length=len(targets[0])))
        content = self._picture(opened, "image", level.size)
        image = yield from self._start(position, level, content)
        none = np.zeros_like(image)
        self._mask = None
        return Painting(
            image,
            none,
            none,
            _mixed(targets, self._plan.settings.shares),
            self._flat(opened, "content_targets"),
        )

    def _start(self, position: Position, level: Level, content: Array) -> Job[Array]:
        if position.image is not None:
            return (yield from self._resize(position.image, level.size))
        if self._materials.start is not None:
            start = near(self._materials.start, level.size)
            return (yield from self._resize(start.astype(np.float32) / np.float32(255.0), level.size))
        if self._materials.noise:
            return np.random.default_rng(self._plan.settings.seed).random(content.shape, np.float32)
        return content

    def _resize(self, image: Array, size: Size) -> Job[Array]:
        if image.shape[:2] == size:
            return image
        inputs = {"image": image, "size": np.array(size, np.int32)}
        answer = yield from self._send(predict_call(self._ref, inputs, signature="resize"))
        return self._picture(answer, "image", size)

    def _optimize(self, position: Position, painting: Painting) -> Job[Position]:
        size = self._plan.levels[position.level].size
        area = size[0] * size[1]
        count = self._pace.steps(area, most=self._most_steps(position))
        inputs: dict[str, NDArray[Any]] = {
            **painting.arrays(),
            **self._weights,
            **self._layers,
            **self._masked(size),
            "iteration": np.asarray(position.step, np.int32),
            "steps": np.asarray(count, np.int32),
        }
        call = predict_call(self._ref, inputs, signature="optimize", outputs=_OUTPUTS)
        self._pace.start()
        answer = yield from self._send(call)
        self._pace.stop(count * area)
        self._losses = Losses(**{name: self._number(answer, f"{name}_loss") for name in _LOSSES})
        state = {name: self._picture(answer, name, size) for name in _STATE}
        return Position(position.level, position.step + count, painting=replace(painting, **state))

    def _masked(self, size: Size) -> dict[str, NDArray[Any]]:
        if self._materials.mask is None:
            return {}
        if self._mask is None or self._mask.size != size[0] * size[1]:
            self._mask = resized(self._materials.mask, size).astype(np.float32).ravel() / np.float32(255.0)
        return {"mask": self._mask}

    def _most_steps(self, position: Position) -> int:
        steps = self._plan.settings.steps
        most = min(steps - position.step, self._plan.model.maximum_steps)
        if self._every is None:
            return most
        return min(most, self._every - (position.level * steps + position.step) % self._every)

    def _close(self, image: Array) -> Job[NDArray[np.uint8]]:
        answer = yield from self._send(predict_call(self._ref, {"image": image}, signature="close"))
        return output(answer, "image", dtype=np.uint8, shape=image.shape, model=self._ref.name)

    def _picture(self, answer: Outputs, name: str, size: Size) -> Array:
        return output(answer, name, dtype=np.float32, shape=(*size, 3), model=self._ref.name)

    def _flat(self, answer: Outputs, name: str, *, length: int | None = None) -> Array:
        return output(answer, name, dtype=np.float32, shape=(length,), model=self._ref.name)

    def _number(self, answer: Outputs, name: str) -> float:
        return float(output(answer, name, dtype=np.float32, shape=(), model=self._ref.name))


def _style_inputs(style: NDArray[np.uint8], size: Size) -> dict[str, NDArray[Any]]:
    return {"style": near(style, size), "style_size": np.array(size, np.int32)}


def _mixed(targets: Sequence[Array], shares: Sequence[float]) -> Array:
    """The weighted mean; of a single one, that very one."""
    total = np.float32(shares[0]) * targets[0]
    for target, share in zip(targets[1:], shares[1:], strict=True):
        total += np.float32(share) * target
    return total
