"""The versioned model repository that TensorFlow Serving reads: `<root>/<model>/<number>/...`.

Publishing, listing, verifying, pruning and rolling back; no TensorFlow is imported.
"""

from impasto.export.repository.errors import (
    CorruptVersionError,
    ModelNameError,
    ModelNotFoundError,
    PublishError,
    RepositoryError,
    VersionNotFoundError,
)
from impasto.export.repository.store import ModelRepository
from impasto.export.repository.versions import Report, Version

__all__ = [
    "CorruptVersionError",
    "ModelNameError",
    "ModelNotFoundError",
    "ModelRepository",
    "PublishError",
    "Report",
    "RepositoryError",
    "Version",
    "VersionNotFoundError",
]
