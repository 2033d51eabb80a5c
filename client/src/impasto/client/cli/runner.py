"""The runner of many pictures: make results, several at once, write them, show how far they are, and report.

One bad picture does not stop the rest. `growing` has the runner of one result that grows for minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from PIL import Image

from impasto.client import AsyncClient, Client, ImageSource, Job, Model, Progress, errors
from impasto.client.cli import exit_codes
from impasto.client.cli.bars import PictureBars
from impasto.client.cli.batch import Batch, RowWork, Work
from impasto.client.cli.files import check_result, make_folder, read_input, write_result
from impasto.client.cli.frames import frames_of
from impasto.client.cli.options import Common
from impasto.client.cli.output import print_json
from impasto.client.cli.pairs import Pair, Plan, tell_repeated
from impasto.client.cli.picture_options import Pictures
from impasto.client.cli.resuming import Ledger, Recipe
from impasto.client.cli.sources import lines_on_left_out

# What goes wrong the same way for every picture: stop at once.
_HOPELESS: Final = (
    errors.ServerUnavailable,
    errors.TlsError,
    errors.ModelNotFound,
    errors.Unauthenticated,
    errors.PermissionDenied,
    errors.CallUnsupported,
    errors.NotBatchable,
)


def running(job: Callable[[ImageSource, Model], Job[Image.Image, Any]]) -> Work:
    """Return the work that runs, for each picture, the job that `job` makes of it."""

    async def work(
        client: AsyncClient, source: ImageSource, model: Model, show: Callable[[Progress], None]
    ) -> Image.Image:
        return await client.run(job(source, model), on_progress=show)

    return work


def run_pictures(
    client: Client,
    plan: Plan,
    work: Work,
    *,
    recipe: Recipe,
    common: Common,
    pictures: Pictures,
    unit: str,
    rows: RowWork | None = None,
    told: Mapping[str, Any] | None = None,
) -> int:
    """Do and write every picture, show progress, say what failed, and return the exit code.

    Args:
        client: connected; AsyncClients with its settings do the work.
        plan: what to read and where to write.
        work: makes one result.
        recipe: what the results depend on, for --resume.
        common: the common options.
        pictures: what was asked for.
        unit: what the job's progress counts, in the plural.
        rows: makes a result that is written while it comes, if that can be done.
        told: what --json tells beside what became of the pictures.

    Raises:
        CallError: no further picture could succeed. What is done stays done.
        click.ClickException: the one picture's place cannot be written to, or standard input holds none.
        OutputError: standard output cannot be written to.
        ReaderGone: nobody reads standard output any more. What is done stays done.
    """
    pictures.writing.check(pair.output.suffix for pair in plan.pairs)
    frames = frames_of(pictures, max_pixels=client.settings.max_pixels)
    if plan.is_single:
        output = plan.pairs[0].output
        check_result(output, overwrite=True, as_json=common.as_json, moving=frames.may_keep_all(output))
    tell_repeated(plan, quiet=common.quiet)
    ledger = Ledger(plan, recipe, pictures)
    pairs = ledger.to_do(client, quiet=common.quiet) if pictures.resume else plan.pairs
    skipped = [pair for pair in plan.pairs if pair not in set(pairs)]
    for folder in {pair.output.parent for pair in pairs if plan.folder and isinstance(pair.output, Path)}:
        make_folder(folder)
    # Pipes are read and written in this thread: no other is interrupted by Ctrl-C while it waits for the other end.
    sources = {pair: read_input(pair.source) for pair in pairs}
    bars = PictureBars(
        quiet=common.quiet, waits=common.waits, pictures=len(plan.pairs), behind=len(skipped), unit=unit
    )
    run = Batch(pairs, skipped, plan.left_out, work, recipe.model, bars, ledger, frames, pictures, rows)
    unsaid = list(pairs)

    def say(pair: Pair) -> None:
        unsaid.remove(pair)
        if not common.as_json and isinstance(pair.output, Path):
            bars.result(pair.output)

    tasks = [run.task(pair, sources[pair]) for pair in pairs]
    with bars:
        try:
            with closing(client.map(tasks, concurrency=pictures.concurrency)) as outcomes:
                for outcome in outcomes:
                    pair, error = pairs[outcome.index], outcome.error
                    if error is None:
                        if outcome.result is not None:
                            write_result(
                                pair.output, outcome.result, overwrite=False, writing=pictures.writing
                            )
                        say(pair)
                    elif isinstance(error, _HOPELESS) or (plan.is_single and _is_for_all(error)):
                        raise error
                    else:
                        run.fail(pair, error)
                    bars.next_picture()
        finally:
            for pair in [pair for pair in unsaid if pair in run.written]:
                say(pair)
            lost = ledger.close()
            if common.as_json:
                print_json({**(told or {}), **run.report()})
            if not common.quiet:
                for line in (
                    *lines_on_left_out(plan.left_out),
                    *((lost,) if lost else ()),
                    *run.lines_on_notes(),
                ):
                    bars.message(f"impasto: {line}")
                if run.total > 1 or skipped:
                    bars.message(run.summary())
    return exit_codes.FAILED if run.failed else exit_codes.DONE


def _is_for_all(error: Exception) -> bool:
    """Tell whether the exit code of one picture says what failed: the call at the server, or a format's name."""
    at_server = isinstance(error, errors.CallError) and error.code is not None
    return at_server or isinstance(error, errors.UnknownFormat)
