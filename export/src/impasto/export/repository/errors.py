"""The errors of a model repository.

    ExportError
    └── RepositoryError
        ├── ModelNameError         the name cannot be a model's
        ├── ModelNotFoundError     no version of the model is there
        ├── VersionNotFoundError   that version is not there
        ├── PublishError           what the writer left cannot be a version
        └── CorruptVersionError    a version is not what its manifest says

An OSError (disk full, no permission) passes through: it names the path and the reason itself.
"""

from __future__ import annotations

from impasto.export.errors import ExportError


class RepositoryError(ExportError):
    """Anything that the repository refuses or misses."""


class ModelNameError(RepositoryError):
    """The name cannot be a model's."""


class ModelNotFoundError(RepositoryError):
    """No version of the model is in the repository."""


class VersionNotFoundError(RepositoryError):
    """The model is there, that version is not."""


class PublishError(RepositoryError):
    """The files that the writer left in the staging directory cannot be a version."""


class CorruptVersionError(RepositoryError):
    """A version is not what its manifest says, or has no readable manifest."""
