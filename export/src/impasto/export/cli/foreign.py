"""`impasto-export repository publish`: a SavedModel that somebody else has made."""

from __future__ import annotations

from pathlib import Path

import click

from impasto.export.cli.options import MODELS, TensorFlowCommand, show_version

_REQUESTS = click.Path(path_type=Path, dir_okay=False)


@click.command(cls=TensorFlowCommand)
@click.argument("model")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--warm-up",
    type=_REQUESTS,
    metavar="REQUESTS.json",
    help="Requests that a server runs while it loads the version. Default: those that DIR brings, if any.",
)
@click.option(
    "--golden",
    type=_REQUESTS,
    metavar="REQUESTS.json",
    help="Requests that are run now, and kept with their outputs, to check servers against.",
)
@click.option(
    "--from", "origin", metavar="TEXT", help="Where it comes from, such as a URL: for the manifest."
)
@click.option("--licence", metavar="TEXT", help="Its licence: for the manifest.")
@MODELS
def publish(
    model: str,
    directory: Path,
    warm_up: Path | None,
    golden: Path | None,
    origin: str | None,
    licence: str | None,
    models: Path,
) -> None:
    """Publish the SavedModel in DIR, whoever made it, as the next version of MODEL.

    It is copied, loaded the way TensorFlow Serving loads it, and called with the requests. Then it becomes a version,
    complete or not at all. What is unusual about it is said on standard error.

    REQUESTS.json is a list, such as

    \b
      [{"signature": "serving_default", "inputs": {"image": "@small.png"}},
       {"inputs": {"x": [[1.5, 2]], "words": ["a", {"b64": "/w=="}], "y": "@y.npy"}}]

    The signature is serving_default where none is named. "@FILE" is an array (.npy), a picture, or the bytes of any
    file where the input is a string; it is relative to the JSON file. Where a picture goes into floats, "pixels":
    "0..1" beside "inputs" says their range.
    """
    from impasto.export.foreign import Extras, publish_saved_model

    given = {"from": origin, "licence": licence}
    source = {name: text for name, text in given.items() if text is not None}
    extras = Extras(warm_up=warm_up, golden=golden, source=source)
    show_version(publish_saved_model(model, directory, models, extras=extras))
