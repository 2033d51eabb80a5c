"""Where the local server differs from TensorFlow Serving: the one table, which docs/local-server.md shows.

A row's `real` and `local` are what the case of that name in tests/conformance says of each server, word for word.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

PAGE: Final = Path(__file__).resolve().parents[3] / "docs" / "local-server.md"

WRONG_FLAG: Final = "flags: no such flag, or no such value"
UNKNOWN_FIELDS: Final = "altered requests: unknown fields in an entry of inputs"

_BEGIN, _END = "<!-- differences -->", "<!-- end of the differences -->"


@dataclass(frozen=True)
class Difference:
    """One difference.

    Attributes:
        case: the case that shows it.
        real: what TensorFlow Serving does.
        local: what the local server does.
        why: the reason why it is left.
    """

    case: str
    real: str
    local: str
    why: str


DIFFERENCES: Final = (
    Difference(
        "start: a configuration that is not there",
        real="exit 255: Failed to start server. Error: NOT_FOUND: …/none.config; No such file or directory",
        local="exit 255: cannot be read: No such file or directory",
        why="the message names the flag's file and the reason",
    ),
    Difference(
        "start: a file whose name is a version's number",
        real="does not start",
        local="OK",
        why="a version is a folder; what else lies there does not take a model away",
    ),
    Difference(
        "answers: no flag",
        real="float_val",
        local="tensor_content",
        why="server and client take 25 ms a megapixel less than for typed fields; what `docker/` ships asks for it, "
        "too; `--enable_serialization_as_tensor_content=false` brings typed fields",
    ),
    Difference(
        "health: no flag",
        real="UNIMPLEMENTED",
        local="OK",
        why="the health service is on unless `--enable_grpc_healthcheck_service=false`",
    ),
    Difference(
        "health: a watcher, when the server is told to stop",
        real="nothing, then UNAVAILABLE",
        local="NOT_SERVING",
        why="running calls get time to finish (`--grace`), so load balancers are told first",
    ),
    Difference(
        "stop: a call that runs",
        real="UNAVAILABLE",
        local="OK",
        why="running calls get time to finish (`--grace`)",
    ),
    Difference(
        "tensor: DT_RESOURCE",
        real="the process ends with signal 6",
        local="INVALID_ARGUMENT tensor parsing error: x; goes on",
        why="a request must not end a server",
    ),
    Difference(
        "tensor: a variant",
        real="INVALID_ARGUMENT Expects arg[0] to be float but variant is provided",
        local="INVALID_ARGUMENT tensor parsing error: x",
        why="numpy has no such dtype; no model takes it",
    ),
    Difference(
        "Predict: an output that is a variant",
        real="OK serving_default 1 v: variant, y: float32 [0.5, 1.0]",
        local="UNIMPLEMENTED output v is a variant, which no response of this server can hold; "
        "ask for others with output_filter: {y}",
        why="numpy has no such dtype; the other outputs are answered",
    ),
    Difference(
        "tensor: rank 70",
        real="OK float32 1 y: float32 of rank 70",
        local="INVALID_ARGUMENT tensor parsing error: x",
        why="numpy's arrays have at most 64 dimensions",
    ),
    Difference(
        "unknown method",
        real="UNIMPLEMENTED",
        local="UNIMPLEMENTED Method not found!",
        why="these are the words of gRPC for Python",
    ),
    Difference(
        "unknown service",
        real="UNIMPLEMENTED",
        local="UNIMPLEMENTED Method not found!",
        why="these are the words of gRPC for Python",
    ),
    Difference(
        "Classify",
        real="INVALID_ARGUMENT No classification inputs found in SignatureDef",
        local="UNIMPLEMENTED Classify is not implemented by Impasto's local server",
        why="no model of Impasto is called that way",
    ),
    Difference(
        "Regress",
        real="INVALID_ARGUMENT Expected one output Tensor.",
        local="UNIMPLEMENTED Regress is not implemented by Impasto's local server",
        why="no model of Impasto is called that way",
    ),
    Difference(
        "MultiInference",
        real="INVALID_ARGUMENT ModelSpec has no name specified.",
        local="UNIMPLEMENTED MultiInference is not implemented by Impasto's local server",
        why="no model of Impasto is called that way",
    ),
    Difference(
        UNKNOWN_FIELDS,
        real="the entry counts, with what it has",
        local="the entry is as if it were not there",
        why="Python's parser of protocol buffers; no client writes such entries",
    ),
    Difference(
        "load: it fails",
        real="LOADING without an error, then END with OUT_OF_RANGE; version 1 answers",
        local="LOADING without an error, then END with DATA_LOSS; version 1 answers",
        why="the message is the loader's, as at the start",
    ),
    Difference(
        "load: complete after the last attempt",
        real="END with NOT_FOUND",
        local="AVAILABLE without an error",
        why="a version that is still being copied is served once it is whole",
    ),
    Difference(
        "load: a call runs on the version before",
        real="available only when the call has ended",
        local="available beside the call",
        why="a call of an hour must not keep a promoted version back; Impasto's client makes long jobs of short calls",
    ),
    Difference(
        "reload: after one that waits",
        real="DEADLINE_EXCEEDED Deadline Exceeded",
        local="OK",
        why="a reload never keeps back the next one",
    ),
    Difference(
        "batching: different shapes",
        real="FAILED_PRECONDITION",
        local="OK",
        why="requests are never batched",
    ),
    Difference(
        "REST: the port",
        real="open",
        local="closed",
        why="there is no REST API here; the gRPC API has everything that Impasto uses",
    ),
    Difference(
        "REST: predict with tensor_content",
        real="wrong numbers",
        local="no REST API",
        why="a fault of TensorFlow Serving that also shows its memory: see [rest.md](rest.md)",
    ),
    Difference(
        "tensor: no strings of rank 40",
        real="OK string 1 y: string []",
        local="INVALID_ARGUMENT tensor parsing error: x",
        why="strings have at most 32 dimensions in TensorFlow's Python API: more would end the process",
    ),
    Difference(
        WRONG_FLAG,
        real="exit 255",
        local="exit 2",
        why="every command line of Impasto ends with 2 for wrong usage",
    ),
    Difference(
        "threads: none",
        real="exit -6",
        local="exit 2",
        why="a wrong value is refused with a message",
    ),
    Difference(
        "start: the address",
        real="every address",
        local="127.0.0.1 alone",
        why="a laptop's server is for that laptop; `--host 0.0.0.0` opens it",
    ),
    Difference(
        "load: the variables are lost",
        real="AVAILABLE without an error",
        local="END with UNKNOWN",
        why="a version without its weights is not served",
    ),
    Difference(
        "load: the folder of another model is gone",
        real="NOT_FOUND",
        local="AVAILABLE without an error",
        why="a fault of one model does not keep the others back",
    ),
    Difference(
        "reload: after one that was refused",
        real="INVALID_ARGUMENT, then INVALID_ARGUMENT",
        local="INVALID_ARGUMENT, then OK",
        why="a refused configuration is forgotten",
    ),
    Difference(
        "reload: three at once",
        real="DEADLINE_EXCEEDED, DEADLINE_EXCEEDED, DEADLINE_EXCEEDED",
        local="DEADLINE_EXCEEDED, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED",
        why="at most one reload waits for another",
    ),
    Difference(
        "reload: a new model's newest version cannot be loaded",
        real="UNKNOWN 1 model(s) did not become available: {{{name: new version: 2}",
        local="OK",
        why="the version before it answers",
    ),
    Difference(
        "reload: a new model, where the disk is looked at once",
        real="DEADLINE_EXCEEDED Deadline Exceeded",
        local="OK",
        why="a reload looks at the disk",
    ),
    Difference(
        "load: a call runs on another model",
        real="available only when the call has ended",
        local="available beside the call",
        why="a call of an hour must not keep a promoted version back",
    ),
    Difference(
        "headers: over 8 KB, and a call beside them",
        real="fails, too",
        local="answered",
        why="gRPC for Python refuses only that call and keeps the connection",
    ),
)


def only_local(case: str) -> Any:
    """A mark for a test of what the local server does better: it runs there only, by the row of that case."""
    assert case in {row.case for row in DIFFERENCES}, f"{case!r} is not in the table of differences"
    return pytest.mark.parametrize("server_kind", ["local"], indirect=True, scope="session")


def table() -> str:
    """The table in Markdown."""
    head = "| case | TensorFlow Serving | local server | why |\n|---|---|---|---|\n"
    rows = (
        (row.case, f"`{row.real}`", f"`{row.local}`", row.why)
        for row in sorted(DIFFERENCES, key=lambda row: row.case.lower())
    )
    return head + "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n" for row in rows
    )


def page_with_table(page: str) -> str:
    """The page with the table as it is now."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{table()}{_END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page_with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
