"""The demonstration behind `make demo`: real pictures through the command line and a local server.

Starts the local server on the model repository, runs each job that the repository holds a model for, and writes
the results and contact sheets to the output folder.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import click
import upscale

from impasto.serving import LocalServer
from impasto.serving.quiet import quiet_tensorflow

PHOTOS = Path(__file__).resolve().parent.parent / "photos"

JOBS: dict[str, Callable[[str, Path, Path], list[Path]]] = {"srcnn": upscale.run}
"""What to show for each model: a function of the server's address, the photo folder and the output folder."""


@click.command()
@click.option("--models", type=click.Path(path_type=Path), default=Path("models"), show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("demo"), show_default=True)
@click.option("--only", type=click.Choice(list(JOBS)), help="Show this model only.")
def main(models: Path, out: Path, only: str | None) -> None:
    """Show what the models in MODELS do to the photos of examples/photos."""
    out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    quiet_tensorflow()
    jobs = {model: JOBS[model] for model in JOBS if only in (None, model) and (models / model).is_dir()}
    with LocalServer(models, only=list(jobs)) as server:
        click.echo(
            f"local server on {server.address} with {models}, {time.monotonic() - started:.1f} s to start"
        )
        for job in jobs.values():
            for path in job(server.address, PHOTOS, out):
                click.echo(f"wrote {path}")


if __name__ == "__main__":
    main()
