"""The `impasto` command: `python -m impasto.client` or the console script."""

from __future__ import annotations

import gc
import signal
import sys
from importlib.util import find_spec
from types import FrameType
from typing import NoReturn

_PACKAGES_OF_CLI = ("click", "rich")
_ENDING = tuple(signal.Signals[name] for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


def _end_by(number: int, _frame: FrameType | None) -> NoReturn:
    """Do what Ctrl-C does, which writes what there is and leaves no half file; by a second signal the process dies."""
    _received.append(number)
    for ending in _ENDING:
        signal.signal(ending, signal.SIG_DFL)
    raise KeyboardInterrupt


_received: list[int] = []


def main() -> None:
    """Run the command line and exit with its code."""
    for package in _PACKAGES_OF_CLI:  # rich is imported only where a bar is drawn, which is late to miss it
        if find_spec(package) is None:
            sys.exit(f"impasto: the command line needs {package}: pip install 'impasto-client[cli]'")
    gc.disable()  # imports make no garbage, and looking for it took a tenth of a small picture's time
    from impasto.client.cli import exit_codes, run

    gc.enable()
    for ending in _ENDING:
        if signal.getsignal(ending) is signal.SIG_DFL:  # `nohup` ignores one
            signal.signal(ending, _end_by)
    code = run(sys.argv[1:])
    gc.freeze()  # nor does the interpreter look for any at its end, which took as long
    sys.exit(128 + _received[0] if _received and code == exit_codes.INTERRUPTED else code)


if __name__ == "__main__":
    main()
