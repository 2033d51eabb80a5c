"""The average of the pictures that an optimisation goes through: it has less noise than any of them.

Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging" (1992), with weights that fade:
a_t = d a_(t-1) + (1 - d) x_t from a_0 = 0, divided by 1 - d^t, is the weighted mean of the x so far. What is carried is
that quotient, so that it is a picture at any time:

    a_t = a_(t-1) (1 - r) + x_t r, where r = (1 - d) / (1 - d^t)
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from impasto.export.transfer.adam import rest


class Average(NamedTuple):
    """An average on its way.

    Attributes:
        image: the average so far, float32 [H, W, 3].
        count: the pictures in it, int32 [].
    """

    image: tf.Tensor
    count: tf.Tensor


def averaged(average: Average, image: tf.Tensor, decay: tf.Tensor) -> Average:
    """The average with one picture more; `decay` is float32 [], and at 0 the average is the last picture."""
    count = average.count + 1
    share = rest(decay) / (1.0 - tf.pow(decay, tf.cast(count, tf.float32)))
    return Average(average.image * (1.0 - share) + image * share, count)
