"""The options of every command that makes pictures."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, get_args

import click

from impasto.client import MAX_PIXELS, Model
from impasto.client.cli.files import Place, Writing, place
from impasto.client.pictures import PngCompression


@dataclass(frozen=True)
class Pictures:
    """The pictures of a run, and what becomes of their results.

    Attributes:
        inputs: the pictures and folders of pictures.
        output: the file, folder or pipe that the results go to.
        as_folder: it was named with a slash at its end: a folder, also where there is none yet.
        overwrite: replace those that exist.
        resume: leave those that exist and are what would be made now.
        concurrency: how many pictures, or tiles of large ones, are under way at once.
        frame: which frame or page is taken of those with several, from 1; None for the first, or every one.
        every_frame: of a picture that moves do every frame, where the result can move, too.
        writing: the options of the results' formats.
    """

    inputs: tuple[Place, ...]
    output: Place
    as_folder: bool
    overwrite: bool
    resume: bool
    concurrency: int
    frame: int | None
    every_frame: bool
    writing: Writing


_WRITING: Final = (
    click.option(
        "--strip",
        is_flag=True,
        help="Write no metadata: neither date, place and author nor resolution. Colours become sRGB.",
    ),
    click.option(
        "--quality", type=click.IntRange(1, 100), metavar="N", help="Of JPEG and WebP.  [default: 95]"
    ),
    click.option(
        "--compress",
        type=click.Choice(get_args(PngCompression)),
        help="Of PNG: fast to write, or few bytes.  [default: small up to 4 megapixels, fast above]",
    ),
)


def picture_options(
    *, model: str, concurrency: int, every_frame: bool = False, in_tiles: bool = False
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command its pictures, results and model; it receives them as `pictures` and `model`.

    Args:
        model: the default of --model.
        concurrency: the default of --concurrency.
        every_frame: whether it does every frame of a picture that moves.
        in_tiles: whether it sends large pictures in tiles, several at once.
    """
    otherwise = "the first, or every one of an animation that goes to .gif, .webp or .png"
    options = (
        click.argument("inputs", metavar="IN...", nargs=-1, required=True, type=click.Path()),
        click.option(
            "-o",
            "--output",
            required=True,
            metavar="OUT",
            type=click.Path(),
            help="The file to write; for several pictures or a folder, the folder to write them to; - for standard "
            "output, as PNG, or jpg:-, webp:- and so on. OUT/ is a folder in any case, and ./- a file. Pictures of "
            "equal names from several folders keep their folder in OUT.",
        ),
        click.option(
            "--overwrite", is_flag=True, help="Replace results that exist. Inputs are never replaced."
        ),
        click.option(
            "--resume",
            is_flag=True,
            help="Skip pictures whose result is there, unchanged, and was made of the same picture with the same "
            "options by the version of the model that would make it now. Do the others, and replace what is there. "
            "The file .impasto.json beside the results tells what made each.",
        ),
        click.option(
            "--concurrency",
            type=click.IntRange(min=1),
            default=concurrency,
            show_default=True,
            metavar="N",
            help=f"How many pictures{', or tiles of large ones,' if in_tiles else ''} are under way at once.",
        ),
        click.option("--model", default=model, show_default=True, help="The model's name on the server."),
        click.option("--model-version", type=int, metavar="N", help="Its version.  [default: the newest]"),
        click.option("--label", help="Its version by label, such as `stable`."),
        click.option(
            "--max-pixels",
            type=click.IntRange(min=1),
            metavar="N",
            help="Refuse pictures with more pixels than this.  "
            f"[default: what `impasto config` shows, else {MAX_PIXELS}]",
        ),
        click.option(
            "--frame",
            type=click.IntRange(min=1),
            metavar="N",
            help="Take frame or page N of a picture with several, counted from 1.  "
            f"[default: {otherwise if every_frame else 'the first'}]",
        ),
        *_WRITING,
    )

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def wrapped(
            *,
            inputs: tuple[str, ...],
            output: str,
            overwrite: bool,
            resume: bool,
            concurrency: int,
            model: str,
            model_version: int | None,
            label: str | None,
            frame: int | None,
            strip: bool,
            quality: int | None,
            compress: PngCompression | None,
            **rest: Any,
        ) -> Any:
            if model_version is not None and label is not None:
                raise click.UsageError("--model-version and --label: give one of them")
            if overwrite and resume:
                raise click.UsageError("--overwrite does again what --resume would skip: give one of them")
            target, as_folder = place(output), output.endswith("/")
            sources = tuple(place(text) for text in inputs)
            pictures = Pictures(
                sources,
                target,
                as_folder,
                overwrite,
                resume,
                concurrency,
                frame,
                every_frame,
                Writing(strip, quality, compress),
            )
            asked = Model(model, model_version, label)
            return command(pictures=pictures, model=asked, **rest)

        for option in reversed(options):
            wrapped = option(wrapped)
        return wrapped

    return decorate


@dataclass(frozen=True)
class Keep:
    """The things to keep of a picture while a long job makes it.

    Attributes:
        every: the picture after every so many steps, None for none.
        checkpoint: where the job keeps how far it is; deleted when the result is written.
    """

    every: int | None
    checkpoint: Path | None

    def refuse_for_several(self) -> None:
        """UsageError if what is for one picture is asked of several, or of what may be skipped."""
        for option, value in (("--every", self.every), ("--checkpoint", self.checkpoint)):
            if value is not None:
                raise click.UsageError(
                    f"{option} is for one picture and goes without --resume, which is for several"
                )


def long_job_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command --every and --checkpoint; it receives them as `keep`."""
    every_option = click.option(
        "--every",
        type=click.IntRange(min=1),
        metavar="N",
        help="Of one picture: keep it after every N steps in all, as OUT with the number in its name.",
    )
    checkpoint_option = click.option(
        "--checkpoint",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Of one picture: keep in FILE how far it is. If it is there, go on from it; OUT may be replaced then. It "
        "is deleted when OUT is written.",
    )

    @functools.wraps(command)
    def wrapped(*, every: int | None, checkpoint: Path | None, **rest: Any) -> Any:
        return command(keep=Keep(every, checkpoint), **rest)

    return every_option(checkpoint_option(wrapped))


def job_options(
    job: type[Any], options: Sequence[Callable[..., Any]], *, besides: Sequence[str]
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the options of a job; it receives them as `options`, fields of the job's class.

    Args:
        job: the class, a dataclass.
        options: one for each field.
        besides: the fields that have none.
    """
    names = [field.name for field in fields(job) if field.name not in besides]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def wrapped(**values: Any) -> Any:
            return command(options={name: values.pop(name) for name in names}, **values)

        for option in reversed(options):
            wrapped = option(wrapped)
        return wrapped

    return decorate
