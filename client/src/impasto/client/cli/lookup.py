"""The question that comes before many pictures: is the model there, and what can it do?"""

from __future__ import annotations

import time

from impasto.client._transport.patience import Patience, Wait
from impasto.client.cli.picture_options import Reference
from impasto.client.client import Client
from impasto.client.errors import CallError
from impasto.client.metadata import ModelMetadata


def look_up(client: Client, reference: Reference) -> ModelMetadata:
    """Return the model's metadata, also from a server that is overloaded: pictures wait for it, and so does this.

    A wrong address, model, version or label is better said before the work than at every picture.

    Raises:
        CallError: at once if the server does not answer, or has no such model.
    """
    model, version, label = reference["model"], reference["version"], reference["label"]
    with Wait(Patience(client.settings.patience)) as wait:
        while True:
            try:
                return client.metadata(model, version=version, label=label)
            except CallError as error:
                time.sleep(wait.pause_after(error))
