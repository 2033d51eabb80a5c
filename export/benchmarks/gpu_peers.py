"""The steps of dream and transfer on VGG19 in PyTorch, as a user would write them: the peers of gpu.py.

Weights are random: they cost as much as trained ones.
"""

from __future__ import annotations

import importlib
import statistics
import time
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import click

Peer: TypeAlias = Callable[[str, int, int, int], dict[str, float]]
"""Model, side in pixels, steps and runs to milliseconds by the name of the peer."""

_BLOCKS: Final = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 2))
"""Channels and convolutions of VGG19's blocks, down to block5_conv2."""

_DREAM_LAYERS: Final = (("block4_conv3", 1.0), ("block5_conv2", 1.0))
_STYLE_LAYERS: Final = tuple(f"block{number}_conv1" for number in range(1, 6))
_CONTENT_LAYER: Final = "block5_conv2"


def torch_peer() -> Peer | None:
    """The peers; None, with a line that says so, without PyTorch."""
    try:
        torch: Any = importlib.import_module("torch")
    except ImportError:
        click.echo("no peers: PyTorch is not installed (pip install torch)")
        return None
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(0)
    # As TensorFlow has it by default: the fastest algorithm found by trying, and TF32 for products as well.
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = True
    weights: list[tuple[str, Any, Any]] = []
    channels = 3
    for block, (width, convolutions) in enumerate(_BLOCKS, 1):
        for convolution in range(1, convolutions + 1):
            kernel = torch.randn(width, channels, 3, 3, device=device) * (2 / (9 * channels)) ** 0.5
            weights.append((f"block{block}_conv{convolution}", kernel, torch.zeros(width, device=device)))
            channels = width

    def activations(image: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        value, block = image, "1"
        for name, kernel, bias in weights:
            if name[5] != block:
                value, block = torch.nn.functional.max_pool2d(value, 2), name[5]
            value = torch.relu(torch.nn.functional.conv2d(value, kernel, bias, padding=1))
            found[name] = value
        return found

    def dream_step(image: Any, _targets: Any) -> Any:
        image = image.detach().requires_grad_()
        found = activations(image)
        loss = sum(weight * found[name].square().mean() for name, weight in _DREAM_LAYERS)
        (gradient,) = torch.autograd.grad(loss, image)
        return torch.clamp(image + 0.01 * gradient / (gradient.std() + 1e-8), -1, 1)

    def gram(value: Any) -> Any:
        flat = value.flatten(2)
        return flat @ flat.transpose(1, 2) / flat.shape[2]

    def targets_of(content: Any, style: Any) -> Any:
        styled = activations(style)
        return [gram(styled[name]) for name in _STYLE_LAYERS], activations(content)[_CONTENT_LAYER]

    def transfer_step(image: Any, targets: Any) -> Any:
        grams, content = targets
        found = activations(image)
        loss = 1e4 * (found[_CONTENT_LAYER] - content).square().mean()
        for name, wanted in zip(_STYLE_LAYERS, grams, strict=True):
            loss = loss + 1e-2 * (gram(found[name]) - wanted).square().mean() / len(_STYLE_LAYERS)
        return loss

    def run(model: str, side: int, steps: int, step: Any) -> None:
        image = torch.rand(1, 3, side, side, device=device)
        if model == "dream":
            for _ in range(steps):
                image = step(image, None)
        else:
            with torch.no_grad():
                targets = targets_of(image, torch.rand(1, 3, 256, 256, device=device))
            image.requires_grad_()
            adam = torch.optim.Adam([image], lr=0.02, betas=(0.99, 0.999), eps=0.1)
            for _ in range(steps):
                adam.zero_grad()
                step(image, targets).backward()
                adam.step()
                image.data.clamp_(0, 1)
        if device.type == "cuda":
            torch.cuda.synchronize()

    def peer(model: str, side: int, steps: int, runs: int) -> dict[str, float]:
        eager = dream_step if model == "dream" else transfer_step
        compiled = activations if device.type == "cpu" else torch.compile(eager, dynamic=False)
        found: dict[str, float] = {}
        for name, step in (("PyTorch", eager), ("PyTorch compiled", compiled)):
            if step is activations:  # compiling needs a C++ compiler, and is for a GPU
                continue
            run(model, side, steps, step)
            walls: list[float] = []
            for _ in range(runs):
                started = time.perf_counter()
                run(model, side, steps, step)
                walls.append(1000 * (time.perf_counter() - started))
            found[name] = statistics.median(walls)
        return found

    return peer
