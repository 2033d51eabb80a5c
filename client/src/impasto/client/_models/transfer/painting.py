"""The calls of a transfer: a size is opened, painted by optimisation steps, and at the end closed.

What `open` computes, the Gram matrices and the content's activations, is part of the state: for each step of a call
it is less to send it than to compute it anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._answers import output
from impasto.client._jobs import Arrays, Optimisation, PinnedModel, Size, Steps
from impasto.client._models.transfer.description import describe_transfer
from impasto.client._models.transfer.materials import Materials, near, resized
from impasto.client._models.transfer.plan import Level, TransferPlan, complete, fit, painted_levels
from impasto.client._models.transfer.progress import Losses, TransferCanvas, TransferProgress, epoch_of
from impasto.client._transport.calls import Outputs
from impasto.client.errors import DecodeError
from impasto.client.signatures import TRANSFER

if TYPE_CHECKING:
    from impasto.client._models.transfer.job import Transfer

Array = NDArray[np.float32]

# What the steps change: the picture, and Adam's means of the gradient and of its square.
_CHANGED: Final = ("image", "m", "v")
_TARGETS: Final = ("style_targets", "content_targets")
_LOSSES: Final = tuple(field.name for field in fields(Losses))
_DONE: Final = "iteration"
_DTYPES: Final = MappingProxyType({spec.name: spec.dtype for spec in TRANSFER.signatures["optimize"].inputs})
_OUTPUTS: Final = (*_CHANGED, _DONE, *(f"{name}_loss" for name in _LOSSES))


def painting(job: Transfer, materials: Materials, model: PinnedModel) -> Steps[Painting]:
    """Plan a transfer by what the model says of itself.

    Raises:
        InvalidInput: a field does not suit the model or the pictures.
        DecodeError, CallError: of what the model is asked.
    """
    description = yield from describe_transfer(model)
    choices = complete(job, description)
    levels = yield from painted_levels(job, materials, model, least=description.minimum_side)
    planned = fit(job, choices, description, levels)
    size = materials.size if job.keep_size else levels[-1].size
    canvas = TransferCanvas(materials=materials, size=size, preserve_color=job.preserve_color)
    identity = planned.identity(job, materials, model.name)
    kind = AveragedPainting if choices.recipe.averages else Painting
    return kind(planned, model, canvas, seed=job.seed, identity=identity)


class Painting(Optimisation[TransferProgress]):
    """A transfer's optimisation at one size after the other.

    The state is the picture [H, W, 3] in 0..1, Adam's moments `m` and `v` of the same shape, the Gram matrices of all
    styles mixed, and the content's activations, each of the last two one after the other in a vector.

    Args:
        plan: the transfer.
        model: the model to ask.
        canvas: makes pictures of the states, and has what they are made of.
        seed: of the noise.
        identity: what the result depends on.
    """

    IMAGE: ClassVar = "image"

    def __init__(
        self,
        plan: TransferPlan,
        model: PinnedModel,
        canvas: TransferCanvas,
        *,
        seed: int,
        identity: Mapping[str, Any],
    ) -> None:
        choices = plan.choices
        self.sizes = tuple(level.size for level in plan.levels)
        self.steps = plan.steps
        self._epochs = plan.epochs
        self._steps_per_epoch = choices.steps_per_epoch
        self._seed = seed
        self.most_steps = plan.model.maximum_steps
        self.identity = identity
        self.model_name = model.name
        self._levels = plan.levels
        self._shares = choices.shares
        self._model = model
        self._canvas = canvas
        self._materials = canvas.materials
        self._losses: Losses | None = None
        self._mask: Array | None = None
        self._style_layers = {"style_layer_weights": choices.style_layers}
        self._layers = {**self._style_layers, "content_layer_weights": choices.content_layers}
        self._settings = _settings({**choices.weights, **choices.recipe.inputs})

    def open(self, stage: int, picture: NDArray[Any] | None) -> Steps[Arrays]:
        """Return the state at a size: what to begin with, moments of zero, and the targets."""
        level = self._levels[stage]
        first, *others = zip(self._materials.styles, level.styles, strict=True)
        inputs = {
            "content": near(self._materials.content.rgb, level.size),
            "size": np.array(level.size, np.int32),
            **_style_inputs(*first),
            **self._layers,
        }
        opened = yield from self._model.predict(
            inputs, signature="open", outputs=["image", "style_targets", "content_targets"]
        )
        targets = [self._flat(opened, "style_targets")]
        for style, size in others:
            inputs = {**_style_inputs(style, size), **self._style_layers}
            answer = yield from self._model.predict(inputs, signature="open_style", outputs=["style_targets"])
            targets.append(self._flat(answer, "style_targets", length=len(targets[0])))
        image = yield from self._start(picture, level, self._picture(opened, "image", level.size))
        none = np.zeros_like(image)
        self._mask = None
        return {
            "image": image,
            "m": none,
            "v": none,
            "style_targets": _mixed(targets, self._shares),
            "content_targets": self._flat(opened, "content_targets"),
        }

    def change(self, state: Arrays, stage: int, step: int, count: int) -> Steps[Arrays]:
        """Return the state after `count` more steps of Adam."""
        answer = yield from self.optimised(self.step_inputs(state, stage, step, count))
        return self.changed(state, answer, stage)

    def step_inputs(self, state: Arrays, stage: int, done: int, count: int) -> dict[str, NDArray[Any]]:
        """Return what `optimize` is sent for `count` steps after the `done` ones that Adam has made."""
        changed = {name: state[name] for name in (*_CHANGED, *_TARGETS)}
        return {
            **changed,
            **self._settings,
            **self._layers,
            **self._masked(self.sizes[stage]),
            _DONE: np.asarray(done, np.int32),
            "steps": np.asarray(count, np.int32),
        }

    def optimised(self, inputs: Mapping[str, NDArray[Any]], *more: str) -> Steps[Outputs]:
        """Return what `optimize` answers, its losses noted; `more` are further outputs that are wanted."""
        answer = yield from self._model.predict(inputs, signature="optimize", outputs=(*_OUTPUTS, *more))
        self._check_progress(answer, int(inputs[_DONE]) + int(inputs["steps"]))
        self._losses = Losses(**{name: self._number(answer, f"{name}_loss") for name in _LOSSES})
        return answer

    def changed(self, state: Arrays, answer: Outputs, stage: int) -> Arrays:
        """Return the state with the picture and the moments that were answered."""
        return {**state, **{name: self._picture(answer, name, self.sizes[stage]) for name in _CHANGED}}

    def close(self, state: Arrays, stage: int) -> Steps[NDArray[Any]]:
        """Return the painting at a size; of the last one, as the model's bytes."""
        image = state["image"]
        if stage + 1 < len(self.sizes):
            return image
        answer = yield from self._model.predict({"image": image}, signature="close", outputs=["image"])
        return output(answer, "image", dtype=np.uint8, shape=image.shape, model=self._model.name)

    def image(self, pixels: NDArray[Any] | None) -> Image.Image:
        """Return what the canvas makes of it."""
        return self._canvas.image(pixels)

    def progress(
        self, stage: int, common: Mapping[str, Any], pixels: NDArray[Any] | None
    ) -> TransferProgress:
        """Return the progress at a size."""
        height, width = self.sizes[stage]
        epochs = self._epochs[stage]
        return TransferProgress(
            **common,
            level=stage + 1,
            levels=len(self.sizes),
            size=(width, height),
            epoch=epoch_of(common["step"], epochs=epochs, steps_per_epoch=self._steps_per_epoch),
            epochs=epochs,
            losses=self._losses,
            _canvas=self._canvas,
            _pixels=pixels,
        )

    def remedy(self, share: float) -> str:
        """Return the smaller longest side."""
        return f"set max_side (--max-side) to {max(1, int(share * max(self.sizes[-1])))} or less"

    def state_shapes(self, stage: int) -> Mapping[str, tuple[int | None, ...]]:
        """Return the shapes: of the picture and the moments, the size's; of the targets, any length."""
        changed = dict.fromkeys(_CHANGED, (*self.sizes[stage], 3))
        return {**changed, "style_targets": (None,), "content_targets": (None,)}

    def picture_form(self, stage: int) -> tuple[type[np.generic], tuple[int, ...]]:
        """Return the form of the painting that a size begins with; beyond the last, of the result."""
        return np.uint8 if stage == len(self.sizes) else np.float32, (*self.sizes[stage - 1], 3)

    def _start(self, picture: Array | None, level: Level, content: Array) -> Steps[Array]:
        if picture is not None:
            return (yield from self._resize(picture, level.size))
        if self._materials.start is not None:
            start = near(self._materials.start, level.size)
            return (yield from self._resize(start.astype(np.float32) / np.float32(255.0), level.size))
        if self._materials.noise:
            return np.random.default_rng(self._seed).random(content.shape, np.float32)
        return content

    def _resize(self, image: Array, size: Size) -> Steps[Array]:
        if image.shape[:2] == size:
            return image
        inputs = {"image": image, "size": np.array(size, np.int32)}
        answer = yield from self._model.predict(inputs, signature="resize", outputs=["image"])
        return self._picture(answer, "image", size)

    def _masked(self, size: Size) -> dict[str, NDArray[Any]]:
        if self._materials.mask is None:
            return {}
        if self._mask is None or self._mask.size != size[0] * size[1]:
            self._mask = resized(self._materials.mask, size).astype(np.float32).ravel() / np.float32(255.0)
        return {"mask": self._mask}

    def _check_progress(self, answer: Outputs, wanted: int) -> None:
        """Check that the model did the steps that were asked for. Raises DecodeError."""
        done = int(output(answer, _DONE, dtype=np.int32, shape=(), model=self._model.name))
        if done != wanted:
            raise DecodeError(
                f"{self._model.name} says that {done} steps are done where it was asked to get to {wanted}",
                model=self._model.name,
            )

    def _picture(self, answer: Outputs, name: str, size: Size) -> Array:
        return output(answer, name, dtype=np.float32, shape=(*size, 3), model=self._model.name)

    def _flat(self, answer: Outputs, name: str, *, length: int | None = None) -> Array:
        return output(answer, name, dtype=np.float32, shape=(length,), model=self._model.name, finite=True)

    def _number(self, answer: Outputs, name: str) -> float:
        return float(output(answer, name, dtype=np.float32, shape=(), model=self._model.name))


