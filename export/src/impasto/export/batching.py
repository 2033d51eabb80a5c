"""How TensorFlow Serving may run requests together, for a server started with --enable_batching and
--enable_per_model_batching_parameters. Without those flags nobody reads the file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

FILE: Final = "batching_params.pbtxt"
"""Where a server looks for it, relative to a version."""

# A batch of 8 photos of 512 pixels keeps a GPU busy within a few gigabytes. Half-filled batches are not padded, and
# the shapes do not matter to a graph without XLA. Five milliseconds are little beside the hundreds that a photo takes.
# Thread counts are the server's own affair: they are shared by all models.
_PARAMETERS: Final = """\
max_batch_size { value: 8 }
batch_timeout_micros { value: 5000 }
max_enqueued_batches { value: 64 }
"""


def write_batching(directory: Path) -> None:
    """Write the parameters into the version in `directory`.

    A batching server joins waiting requests of one signature, and refuses all of them with FAILED_PRECONDITION if
    their pictures differ in size; the client repeats such a call.
    """
    (directory / FILE).write_text(_PARAMETERS, encoding="utf-8")
