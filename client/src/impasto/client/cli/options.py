"""The options that every command has, those of the commands that make pictures, and their values' types."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

import click

from impasto.client import MAX_PIXELS, Client, Model, Settings
from impasto.client._jobs.values import Range
from impasto.client.cli.bars import Waits
from impasto.client.cli.files import Place, Writing, place
from impasto.client.cli.output import verbose_option
from impasto.client.pictures import PngCompression
from impasto.client.settings import addresses, sources, values


class Number(click.FloatRange):
    """A number in a range. Unlike click's own it refuses nan, which compares as in every range."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number. BadParameter if it is none of the range."""
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


def number(allowed: Range) -> click.ParamType[Any]:
    """The type of an option that gives a job's field."""
    if allowed.whole:
        return click.IntRange(int(allowed.least), int(allowed.most))
    return Number(allowed.least, allowed.most)


def layers(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> list[tuple[str, float]] | None:
    """An option's `mixed3,mixed5=0.5` as pairs of name and weight."""
    if value is None:
        return None
    pairs: list[tuple[str, float]] = []
    for entry in value.split(","):
        name, equals, weight = (part.strip() for part in entry.partition("="))
        if not name:
            raise click.BadParameter(f"{value!r} is not a list such as mixed3,mixed5=0.5")
        pairs.append((name, _layer_weight(weight, name) if equals else 1.0))
    return pairs


def _layer_weight(text: str, name: str) -> float:
    with contextlib.suppress(ValueError):
        if math.isfinite(weight := float(text)):
            return weight
    raise click.BadParameter(f"{text!r}, the weight of {name}, is not a number")


@dataclass(frozen=True)
class Common:
    """The values of the common options.

    Attributes:
        as_json: results as JSON.
        quiet: no progress and no summary; errors are still shown.
        given: the settings that options give.
        config: the configuration file; None for the environment's or the person's own.
    """

    as_json: bool
    quiet: bool
    given: sources.Layer = field(default_factory=dict[str, sources.Given])
    config: str | None = None

    @functools.cached_property
    def waits(self) -> Waits:
        """The waits of the command's jobs."""
        return Waits(quiet=self.quiet)

    def found(self) -> dict[str, sources.Given]:
        """Return what the options, the environment and the configuration file say. Raises SettingsError."""
        return sources.merged(sources.ambient(config=self.config), self.given)

    def settings(self) -> Settings:
        """The settings in force. Raises SettingsError."""
        return Settings(**sources.fields(self.found()))

    def connect(self) -> Client:
        """A client with them. Raises SettingsError."""
        return Client(settings=self.settings(), on_wait=self.waits)


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of the server and of the output; it receives them as `common`."""

    @click.option(
        "--server",
        metavar="HOST:PORT",
        help="The server; replicas with commas between.  "
        f"[default: {addresses.ADDRESS_VARIABLE}, else the configuration file's, else {addresses.DEFAULT_ADDRESS}]",
    )
    @click.option(
        "--timeout",
        type=Number(min=0, min_open=True),
        metavar="SECONDS",
        help="How long each call to the server may take.  [default: by what it does; see `impasto config`]",
    )
    @click.option("--config", metavar="FILE", help="The configuration file.  [default: see `impasto config`]")
    @click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
    @click.option("-q", "--quiet", is_flag=True, help="Show no progress and no summary, only errors.")
    @verbose_option
    @_tls_options
    @functools.wraps(command)
    def wrapped(
        *,
        server: str | None,
        timeout: float | None,
        config: str | None,
        as_json: bool,
        quiet: bool,
        tls: bool | None,
        tls_ca: str | None,
        tls_cert: str | None,
        tls_key: str | None,
        tls_server_name: str | None,
        max_pixels: int | None = None,
        **rest: Any,
    ) -> Any:
        given = _given(
            {
                "address": server,
                "timeout": timeout,
                "max_pixels": max_pixels,
                "tls.enabled": tls,
                "tls.ca": tls_ca,
                "tls.certificate": tls_cert,
                "tls.key": tls_key,
                "tls.server_name": tls_server_name,
            }
        )
        return command(common=Common(as_json, quiet, given, config), **rest)

    return wrapped


def _tls_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options `--tls` and `--tls-...`."""
    for option in reversed(
        (
            click.option("--tls/--no-tls", default=None, help="TLS: with, or without, whatever else is set."),
            click.option(
                "--tls-ca", metavar="FILE", help="TLS: the CA that signed the server's certificate, PEM."
            ),
            click.option("--tls-cert", metavar="FILE", help="TLS: this client's certificate, PEM."),
            click.option("--tls-key", metavar="FILE", help="TLS: the key of --tls-cert, PEM."),
            click.option(
                "--tls-server-name",
                metavar="NAME",
                help="TLS: the name on the server's certificate, if it is not that of the address.",
            ),
        )
    ):
        command = option(command)
    return command


def _given(chosen: Mapping[str, object]) -> dict[str, sources.Given]:
    """The values of options as a layer of settings; None and an empty text are not given."""
    options = {name: values.BY_NAME[name].flag or f"--{name.replace('_', '-')}" for name in chosen}
    return {
        name: sources.Given(values.BY_NAME[name].checked(value, where=options[name]), options[name])
        for name, value in chosen.items()
        if value is not None and value != ""
    }


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


class Keep(NamedTuple):
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
    """Give a command the options of a job; it receives them as `fields`, those of the job's class.

    Args:
        job: the class, a dataclass.
        options: one for each field.
        besides: the fields that have none.
    """
    names = [field.name for field in fields(job) if field.name not in besides]

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def wrapped(**values: Any) -> Any:
            return command(fields={name: values.pop(name) for name in names}, **values)

        for option in reversed(options):
            wrapped = option(wrapped)
        return wrapped

    return decorate
