"""Run one job over many pictures, several at once: one bad picture does not stop the rest."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from PIL import Image

from impasto.client import AsyncClient, Client, ImageSource, ImpastoError, Job, Model, ModelMetadata, Progress
from impasto.client._transport.asynchronous import in_thread
from impasto.client._transport.patience import Patience, Wait
from impasto.client.cli import exit_codes
from impasto.client.cli.bars import Display
from impasto.client.cli.files import Pipe, check_result, name_of, read_input, write_result
from impasto.client.cli.options import Common
from impasto.client.cli.output import print_json
from impasto.client.cli.pairs import Pair, Plan
from impasto.client.cli.picture_options import Results
from impasto.client.errors import (
    CallError,
    CallUnsupported,
    ModelNotFound,
    NotBatchable,
    PermissionDenied,
    ServerUnavailable,
    TlsError,
    Unauthenticated,
)

Work = Callable[[AsyncClient, ImageSource, Callable[[Progress], None]], Awaitable[Image.Image]]
"""Makes the result of one picture and reports how far it is."""

# What goes wrong the same way for every picture: stop at once.
_HOPELESS: Final = (
    ServerUnavailable,
    TlsError,
    ModelNotFound,
    Unauthenticated,
    PermissionDenied,
    CallUnsupported,
    NotBatchable,
)


@dataclass
class _Tally:
    """What became of the pictures. `written` is filled by several threads, each as soon as its file is there, so that
    a run which ends early forgets none that stands behind an unfinished one."""

    written: dict[Pair, dict[str, Any]] = field(default_factory=dict)
    skipped: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)

    def summary(self, total: int) -> str:
        left = total - len(self.written) - len(self.skipped) - len(self.failed)
        parts = [f"{len(self.written)} of {total} pictures done"]
        parts += [f"{len(self.skipped)} skipped"] if self.skipped else []
        parts += [f"{len(self.failed)} failed"] if self.failed else []
        parts += [f"{left} not done"] if left else []
        return ", ".join(parts)


def running(job: Callable[[ImageSource], Job[Image.Image, Any]]) -> Work:
    """Return the work that runs, for each picture, the job that `job` makes of it."""

    async def work(client: AsyncClient, source: ImageSource, show: Callable[[Progress], None]) -> Image.Image:
        return await client.run(job(source), on_progress=show)

    return work


def run_batch(client: Client, plan: Plan, work: Work, *, common: Common, results: Results, unit: str) -> int:
    """Do and write every picture, show progress, say what failed, and return the exit code.

    Args:
        client: connected; AsyncClients with its settings do the work.
        plan: what to read and where to write.
        work: makes one result.
        common: the common options.
        results: what becomes of them.
        unit: what the job's progress counts, in the plural.

    Raises:
        CallError: no further picture could succeed. What is done stays done.
        click.ClickException: the one picture's place cannot be written to, or standard input holds none.
        OutputError: standard output cannot be written to.
        ReaderGone: nobody reads standard output any more. What is done stays done.
    """
    if plan.is_single:
        check_result(plan.pairs[0].output, overwrite=True, as_json=common.as_json)
    plan.make_folder()
    tally = _Tally()
    pairs = _to_do(plan, tally) if results.resume else plan.pairs
    unsaid = list(pairs)
    # Pipes are read and written in this thread: no other is interrupted by Ctrl-C while it waits for the other end.
    sources = {pair: read_input(pair.source) for pair in pairs}
    with Display(
        quiet=common.quiet, waits=common.waits, pictures=len(plan.pairs), behind=len(tally.skipped)
    ) as display:

        def say(pair: Pair) -> None:
            unsaid.remove(pair)
            if not common.as_json and isinstance(pair.output, Path):
                display.result(pair.output)

        tasks = [
            partial(
                _do_one,
                pair=pair,
                source=sources[pair],
                work=work,
                tally=tally,
                display=display,
                overwrite=results.overwrite or results.resume,
                unit=unit,
            )
            for pair in pairs
        ]
        try:
            with closing(client.map(tasks, concurrency=results.concurrency)) as outcomes:
                for outcome in outcomes:
                    pair, error = pairs[outcome.index], outcome.error
                    if error is None:
                        if outcome.result is not None:
                            write_result(pair.output, outcome.result, overwrite=False)
                        say(pair)
                    elif isinstance(error, _HOPELESS) or (plan.is_single and _is_the_servers(error)):
                        raise error
                    else:
                        tally.failed.append(_failure(pair, error, display))
                    display.next_picture()
        finally:
            for pair in [pair for pair in unsaid if pair in tally.written]:
                say(pair)
            if common.as_json:
                done = [tally.written[pair] for pair in pairs if pair in tally.written]
                print_json({"done": done, "skipped": tally.skipped, "failed": tally.failed})
            if len(plan.pairs) > 1 and not common.quiet:
                display.message(tally.summary(len(plan.pairs)))
    return exit_codes.FAILED if tally.failed else exit_codes.DONE


def _is_the_servers(error: Exception) -> bool:
    """Whether a call failed at the server: of one picture, the exit code tells that apart from a bad picture."""
    return isinstance(error, CallError) and error.code is not None


def _to_do(plan: Plan, tally: _Tally) -> list[Pair]:
    """The pairs whose result is not there yet; the others are tallied."""
    left: list[Pair] = []
    for pair in plan.pairs:
        if pair.is_done():
            tally.skipped.append({"input": str(pair.source), "output": str(pair.output)})
        else:
            left.append(pair)
    return left


async def _do_one(
    client: AsyncClient,
    *,
    pair: Pair,
    source: ImageSource,
    work: Work,
    tally: _Tally,
    display: Display,
    overwrite: bool,
    unit: str,
) -> Image.Image | None:
    """Make one result and write it to its file; give it back if it is for a pipe."""
    started = time.monotonic()
    check_result(pair.output, overwrite=overwrite, as_json=False)
    with display.picture(pair.source.name, unit=unit) as show:
        image = await work(client, source, show)
    if isinstance(pair.output, Pipe):
        return image

    def write() -> None:
        write_result(pair.output, image, overwrite=overwrite)
        # Here, not after the awaiting: who is cancelled meanwhile still has written it.
        tally.written[pair] = {
            "input": str(pair.source),
            "output": str(pair.output),
            "width": image.width,
            "height": image.height,
            "seconds": round(time.monotonic() - started, 3),
        }

    await in_thread(write)
    return None


def _failure(pair: Pair, error: ImpastoError | OSError, display: Display) -> dict[str, Any]:
    message = _message(pair, error)
    display.message(f"impasto: {message}")
    return {"input": str(pair.source), "error": type(error).__name__, "message": message}


def _message(pair: Pair, error: Exception) -> str:
    """What went wrong, naming the picture once."""
    if isinstance(error, ImpastoError) and not isinstance(error, CallError):
        return str(error)  # a picture's own errors name the file
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return f"{name_of(pair.source)}: {reason}"


def look_up(client: Client, model: Model) -> ModelMetadata:
    """Return the model's metadata, also from a server that is overloaded: pictures wait for it, and so does this.

    A wrong address, model, version or label is better said before the work than at every picture.

    Raises:
        CallError: at once if the server does not answer, or has no such model.
    """
    with Wait(Patience(client.settings.patience)) as wait:
        while True:
            try:
                return client.metadata(model)
            except CallError as error:
                time.sleep(wait.pause_after(error))
