"""Hear what libtiff says about a file: it would print it on standard error, past Python."""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Generator
from functools import cache
from typing import Any, Final

from PIL import _imaging

_Handler: Final = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)

_lock = threading.Lock()
_inside = 0
_before: int | None = None
_here = threading.local()


@contextlib.contextmanager
def listening() -> Generator[list[str], None, None]:
    """Collect what libtiff says in this thread, as its formats without their values.

    libtiff has one handler for the whole process. The one that was there is back when the last thread has left.
    """
    global _inside, _before
    said: list[str] = []
    setter = _setter()
    if setter is None:
        yield said
        return
    with _lock:
        if not _inside:
            _before = setter(ctypes.cast(_handler, ctypes.c_void_p))
        _inside += 1
    outer, _here.said = getattr(_here, "said", None), said
    try:
        yield said
    finally:
        _here.said = outer
        with _lock:
            _inside -= 1
            if not _inside:
                setter(_before)


def _hear(_: bytes | None, words: bytes | None, __: int | None) -> None:
    said: list[str] | None = getattr(_here, "said", None)
    if said is not None and words is not None:
        said.append(words.decode("ascii", "replace"))


_handler: Final = _Handler(_hear)  # kept, for libtiff holds a bare pointer to it


@cache
def _setter() -> Any:
    """TIFFSetErrorHandler of the libtiff that Pillow is linked with; None where that shows no such function."""
    try:
        function = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
    except (AttributeError, OSError, TypeError):
        return None
    function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_void_p
    return function
