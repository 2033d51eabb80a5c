"""The calls of a dream: an octave is opened, climbs by gradient steps, and is closed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._answers import output
from impasto.client._jobs import Arrays, Optimisation, PinnedModel, Steps
from impasto.client._models.dream.description import describe_dream
from impasto.client._models.dream.plan import TILE, DreamPlan, complete, fit, octave_sizes
from impasto.client._models.dream.progress import DreamCanvas, DreamProgress
from impasto.client.pictures import Picture

if TYPE_CHECKING:
    from impasto.client._models.dream.job import Dream


def ascent(job: Dream, picture: Picture, guide: Picture | None, model: PinnedModel) -> Steps[Ascent]:
    """Plan a dream by what the model says of itself.

    Raises:
        InvalidInput: a field does not suit the model or the picture's size.
        DecodeError, CallError: of what the model is asked.
    """
    description = yield from describe_dream(model)
    choices = complete(job, description, guide)
    height, width = picture.rgb.shape[:2]
    sizes = yield from octave_sizes(
        model, (height, width), octave_scale=choices.octave_scale, octaves=choices.octaves
    )
    plan = fit(choices, description, sizes)
    canvas = DreamCanvas(picture=picture, preserve_color=job.preserve_color)
    identity = plan.identity(job, picture, model.name)
    return Ascent(plan, model, canvas, seed=job.seed, identity=identity)


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
