"""The `impasto` command: `python -m impasto.client` or the console script."""

from __future__ import annotations

import sys

_PACKAGES_OF_CLI = ("click", "rich")


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        from impasto.client.cli import run

        code = run(sys.argv[1:])
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _PACKAGES_OF_CLI:
            raise
        sys.exit(f"impasto: the command line needs {missing}: pip install 'impasto-client[cli]'")
    sys.exit(code)


if __name__ == "__main__":
    main()
