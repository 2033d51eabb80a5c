"""An optimisation that runs in many calls: what the skeleton of long jobs asks of a model, and the progress of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from impasto.client._jobs.steps import Progress, Steps
from impasto.client._jobs.values import clock

Size: TypeAlias = tuple[int, int]
"""Height and width in pixels."""

Arrays: TypeAlias = Mapping[str, NDArray[Any]]
"""The state of an optimisation, by the names that its signature's inputs have."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LongProgress(Progress, ABC):
    """The progress of a long job.

    Attributes:
        done: steps done, at all sizes.
        total: steps in all.
        step: steps done at this size.
        steps: steps at this size.
        seconds_left: an estimate; None before the first step.
        fraction: the part of the work that is done, 0 to 1. Steps at large sizes are more work than at small ones.
        next_fraction: the part that will be done at the next progress.
        next_seconds: an estimate of when that will be; None before the first step, and at the end.
    """

    step: int
    steps: int
    seconds_left: float | None
    fraction: float
    next_fraction: float
    next_seconds: float | None
    # Called without arguments. The reference reads this type in the modules of the subclasses.
    _on_preview: Any = field(repr=False)

    def preview(self) -> Image.Image:
        """Make the picture so far, of the result's size and mode; of the last progress it is the result.

        A job whose pictures are looked at on the way shows more of them, unless it was told by `every` which ones.
        """
        self._on_preview()
        return self._picture()

    @abstractmethod
    def _picture(self) -> Image.Image:
        """Make the picture so far."""

    def words(self, *parts: str) -> str:
        """Return the words of `parts` and of the time that is left, as a line for people."""
        left = () if self.seconds_left is None else (f"{clock(self.seconds_left)} left",)
        return "  ".join((*parts, *left))


ProgressT_co = TypeVar("ProgressT_co", bound=LongProgress, covariant=True)


class Optimisation(ABC, Generic[ProgressT_co]):
    """The part of a long job that its model has of its own: the calls that open, change and close a picture.

    Attributes:
        sizes: the sizes at which the picture is worked on, in their order; at least one.
        steps: the number of steps at each of them.
        most_steps: the most steps that one call may take.
        identity: what the result depends on, as JSON values: two jobs of one identity have the same result.
    """

    IMAGE: ClassVar[str]
    """The array of the state that is the picture."""

    OPENS_AT_ONCE: ClassVar[bool] = False
    """True if opening a size takes about as long as a call without steps: one call, without the network."""

    sizes: tuple[Size, ...]
    steps: tuple[int, ...]
    most_steps: int
    identity: Mapping[str, Any]

    @abstractmethod
    def open(self, stage: int, picture: NDArray[Any] | None) -> Steps[Arrays]:
        """Return the state that the steps at a size begin with."""

    @abstractmethod
    def change(self, state: Arrays, stage: int, step: int, count: int) -> Steps[Arrays]:
        """Return the state after `count` more steps, 0 or more, at a size at which `step` are done, in one call."""

    @abstractmethod
    def close(self, state: Arrays, stage: int) -> Steps[NDArray[Any]]:
        """Return the picture to open the next size with; of the last size, the result."""

    @abstractmethod
    def image(self, pixels: NDArray[Any] | None) -> Image.Image:
        """Return a state's image, or a picture between two sizes, for people; None for what the job begins with."""

    @abstractmethod
    def progress(self, stage: int, common: Mapping[str, Any], pixels: NDArray[Any] | None) -> ProgressT_co:
        """Return the progress at a size; `common` are the fields of LongProgress, `pixels` are what `image` takes."""

    @abstractmethod
    def remedy(self, share: float) -> str:
        """Return what a person can do where the server has the memory for this share of the sides only."""

    @abstractmethod
    def state_shapes(self, stage: int) -> Mapping[str, tuple[int | None, ...]]:
        """Return the shapes of the state's arrays, which are float32; None is any number."""

    @abstractmethod
    def picture_form(self, stage: int) -> tuple[type[np.generic], tuple[int, ...]]:
        """Return the dtype and the shape of the picture that `close` returns of the size before this one."""
