"""The gRPC target of an address, looked up again where the names of its replicas may mean something else by then.

gRPC looks a single name up again by itself. Of several it takes addresses only, so their names are looked up here: a
name that means nothing yet, as that of a container that is started again, is left out and asked for again later.
"""

from __future__ import annotations

import threading
import time
from typing import Final

from impasto.client._transport import forks
from impasto.client.errors import AddressError
from impasto.client.settings.addresses import Resolved, resolved

PERIOD: Final = 30.0
"""Seconds between two looks for the names that had no address."""

AFTER_FAILURE: Final = 5.0
"""The least number of seconds between two looks for all names, while no replica answers."""


class Lookup:
    """The places of an address's replicas. Threads may share one.

    Args:
        address: the server's, as the client was given it.

    Raises:
        AddressError: the address cannot be parsed, or none of its names resolves.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._found: Resolved = resolved(address)
        self._looked = time.monotonic()
        self._lock = forks.Lock()

    @property
    def target(self) -> str:
        """The gRPC target, as it was found last."""
        return self._found.target

    def look_again(self, *, failed: bool = False) -> None:
        """Look the names up again if it is time to, in a thread of its own: name servers may be slow.

        Args:
            failed: whether no replica answered.
        """
        if not (self._found.missing or (failed and self._found.has_names)):
            return
        with self._lock:
            now = time.monotonic()
            if now < self._looked + (AFTER_FAILURE if failed else PERIOD):
                return
            self._looked = now
        threading.Thread(target=self._look, name="impasto-names", daemon=True).start()

    def _look(self) -> None:
        try:
            self._found = resolved(self._address)
        except AddressError:
            return  # none of them resolves just now: those that were found stay
