"""The calls of a dream: an octave is opened, climbs by gradient steps, and is closed; and the pictures on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._answers import output
from impasto.client._jobs import Arrays, LongProgress, Optimisation, PinnedModel, Steps
from impasto.client._models.dream.plan import TILE, DreamPlan
from impasto.client.pictures import Picture, keep_colours


@dataclass(frozen=True, kw_only=True, eq=False)
class DreamProgress(LongProgress):
    """The progress of a dream.

    Attributes:
        done: gradient steps done, of all octaves.
        total: gradient steps in all.
        octave: the current one, counted from 1.
        octaves: the number of octaves.
        step: gradient steps done at this octave.
        steps: gradient steps at each octave.
        loss: the loss that the last step saw and raises; None before the first.
        seconds_left: an estimate; None before the first step.
        fraction: the part of the work that is done, 0 to 1. Steps at large octaves are more work than at small ones.
        next_fraction: the part that will be done at the next progress.
        next_seconds: an estimate of when that will be; None before the first step, and at the end.
    """

    octave: int
    octaves: int
    loss: float | None
    _canvas: DreamCanvas = field(repr=False)
    _pixels: NDArray[Any] | None = field(repr=False)

    def _picture(self) -> Image.Image:
        return self._canvas.image(self._pixels)

    def __str__(self) -> str:
        loss = () if self.loss is None else (f"loss {self.loss:.4g}",)
        return self.words(f"octave {self.octave}/{self.octaves}", f"step {self.step}/{self.steps}", *loss)


@dataclass(frozen=True, kw_only=True, eq=False)
class DreamCanvas:
    """Makes pictures for people from a dream's state.

    Attributes:
        picture: the original.
        preserve_color: whether to keep its colours.
    """

    picture: Picture
    preserve_color: bool

    def image(self, pixels: NDArray[Any] | None) -> Image.Image:
        """Return an image like the original: of its size, gray if it was gray, with its transparency.

        Args:
            pixels: uint8 [h, w, 3], or a state float32 [h, w, 3] in -1..1, of any size; None for the original.
        """
        pixels = self.picture.rgb if pixels is None else pixels
        height, width = self.picture.rgb.shape[:2]
        if pixels.dtype != np.uint8:
            # Where a model's numbers ran away, no pixel can tell them.
            with np.errstate(invalid="ignore", over="ignore"):
                pixels = np.clip(255.0 * (pixels + 1.0) / 2.0, 0, 255).astype(np.uint8)
        if pixels.shape[:2] != (height, width):
            sized = Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR)
            pixels = np.asarray(sized)
        if self.preserve_color:
            pixels = keep_colours(self.picture.rgb, pixels)
        return self.picture.rebuild(pixels)


class Ascent(Optimisation[DreamProgress]):
    """A dream's gradient ascent at one octave after the other.

    Args:
        plan: the dream.
        model: the model to ask.
        canvas: makes pictures of the states.
        seed: of the shifts.
        identity: what the result depends on.
    """

    IMAGE: ClassVar = "state"
    OPENS_AT_ONCE: ClassVar = True

    def __init__(
        self,
        plan: DreamPlan,
        model: PinnedModel,
        canvas: DreamCanvas,
        *,
        seed: int,
        identity: Mapping[str, Any],
    ) -> None:
        choices = plan.choices
        self.sizes = plan.sizes
        self.steps = (choices.steps,) * len(self.sizes)
        self.most_steps = plan.model.maximum_steps
        self.identity = identity
        self._model = model
        self._canvas = canvas
        self._plan = plan
        self._loss: float | None = None
        self._signature = "ascend" if choices.guide is None else "ascend_guided"
        self._inputs: Mapping[str, NDArray[Any]] = {
            "step_size": np.asarray(choices.step_size, np.float32),
            "layer_weights": choices.weights,
            "tile": np.asarray(plan.tile, np.int32),
            "seed": np.asarray(seed, np.int32),
            "smoothing": np.asarray(choices.recipe.smoothing, np.float32),
            "shift": np.asarray(choices.recipe.shift, np.int32),
            "fade_in": np.asarray(choices.recipe.fade_in, np.int32),
            **({} if choices.guide is None else {"guide": choices.guide}),
        }

    def open(self, stage: int, picture: NDArray[Any] | None) -> Steps[Arrays]:
        """Return the state of a picture at an octave's size."""
        size = self.sizes[stage]
        image = self._canvas.picture.rgb if picture is None else picture
        inputs: dict[str, NDArray[Any]] = {"image": image, "size": np.array(size, np.int32)}
        details = self._plan.choices.recipe.details
        if details:
            inputs |= {"original": self._canvas.picture.rgb, "details": np.asarray(details, np.float32)}
        answer = yield from self._model.predict(inputs, signature="open", outputs=["state"])
        return {"state": output(answer, "state", dtype=np.float32, shape=(*size, 3), model=self._model.name)}

    def change(self, state: Arrays, stage: int, step: int, count: int) -> Steps[Arrays]:
        """Return the state after `count` more gradient steps."""
        inputs = {
            **self._inputs,
            **state,
            "steps": np.asarray(count, np.int32),
            "first_step": np.asarray(step, np.int32),
        }
        answer = yield from self._model.predict(inputs, signature=self._signature, outputs=["state", "loss"])
        shape = (*self.sizes[stage], 3)
        changed = output(answer, "state", dtype=np.float32, shape=shape, model=self._model.name)
        self._loss = float(output(answer, "loss", dtype=np.float32, shape=(), model=self._model.name))
        return {"state": changed}

    def close(self, state: Arrays, stage: int) -> Steps[NDArray[Any]]:
        """Return the picture of a state; after the last octave, at the original's size."""
        dtype, shape = self.picture_form(stage + 1)
        inputs = {**state, "size": np.array(shape[:2], np.int32)}
        answer = yield from self._model.predict(inputs, signature="close", outputs=["image"])
        return output(answer, "image", dtype=dtype, shape=shape, model=self._model.name)

    def image(self, pixels: NDArray[Any] | None) -> Image.Image:
        """Return what the canvas makes of it."""
        return self._canvas.image(pixels)

    def progress(self, stage: int, common: Mapping[str, Any], pixels: NDArray[Any] | None) -> DreamProgress:
        """Return the progress at an octave."""
        return DreamProgress(
            **common,
            octave=stage + 1,
            octaves=len(self.sizes),
            loss=self._loss,
            _canvas=self._canvas,
            _pixels=pixels,
        )

    def remedy(self, share: float) -> str:
        """Return the smaller tile, where there is one, and the smaller picture."""
        pixels = self._canvas.picture.rgb.shape[:2]
        smaller = f"use a picture whose longer side is {max(1, int(share * max(pixels)))} or less"
        tile = min(TILE, int(share * (self._plan.tile or max(map(max, self.sizes)))))
        if tile < 2 * self._plan.model.minimum_side:
            return f"{smaller}, or leave large octaves out"
        return f"take gradients in smaller pieces, tile (--tile) {tile}, or {smaller}"

    def state_shapes(self, stage: int) -> Mapping[str, tuple[int | None, ...]]:
        """Return the shape of the state: its octave's."""
        return {"state": (*self.sizes[stage], 3)}

    def picture_form(self, stage: int) -> tuple[type[np.generic], tuple[int, ...]]:
        """Return the form of the picture that an octave begins with; beyond the last, of the result."""
        original = self._canvas.picture.rgb.shape
        return np.uint8, original if stage == len(self.sizes) else (*self.sizes[stage - 1], 3)


def zoom_in(image: Image.Image, *, factor: float) -> Image.Image:
    """The middle of an image, enlarged to the image's size, with its colour profile, resolution and EXIF data.

    Args:
        image: of any mode.
        factor: how much larger things become, 1 or more; at 1.05 fourteen frames double them.

    Raises:
        ValueError: the factor is less than 1, or no number.
    """
    if not 1.0 <= factor < float("inf"):
        raise ValueError(f"factor is {factor}; it must be 1 or more")
    width, height = image.size
    left, top = (width - width / factor) / 2, (height - height / factor) / 2
    box = (left, top, width - left, height - top)
    zoomed = image.resize(image.size, Image.Resampling.BICUBIC, box=box)
    zoomed.info.update({key: image.info[key] for key in ("icc_profile", "dpi", "exif") if key in image.info})
    return zoomed
