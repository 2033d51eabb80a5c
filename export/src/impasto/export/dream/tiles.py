"""A picture's gradient taken tile by tile, so that memory follows the tile and not the picture.

At a tile's edge the network sees padding instead of the picture, which would draw seams. So the picture is shifted by
another random distance at each step (as a torus: what leaves on one side comes in on the other), and the seams never
lie twice in one place.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

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
    longest = tf.where(tf.equal(tile, 0), size, tile)
    counts = -(-size // longest)
    return counts, -(-size // counts)


def tiled_gradient(
    picture: tf.Tensor, gradient: Gradient, *, tile: tf.Tensor, seed: tf.Tensor, step: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Loss and gradient of `picture`, float32 [H, W, 3]; a picture in one tile is not shifted.

    Args:
        picture: float32 [H, W, 3].
        gradient: computes loss and gradient of one tile.
        tile: see `tile_size`.
        seed: int32 [], the seed of the shifts.
        step: int32 [], the step's number; each has its own shift.

    Returns:
        The mean of the tiles' losses, weighted by their pixels, and the gradient [H, W, 3].
    """
    size = tf.shape(picture)[:2]
    counts, sides = tile_size(size, tile)
    total = tf.reduce_prod(counts)
    whole = tf.equal(total, 1)
    random = tf.random.stateless_uniform([2], tf.stack([seed, step]))
    shift = tf.cast(random * tf.cast(sides, tf.float32), tf.int32)
    pixels = tf.cast(tf.reduce_prod(size), tf.float32)

    def unless_whole(change: Callable[[], tf.Tensor], unchanged: tf.Tensor) -> tf.Tensor:
        # A picture in one tile is not copied around: that would cost some hundredths of a step.
        return tf.ensure_shape(tf.cond(whole, lambda: unchanged, change), [None, None, 3])

    shifted = unless_whole(lambda: tf.roll(picture, shift, axis=[0, 1]), picture)

    def body(index: tf.Tensor, loss: tf.Tensor, found: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        first = tf.stack([index // counts[1], index % counts[1]]) * sides
        last = tf.minimum(first + sides, size)
        # The last tiles reach back over their neighbours, so that all have one size; they give their own part.
        start = last - sides
        cut = [*tf.unstack(start), 0], [*tf.unstack(sides), 3]
        part_loss, part = gradient(unless_whole(lambda: tf.slice(shifted, *cut), shifted))
        share = tf.cast(tf.reduce_prod(last - first), tf.float32) / pixels

        def placed() -> tf.Tensor:
            own = part[first[0] - start[0] :, first[1] - start[1] :]
            around = tf.stack([first, size - last], axis=1)
            return found + tf.pad(own, tf.pad(around, [[0, 1], [0, 0]]))

        return index + 1, loss + share * part_loss, unless_whole(placed, part)

    # One tile at a time: TensorFlow would otherwise run several at once, with the memory of as many.
    _, loss, found = tf.while_loop(
        lambda index, *_: index < total,
        body,
        (tf.constant(0), tf.constant(0.0), tf.zeros_like(picture)),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([]), tf.TensorShape([None, None, 3])),
        parallel_iterations=1,
    )
    return loss, unless_whole(lambda: tf.roll(found, -shift, axis=[0, 1]), found)
