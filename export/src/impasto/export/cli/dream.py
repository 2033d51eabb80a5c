"""`impasto-export dream`: DeepDream on a network of one's choice."""

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

_BACKBONES = ("inception_v3", "vgg19")


@click.command(cls=TensorFlowCommand)
@click.option(
    "--backbone",
    type=click.Choice(_BACKBONES),
    default=_BACKBONES[0],
    show_default=True,
    help="The network.",
)
@WEIGHTS
@SEED
@click.option(
    "--fold/--no-fold",
    default=True,
    show_default=True,
    help="Fold InceptionV3's batch normalisation into its convolutions.",
)
@click.option(
    "--compute",
    type=click.Choice([compute.value for compute in Compute]),
    default=Compute.FLOAT32.value,
    show_default=True,
    help="The type that the network computes in. bfloat16-backward takes a fifth less time, with the same losses and "
    "nearly the same gradients; bfloat16 takes three fifths of the time, and dreams something else that is as good. "
    "Both are slower than float32 on processors without bfloat16 instructions.",
)
@ALLOW_HOST_OPS
@MODELS
def dream(
    backbone: str, weights: str, seed: int, fold: bool, compute: str, allow_host_ops: bool, models: Path
) -> None:
    """Export DeepDream as the next version of `dream` in the model repository."""
    from impasto.export.backbones import BACKBONES
    from impasto.export.dream.publish import publish

    found = load_weights("dream --backbone vgg19", backbone, weights, seed=seed, models=models)
    version = publish(
        BACKBONES[backbone],
        found,
        models,
        fold=fold,
        compute=Compute(compute),
        allow_host_ops=allow_host_ops,
    )
    show_version(version)
