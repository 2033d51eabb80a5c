"""`impasto studio`: a page in the browser for the server's models."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import tempfile
import webbrowser
from importlib.util import find_spec
from typing import Final

import click

from impasto.client.cli import exit_codes
from impasto.client.cli.options import Common, Number, common_options
from impasto.client.cli.output import note, print_line

_PACKAGES: Final = ("starlette", "uvicorn")
_LEAST_TOKEN: Final = 8
_SHARE_OF_DISK: Final = 0.8


@click.command(short_help="Open a page in the browser to work with the models.")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    metavar="ADDRESS",
    help="Where to listen; 0.0.0.0 opens the page to the network, which wants a --token.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8600,
    show_default=True,
    metavar="N",
    help="0 for any that is free.",
)
@click.option(
    "--token",
    envvar="IMPASTO_STUDIO_TOKEN",
    metavar="TEXT",
    help="What people must type before they see anything.  [default: IMPASTO_STUDIO_TOKEN, which other users of the "
    "machine do not see, else none]",
)
@click.option(
    "--megapixels",
    type=Number(min=0.01, max=1000),
    default=24.0,
    show_default=True,
    metavar="N",
    help="The largest picture that is taken, in millions of pixels; results may have four times as many.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=2,
    show_default=True,
    metavar="N",
    help="How many are under way at once; others wait.",
)
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
@common_options
def studio(
    *, common: Common, host: str, port: int, token: str | None, megapixels: float, jobs: int, opens: bool
) -> int:
    """Open a page in the browser to work with the server's models: upscale, stylize, dream and transfer.

    Several people may use it at once; what one of them uploads and makes no other sees, and it is deleted after an
    hour. Ctrl-C ends it. Nothing is sent anywhere but to the model server.

    \b
      impasto studio --open
      impasto studio --server gpu-box:8500 --port 9000
      IMPASTO_STUDIO_TOKEN=... impasto studio --host 0.0.0.0
    """
    _check_installed()
    if token is not None and len(token) < _LEAST_TOKEN:
        raise click.BadParameter(f"it must have at least {_LEAST_TOKEN} signs", param_hint="'--token'")
    from impasto.client.studio.queue import Limits
    from impasto.client.studio.running import serve

    settings = common.settings()
    with _listening(host, port) as listening:
        address = _address(host, listening.getsockname()[1])

        def ready() -> None:
            print_line(address)
            if not common.quiet:
                note(
                    f"impasto: Studio is at {address}, with the models of {settings.address}; Ctrl-C ends it"
                )
                if token is None and not _is_loopback(listening):
                    note("impasto: everybody who reaches this port may use it; --token keeps strangers out")
            if opens:
                webbrowser.open(address)

        room = int(_SHARE_OF_DISK * shutil.disk_usage(tempfile.gettempdir()).free)
        limits = Limits(megapixels=megapixels, jobs=jobs, kept_bytes=min(Limits.kept_bytes, room))
        with contextlib.suppress(KeyboardInterrupt):  # it has stopped in good order by then
            asyncio.run(serve(settings, limits, listening=listening, token=token, ready=ready))
    return exit_codes.DONE


def _check_installed() -> None:
    """Say which extra is missing. Raises click.ClickException."""
    for package in _PACKAGES:
        if not _is_installed(package):
            raise click.ClickException(f"Studio needs {package}: pip install 'impasto-client[studio]'")


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ValueError:  # it was made unimportable
        return False


def _listening(host: str, port: int) -> socket.socket:
    """Return a socket that is bound. Raises click.ClickException."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=128)
    except (OSError, UnicodeError) as error:  # the latter of a name that no machine can have
        reason = (
            error.strerror if isinstance(error, OSError) and error.strerror else "no machine has that name"
        )
        raise click.ClickException(
            f"cannot listen on {host}:{port}: {reason}; choose another --port or --host"
        ) from error


def _is_loopback(listening: socket.socket) -> bool:
    from impasto.client.studio.guard import is_local

    return is_local(listening.getsockname()[0])


def _address(host: str, port: int) -> str:
    """Return what to type into the browser."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - shown
    return f"http://{name}:{port}/"
