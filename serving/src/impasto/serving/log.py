"""The logs: each record is one line that nobody else can forge.

Names of models, messages of errors and folders come from clients and from disks. A line break in one would begin a
line of its own, a terminal would obey its control characters, and a name of megabytes would fill the disk.
"""

from __future__ import annotations

import logging
import traceback

from impasto.client.texts import LONGEST, printable


def get_logger(name: str) -> logging.Logger:
    """Return the logger of that name, whose records are escaped."""
    logger = logging.getLogger(name)
    if escape not in logger.filters:
        logger.addFilter(escape)
    return logger


def escape(record: logging.LogRecord) -> bool:
    """Make a record one line, with a traceback set in; a filter of loggers and handlers that keeps every record."""
    record.msg, record.args = printable(record.getMessage(), longest=LONGEST), ()
    if record.exc_info and record.exc_info[1] is not None:
        # The lines of a traceback stay lines, set in, so that none of them looks like a record.
        lines = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n").split("\n")
        record.exc_text = "\n".join(f"    {printable(line, longest=LONGEST)}" for line in lines)
    return True
