"""`impasto-export transfer`: style transfer by optimisation."""

from __future__ import annotations

from pathlib import Path

import click

from impasto.export.cli.options import (
    ALLOW_HOST_OPS,
    MODELS,
    SEED,
    WEIGHTS,
    TensorFlowCommand,
    load_weights,
    show_version,
)
from impasto.export.compute import Compute


@click.command(cls=TensorFlowCommand)
@WEIGHTS
@SEED
@click.option(
    "--compute",
    type=click.Choice([Compute.FLOAT32.value, Compute.BFLOAT16.value]),
    default=Compute.FLOAT32.value,
    show_default=True,
    help="The type that the network computes in. bfloat16 takes about half the time where the processor has it, and "
    "paints a slightly different picture.",
)
@ALLOW_HOST_OPS
@MODELS
def transfer(weights: str, seed: int, compute: str, allow_host_ops: bool, models: Path) -> None:
    """Export style transfer on VGG19 as the next version of `transfer` in the model repository."""
    from impasto.export.transfer.publish import publish

    found = load_weights("transfer", "vgg19", weights, seed=seed, models=models)
    show_version(publish(found, models, compute=Compute(compute), allow_host_ops=allow_host_ops))
