"""The question that comes before many pictures: is the model there, and what can it do?"""

from __future__ import annotations

import time

from impasto.client._transport.patience import Patience, Wait
from impasto.client.client import Client
from impasto.client.errors import CallError
from impasto.client.metadata import ModelMetadata
from impasto.client.model import Model


def look_up(client: Client, model: Model) -> ModelMetadata:
    """Return the model's metadata, also from a server that is overloaded: pictures wait for it, and so does this.

    A wrong address, model, version or label is better said before the work than at every picture.

    Raises:
        CallError: at once if the server does not answer, or has no such model.
    """
    with Wait(Patience(client.settings.patience)) as wait:
        while True:
            try:
                return client.metadata(model)
            except CallError as error:
                time.sleep(wait.pause_after(error))
