"""Calls to a served dream through the official stubs, by the contract's names and dtypes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from impasto.client.signatures import DREAM
from servers.model_servers import ModelServer, serving
from servers.official_stubs import official_client, outputs

Predict = Callable[..., dict[str, Any]]


@contextmanager
def calls_to(server: ModelServer) -> Iterator[Predict]:
    """A function from a signature's name and inputs to the server's outputs."""
    with official_client(server.address) as client:

        def predict(signature: str, **inputs: Any) -> dict[str, Any]:
            specs = {spec.name: spec for spec in DREAM.signatures[signature].inputs}
            arrays = {name: np.asarray(value, specs[name].dtype) for name, value in inputs.items()}
            return outputs(client.predict({"name": "dream", "signature_name": signature}, arrays))

        yield predict


@contextmanager
def serve_dream(models: Path, kind: str = "local", *, warm_up: bool = True) -> Iterator[Predict]:
    """Serve the repository by a server of that kind; gives a function from a signature's name and inputs to outputs."""
    with (
        serving(kind, models, enable_model_warmup=str(warm_up).lower()) as server,
        calls_to(server) as predict,
    ):
        yield predict
