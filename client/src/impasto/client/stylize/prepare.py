"""From what a caller gives to a stylizer's jobs that are ready to run."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from impasto.client._calls import ModelRef
from impasto.client._prepared import Prepared
from impasto.client.pictures import ImageSource, read_picture
from impasto.client.stylize.job import Painting, style_job, stylize_job
from impasto.client.stylize.style import StyleSource, StyleVector, read_blend


def prepare_stylize(
    content: ImageSource,
    style: StyleSource | Sequence[StyleSource],
    ref: ModelRef,
    painting: Painting,
    *,
    weights: Sequence[float] | None,
    max_pixels: int,
) -> Prepared[Image.Image]:
    """A photo to paint. Arguments and errors as of `Client.stylize`."""
    photo = read_picture(content, max_pixels=max_pixels)
    blend = read_blend(style, weights, model=ref.name, max_pixels=max_pixels)
    return Prepared(stylize_job(photo, blend, ref, painting))


def prepare_style(
    style: StyleSource | Sequence[StyleSource],
    ref: ModelRef,
    *,
    weights: Sequence[float] | None,
    max_pixels: int,
) -> Prepared[StyleVector]:
    """A style to look at. Arguments and errors as of `Client.style_vector`."""
    return Prepared(style_job(read_blend(style, weights, model=ref.name, max_pixels=max_pixels), ref))
