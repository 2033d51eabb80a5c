"""Functions of a graph: what is in it once, however often it is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import tensorflow as tf

NOT_INLINED: Final = {"_noinline": True}
"""Attributes of a function that the graph optimiser does not copy into its callers."""

_OPTIMISED_LATE: Final = {"_tf_data_function": True}
"""Attributes of a function that a session does not optimise before it is called, or has been copied into its caller.

Before a signature's first call is answered, a session optimises every function that the call might reach, each with a
copy of all that this one might reach: for the layers of a network that takes several times as long as all the rest.
What is then really called is optimised once more, so nothing is lost. The attribute is the one by which TensorFlow
knows the functions of its input pipelines, which have optimisers of their own; nothing else depends on it.
"""


def graph_function(function: Callable[..., Any], *signature: Any, **attributes: bool) -> Callable[..., Any]:
    """A function of the graph, which a session optimises when it is called.

    Args:
        function: from tensors to tensors.
        signature: the structure of its inputs as tf.TensorSpecs; without any, that of its first call and of each other.
        attributes: more attributes, such as NOT_INLINED.
    """
    wrapped: Callable[..., Any] = tf.function(
        function,
        autograph=False,
        input_signature=signature or None,
        experimental_attributes=_OPTIMISED_LATE | attributes,
    )
    return wrapped
