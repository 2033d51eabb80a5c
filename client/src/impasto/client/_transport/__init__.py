"""Calls sent over gRPC, and sent again where that helps; `patience` states the policy.

gRPC's core writes about every connection that a server ends to the application's standard error. Exceptions tell all
that a caller needs, so that is switched off here, before gRPC is imported, which reads the level then. A GRPC_VERBOSITY
that is set is left alone, for those who want the log.
"""

from __future__ import annotations

import os

os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
