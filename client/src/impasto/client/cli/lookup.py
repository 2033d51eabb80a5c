"""The question that comes before many pictures: is the model there, and what can it do?"""

from __future__ import annotations

from impasto.client._calls import metadata_call
from impasto.client._jobs.driver import drive, finish
from impasto.client._patience import Patience
from impasto.client._retries import patiently
from impasto.client.client import Client
from impasto.client.metadata import ModelMetadata
from impasto.client.model import Model


def look_up(client: Client, model: Model) -> ModelMetadata:
    """Return the model's metadata, also from a server that is overloaded: pictures wait for it, and so does this.

    A wrong address, model, version or label is better said before the work than at every picture.

    Raises:
        CallError: at once if the server does not answer, or has no such model.
    """
    steps = patiently(metadata_call(model))
    return finish(drive(steps, lambda call: client.metadata(model), Patience(client.settings.patience)))