def _style_inputs(style: NDArray[np.uint8], size: Size) -> dict[str, NDArray[Any]]:
    return {"style": near(style, size), "style_size": np.array(size, np.int32)}


def _settings(values: Mapping[str, float]) -> dict[str, NDArray[Any]]:
    return {name: np.asarray(value, _DTYPES[name]) for name, value in values.items()}


def _mixed(targets: Sequence[Array], shares: Sequence[float]) -> Array:
    """The weighted mean; of a single one, that very one."""
    total = np.float32(shares[0]) * targets[0]
    for target, share in zip(targets[1:], shares[1:], strict=True):
        total += np.float32(share) * target
    return total


_AVERAGE: Final = "average"
_MOMENTS: Final = ("m", "v")
# What goes from one size to the next is one array: the average's colours, and those of either moment.
_COLOURS: Final = 3
_MOST_DECAY: Final = 0.99
_REMEMBERED: Final = 1 / 8
"""The part of a size's steps that the average remembers."""

_CARRIED: Final = 9


class AveragedPainting(Painting):
    """A painting whose state has the average of its pictures, too.

    Each size begins with the average of the one before. Adam goes on there: its moments are resized along, and its
    steps are counted over all sizes.
    """

    IMAGE: ClassVar = _AVERAGE

    def open(self, stage: int, picture: NDArray[Any] | None) -> Steps[Arrays]:
        """Return the state at a size: what to begin with, the moments so far, and the targets."""
        carried = None if picture is None else np.split(picture, _CARRIED // _COLOURS, axis=2)
        state = yield from super().open(stage, None if carried is None else carried[0])
        moments: Mapping[str, Array] = {}
        if carried is not None:
            moments = {
                name: resized_moment(moment, self.sizes[stage])
                for name, moment in zip(_MOMENTS, carried[1:], strict=True)
            }
        return {**state, **moments, _AVERAGE: state["image"]}

    def change(self, state: Arrays, stage: int, step: int, count: int) -> Steps[Arrays]:
        """Return the state after `count` more steps of Adam."""
        size = self.sizes[stage]
        inputs = {
            **self.step_inputs(state, stage, sum(self.steps[:stage]) + step, count),
            _AVERAGE: state[_AVERAGE].ravel(),
            "averaged": np.asarray(step, np.int32),
            "average_decay": np.asarray(average_decay(self.steps[stage]), np.float32),
        }
        answer = yield from self.optimised(inputs, _AVERAGE)
        height, width = size
        shape = (height * width * _COLOURS,)
        flat = output(answer, _AVERAGE, dtype=np.float32, shape=shape, model=self.model_name)
        return {**self.changed(state, answer, stage), _AVERAGE: flat.reshape(*size, _COLOURS)}

    def close(self, state: Arrays, stage: int) -> Steps[NDArray[Any]]:
        """Return the average at a size, with the moments where another size follows; of the last one, as bytes."""
        if stage + 1 < len(self.sizes):
            return np.concatenate([state[name] for name in (_AVERAGE, *_MOMENTS)], axis=2)
        return (yield from super().close({"image": state[_AVERAGE]}, stage))

    def image(self, pixels: NDArray[Any] | None) -> Image.Image:
        """Return what the canvas makes of it."""
        return super().image(_colours(pixels))

    def progress(
        self, stage: int, common: Mapping[str, Any], pixels: NDArray[Any] | None
    ) -> TransferProgress:
        """Return the progress at a size."""
        return super().progress(stage, common, _colours(pixels))

    def state_shapes(self, stage: int) -> Mapping[str, tuple[int | None, ...]]:
        """Return the shapes: those without an average, and its own."""
        return {**super().state_shapes(stage), _AVERAGE: (*self.sizes[stage], _COLOURS)}

    def picture_form(self, stage: int) -> tuple[type[np.generic], tuple[int, ...]]:
        """Return the form of what a size begins with; beyond the last, of the result."""
        dtype, shape = super().picture_form(stage)
        return (dtype, shape) if stage == len(self.sizes) else (dtype, (*shape[:2], _CARRIED))


def average_decay(steps: int) -> float:
    """Return the decay of the average at a size of so many steps, by which its last eighth weighs the most.

    The usual 0.99 is that of 800 steps. In a shorter run it keeps pictures of the beginning, which are far from done.
    """
    return min(_MOST_DECAY, max(0.0, 1 - 1 / (_REMEMBERED * steps)))


def resized_moment(moment: Array, size: Size) -> Array:
    """Return a moment of Adam [h, w, 3] at another size: bilinear, so that no mean of squares becomes negative."""
    height, width = size
    colours = [
        Image.fromarray(np.ascontiguousarray(moment[..., colour])).resize(
            (width, height), Image.Resampling.BILINEAR
        )
        for colour in range(_COLOURS)
    ]
    return np.stack([np.asarray(colour, np.float32) for colour in colours], axis=2)


def _colours(pixels: NDArray[Any] | None) -> NDArray[Any] | None:
    return None if pixels is None else pixels[..., :_COLOURS]
