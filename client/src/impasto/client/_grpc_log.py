"""Keep gRPC's core from writing about every connection that a server ends to the application's standard error.

Its level is read from the environment when `grpc` is imported, so this module comes before. Exceptions tell all that a
caller needs; whoever wants the log sets GRPC_VERBOSITY, which is then left alone.
"""

from __future__ import annotations

import os

os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
