"""The `impasto` command: `python -m impasto.client` or the console script."""

from __future__ import annotations

import sys
from importlib.util import find_spec

_PACKAGES_OF_CLI = ("click", "rich")


def main() -> None:
    """Run the command line and exit with its code."""
    for package in _PACKAGES_OF_CLI:  # rich is imported only where a bar is drawn, which is late to miss it
        if find_spec(package) is None:
            sys.exit(f"impasto: the command line needs {package}: pip install 'impasto-client[cli]'")
    from impasto.client.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
