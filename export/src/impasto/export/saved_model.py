"""Writing a SavedModel and loading it the way TensorFlow Serving does."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from impasto.client.signatures import ModelContract
from impasto.export import contract as contracts
from impasto.export.contract import SERVE_TAG, SavedModelError, signature_defs
from impasto.export.stateless import assert_stateless

# Written by TensorFlow and needed by no server: a random id, and paths of the machine that exported.
_NOT_REPRODUCIBLE: Final = ("fingerprint.pb", "debug")


def save(
    module: tf.Module,
    directory: str | os.PathLike[str],
    signatures: Mapping[str, Callable[..., Any]],
    *,
    contract: ModelContract,
) -> None:
    """Write `module` as a SavedModel and check that it can be served.

    The same module saved by a fresh process of the same TensorFlow gives the same bytes.

    Args:
        module: holds the variables; its `tf.function`s are saved with it.
        directory: empty or not there yet.
        signatures: the functions to serve, by name. Each is a `tf.function` with an input_signature, not a
            ConcreteFunction: only so are defaults written, from parameters whose default is a `tf.constant`.
        contract: what the result must keep.

    Raises:
        SavedModelError: the directory holds something, a signature is no `tf.function`, or a signature
            writes a variable.
        ContractError: the result differs from the contract.
    """
    target = Path(directory)
    if target.exists() and any(target.iterdir()):
        raise SavedModelError(f"{target} is not empty: name an empty directory or a new one")
    for name, function in signatures.items():
        if isinstance(function, tf.types.experimental.ConcreteFunction) or not isinstance(
            function, tf.types.experimental.PolymorphicFunction
        ):
            raise SavedModelError(
                f"signature {name!r} is a {type(function).__name__}: give a tf.function with input_signature"
            )
    tf.saved_model.save(module, str(target), signatures=dict(signatures))
    for name in _NOT_REPRODUCIBLE:
        path = target / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    contracts.check(contract, target)
    assert_stateless(target)


class ServedModel:
    """A SavedModel in a session of its own, run by tensor names as TensorFlow Serving runs it."""

    def __init__(self, session: tf.compat.v1.Session, signatures: Mapping[str, Any]) -> None:
        self._session = session
        self._signatures = signatures

    @property
    def session(self) -> tf.compat.v1.Session:
        """The session that holds the graph and its variables."""
        return self._session

    @property
    def signatures(self) -> Mapping[str, Any]:
        """The SignatureDefs by name."""
        return self._signatures

    def run(self, signature: str, inputs: Mapping[str, npt.ArrayLike]) -> dict[str, npt.NDArray[Any]]:
        """Run one request: inputs left out take their default from the SignatureDef.

        Raises:
            ValueError: the signature or an input is not there, or a required input is missing.
            tf.errors.OpError: the graph refused the inputs or failed.
        """
        if signature not in self._signatures:
            raise ValueError(f"no signature {signature!r}; there are: {', '.join(self._signatures)}")
        definition = self._signatures[signature]
        if unknown := inputs.keys() - set(definition.inputs):
            raise ValueError(f"signature {signature!r} has no input {', '.join(sorted(unknown))}")
        values = {name: tf.make_ndarray(value) for name, value in definition.defaults.items()} | dict(inputs)
        if missing := set(definition.inputs) - values.keys():
            raise ValueError(f"signature {signature!r} needs input {', '.join(sorted(missing))}")
        fetches = {name: info.name for name, info in definition.outputs.items()}
        feeds = {definition.inputs[name].name: value for name, value in values.items()}
        results = self._session.run(fetches, feeds)
        return {name: np.asarray(value) for name, value in results.items()}


@contextmanager
def load_as_server(directory: str | os.PathLike[str], *, optimised: bool = True) -> Iterator[ServedModel]:
    """Load the SavedModel in `directory` as TensorFlow Serving does: the TF1-style graph in a session.

    Args:
        directory: the SavedModel.
        optimised: let TensorFlow optimise the graph, as a server does. That takes longer than a few small requests,
            whose answers it changes by rounding at most.

    Raises:
        SavedModelError: no SavedModel is there, or it is damaged.
    """
    signatures = signature_defs(directory)
    graph = tf.Graph()
    # Neither is entered for the caller: inside a default graph TensorFlow is no longer eager.
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = not optimised
    session = tf.compat.v1.Session(graph=graph, config=config)
    try:
        with graph.as_default():
            tf.compat.v1.saved_model.load(session, [SERVE_TAG], str(directory))
    except (tf.errors.OpError, OSError, ValueError) as error:
        session.close()
        raise SavedModelError(f"{directory} cannot be loaded ({error}): export the model again") from error
    try:
        yield ServedModel(session, signatures)
    finally:
        session.close()
