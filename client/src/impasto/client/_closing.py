"""A client that is closed: what is known of it, and what its further calls are told."""

from __future__ import annotations

from impasto.client.errors import ClientClosed


class Closable:
    """The part of a transport that knows whether it is closed.

    Args:
        address: the server's.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._closed = False

    def check_open(self, model: str = "") -> None:
        """Raises ClientClosed once the transport is closed; `model` is the one that was to be called."""
        if self._closed:
            raise ClientClosed(
                f"the client of {self.address} is closed; make another one for further calls",
                model=model or None,
            )
