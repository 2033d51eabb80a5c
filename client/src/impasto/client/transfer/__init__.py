"""Style transfer by optimisation: options, progress and the job that drives the served model."""

from __future__ import annotations

from impasto.client.transfer.description import TransferDescription
from impasto.client.transfer.options import TransferKeywords, TransferOptions
from impasto.client.transfer.progress import TransferProgress

__all__ = ["TransferDescription", "TransferKeywords", "TransferOptions", "TransferProgress"]
