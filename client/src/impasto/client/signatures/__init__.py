"""The contract: every kind of model that Impasto serves, with its signatures, inputs and outputs.

This is the one place that names them. The exporters build their SavedModels from it, the client calls by it, and a
test compares it with the SignatureDef of each exported model. Images are RGB; pixel values run from 0 to 255 where
the dtype is uint8 and over the range stated by the input where it is float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from impasto.client.signatures._dream import DREAM
from impasto.client.signatures._specs import SERVING_DEFAULT, Default, ModelContract, Signature, TensorSpec
from impasto.client.signatures._stylize import CONTENT_MINIMUM_SIDE, STYLE_SIDE, STYLIZE
from impasto.client.signatures._transfer import TRANSFER
from impasto.client.signatures._upscale import FACTORS, UPSCALE

CONTRACTS: Final[Mapping[str, ModelContract]] = MappingProxyType(
    {contract.name: contract for contract in (UPSCALE, STYLIZE, DREAM, TRANSFER)}
)
"""Every contract by its name."""

MODELS: Final[Mapping[str, ModelContract]] = MappingProxyType(
    {model: contract for contract in CONTRACTS.values() for model in contract.models}
)
"""The contract of each model that the exporters publish, by its name in the repository.

A model of another name may keep a contract, too: its manifest says which, or its signatures show it.
"""

__all__ = [
    "CONTENT_MINIMUM_SIDE",
    "CONTRACTS",
    "DREAM",
    "FACTORS",
    "MODELS",
    "SERVING_DEFAULT",
    "STYLE_SIDE",
    "STYLIZE",
    "TRANSFER",
    "UPSCALE",
    "Default",
    "ModelContract",
    "Signature",
    "TensorSpec",
]
