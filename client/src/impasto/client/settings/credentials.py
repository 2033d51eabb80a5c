"""Credentials among the metadata of calls, told by their names."""

from __future__ import annotations

import re
from typing import Final

AUTHORIZATION: Final = "authorization"

# Headers of HTTP, of API gateways and of clouds; rather one too many than one too few.
_CREDENTIAL: Final = re.compile(
    r"authorization|cookie|credential|jwt|key|pass(code|phrase|wd|word)|secret|signature|token"
    r"|(^|[-_.])(auth|pwd|session|sid)([-_.]|$)|^x-goog-iam-"
)


def is_credential(name: str) -> bool:
    """Return whether metadata of this name, in lower case, is a credential: nobody else may read its value."""
    return _CREDENTIAL.search(name) is not None
