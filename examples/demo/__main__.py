"""The demonstration behind `make demo`: real pictures through the command line and a local server.

Exports the models that are missing, starts the local server on the model repository, runs each job, and writes the
results and contact sheets to the output folder.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click
import dream
import stylize
import transfer
import upscale
from job import Job

from impasto.client.cli import run
from impasto.serving import LocalServer
from impasto.serving.importing import quiet_tensorflow

EXAMPLES = Path(__file__).resolve().parent.parent

UPSCALERS = tuple(dict.fromkeys(model for case in upscale.CASES for model in case.models))

JOBS = {
    job.name: job
    for job in (
        Job("upscale", UPSCALERS, upscale.show),
        Job("stylize", ("stylize",), stylize.show, ("stylize", "--source", "package")),
        Job("dream", ("dream",), dream.show, ("dream", "--backbone", "vgg19", "--weights", "package")),
        Job("transfer", ("transfer",), transfer.show, ("transfer", "--weights", "package")),
    )
}


@click.command()
@click.option("--models", type=click.Path(path_type=Path), default=Path("models"), show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("demo"), show_default=True)
@click.option(
    "--only", type=click.Choice(list(JOBS)), multiple=True, help="Show this job only; may be repeated."
)
@click.option("--studio", is_flag=True, help="Open Studio's page for the models instead.")
def main(models: Path, out: Path, only: tuple[str, ...], studio: bool) -> None:
    """Show what the models do to the pictures of examples/."""
    jobs = [JOBS[name] for name in only or JOBS if JOBS[name].prepare(models)]
    started = time.monotonic()
    quiet_tensorflow()
    # Whoever looks around wants to see whatever is there.
    served = None if studio else [model for job in jobs for model in job.models]
    with LocalServer(models, only=served) as server:
        click.echo(f"local server on {server.address}, {time.monotonic() - started:.1f} s to start")
        if studio:
            # In this process, so that Ctrl-C ends the page in good order, and then the server.
            sys.exit(run(["studio", "--server", server.address]))
        out.mkdir(parents=True, exist_ok=True)
        for job in jobs:
            started = time.monotonic()
            pictures = job.show(server.address, EXAMPLES, out)
            click.echo(
                f"{job.name}: {time.monotonic() - started:.0f} s; look at {' '.join(map(str, pictures))}"
            )


if __name__ == "__main__":
    main()
