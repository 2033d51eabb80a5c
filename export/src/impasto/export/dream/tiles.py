"""A picture's gradient taken tile by tile, so that memory follows the tile and not the picture.

At a tile's edge the network sees padding instead of the picture, which would draw seams. So the picture is shifted by
another random distance at each step (as a torus: what leaves on one side comes in on the other), and the seams never
lie twice in one place.

A picture in one piece has no seams, but the network's strides draw a grid, unless it is shifted as well. There the
picture goes on beyond its borders as its own mirror image: a torus would join borders that have nothing in common, and
the network would draw what it sees there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from impasto.export.branches import place_count, where_positive

Gradient = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
"""A picture float32 [H, W, 3] to a loss [] and its gradient [H, W, 3]."""


def tile_size(size: tf.Tensor, tile: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Cut a picture into tiles as evenly as its sides allow.

    Args:
        size: int32 [..., 2], height and width.
        tile: int32 [], the longest side of a tile; 0 leaves the picture whole.

    Returns:
        int32 [..., 2]: how many tiles are below and beside each other, and a tile's height and width. A tile's side is
        at least half of `tile`, or the picture's.
    """
    # Neither by `tf.where` nor by `tf.reduce_prod`: a card computes these even of whole numbers, and see `branches`.
    longest = tile + size * (1 - tf.minimum(tile, 1))
    counts = -(-size // longest)
    return counts, -(-size // counts)


def tiled_gradient(
    picture: tf.Tensor,
    gradient: Gradient,
    *,
    tile: tf.Tensor,
    shift: tf.Tensor,
    seed: tf.Tensor,
    step: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Loss and gradient of `picture`, float32 [H, W, 3].

    Args:
        picture: float32 [H, W, 3].
        gradient: computes loss and gradient of one tile.
        tile: see `tile_size`.
        shift: int32 [], the most pixels by which a picture in one tile is shifted, up or down and left or right.
        seed: int32 [], the seed of the shifts.
        step: int32 [], the step's number; each has its own shift.

    Returns:
        The mean of the tiles' losses, weighted by their pixels, and the gradient [H, W, 3].
    """
    size = tf.shape(picture)[:2]
    counts, sides = tile_size(size, tile)
    total = counts[0] * counts[1]
    most = tf.minimum(shift, tf.reduce_min(size) // 2)
    # Where to cut is decided on the processor, which would otherwise wait for the card at each step.
    with tf.device("CPU:0"):
        random = tf.random.stateless_uniform([2], tf.stack([seed, step]))
        around = tf.cast(random * tf.cast(sides, tf.float32), tf.int32)
        aside = tf.cast(random * tf.cast(2 * most + 1, tf.float32), tf.int32) - most

    def where_tiled(tiled: Callable[[], Any], whole: Callable[[], Any]) -> Any:
        return where_positive(total - 1, tiled, whole)

    def moved(image: tf.Tensor, sign: int, beyond: str) -> tf.Tensor:
        def of_the_whole() -> tf.Tensor:
            return where_positive(most, lambda: _moved(image, sign * aside, most, beyond), lambda: image)

        found = where_tiled(lambda: tf.roll(image, sign * around, axis=[0, 1]), of_the_whole)
        return tf.ensure_shape(found, [None, None, 3])

    seen = moved(picture, 1, "SYMMETRIC")

    # A picture in one tile is not copied around, which would cost some hundredths of a step. It goes through the loop
    # all the same: with a second call of `gradient`, a server would take a quarter longer to be ready.
    def body(index: tf.Tensor, loss: tf.Tensor, found: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        first = tf.stack([index // counts[1], index % counts[1]]) * sides
        last = tf.minimum(first + sides, size)
        # The last tiles reach back over their neighbours, so that all have one size; they give their own part.
        start = last - sides
        cut = [*tf.unstack(start), 0], [*tf.unstack(sides), 3]
        tile_seen = where_tiled(lambda: tf.slice(seen, *cut), lambda: seen)
        part_loss, part = gradient(tf.ensure_shape(tile_seen, [None, None, 3]))

        def placed() -> tuple[tf.Tensor, tf.Tensor]:
            own = part[first[0] - start[0] :, first[1] - start[1] :]
            margins = tf.stack([first, size - last], axis=1)
            share = place_count(own) / place_count(picture)
            return loss + share * part_loss, found + tf.pad(own, tf.pad(margins, [[0, 1], [0, 0]]))

        loss, found = where_tiled(placed, lambda: (part_loss, part))
        return index + 1, loss, tf.ensure_shape(found, [None, None, 3])

    # One tile at a time: TensorFlow would otherwise run several at once, with the memory of as many.
    _, loss, found = tf.while_loop(
        lambda index, *_: index < total,
        body,
        (tf.constant(0), tf.constant(0.0), tf.zeros_like(picture)),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([]), tf.TensorShape([None, None, 3])),
        parallel_iterations=1,
    )
    return loss, moved(found, -1, "CONSTANT")


def _moved(image: tf.Tensor, distance: tf.Tensor, most: tf.Tensor, beyond: str) -> tf.Tensor:
    """An image [H, W, 3] moved down and right by `distance` [2], at most `most`; `beyond` is the mode of `tf.pad`."""
    margins = tf.stack([most, most])
    padded = tf.pad(image, [margins, margins, [0, 0]], beyond)
    return tf.slice(padded, tf.concat([most - distance, [0]], axis=0), tf.shape(image))
