"""The question that comes before many pictures: is the model there, and what can it do?"""

from __future__ import annotations

from impasto.client._calls import ModelRef, metadata_call
from impasto.client._driver import drive, finish
from impasto.client._patience import Patience
from impasto.client._prepared import Prepared
from impasto.client._retries import patiently
from impasto.client.cli.picture_options import Reference
from impasto.client.client import Client
from impasto.client.metadata import ModelMetadata


def look_up(client: Client, reference: Reference) -> ModelMetadata:
    """Return the model's metadata, also from a server that is overloaded: pictures wait for it, and so does this.

    A wrong address, model, version or label is better said before the work than at every picture.

    Raises:
        CallError: at once if the server does not answer, or has no such model.
    """
    model, version, label = reference["model"], reference["version"], reference["label"]
    job = patiently(metadata_call(ModelRef(model, version, label)))
    patience = Patience(client.settings.patience)
    steps = drive(Prepared(job), lambda call: client.metadata(model, version=version, label=label), patience)
    return finish(steps, None)
