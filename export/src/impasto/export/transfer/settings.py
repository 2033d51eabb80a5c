"""What suits VGG19."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What paints well.

    Attributes:
        style_layers: weights by layer in the style loss; these are taken when a request sends none.
        content_layers: the same for content.
        steps: optimisation steps.
        style_weight: of the style loss.
        content_weight: of the content loss.
        total_variation_weight: of the total variation.
        learning_rate: of Adam.
    """

    style_layers: Mapping[str, float] = field(
        default_factory=lambda: MappingProxyType({f"block{block}_conv1": 1.0 for block in range(1, 6)})
    )
    content_layers: Mapping[str, float] = field(
        default_factory=lambda: MappingProxyType({"block5_conv2": 1.0})
    )
    steps: int = 1000
    style_weight: float = 1e-2
    content_weight: float = 1e4
    total_variation_weight: float = 0.0
    learning_rate: float = 0.02
