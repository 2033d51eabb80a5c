"""The synchronous client."""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from numpy.typing import NDArray
from PIL import Image

from impasto.client import _calls as calls
from impasto.client._background import BackgroundLoop
from impasto.client._deadlines import call_timeout
from impasto.client._driver import OnProgress
from impasto.client._jobs import Progress, predict_job, wait_ready_job
from impasto.client._patience import OnWait, Patience
from impasto.client._prepared import Prepared
from impasto.client._transport import SyncTransport
from impasto.client.async_client import AsyncClient
from impasto.client.dream.methods import DreamMethods
from impasto.client.mapping import CONCURRENCY, Outcome
from impasto.client.metadata import ModelMetadata, VersionStatus
from impasto.client.pictures import MAX_PIXELS, ImageSource
from impasto.client.settings import CallKind, Options, Settings, resolve
from impasto.client.signatures import SRCNN
from impasto.client.stylize.methods import StylizeMethods
from impasto.client.transfer.methods import TransferMethods
from impasto.client.upscale import TILE, prepare_upscale

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack  # in typing from Python 3.11 on

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class Client(DreamMethods, StylizeMethods, TransferMethods):
    """Calls the models of a TensorFlow Serving server.

    Use it as a context manager, or close it. Threads may share one. Calls that find the server unavailable
    are retried for a second or so; every call of this API can safely be sent twice.

    Args:
        address: `host:port`, several with commas between for replicas, or a gRPC target (`dns:///...`,
            `unix:...`); localhost:8500 if neither this nor the environment nor a file names one.
        settings: what the other arguments leave open is as here, and neither the environment nor a file is read.
        on_wait: called about once a second with a Waiting while a job waits for a server that is away, in the thread
            that runs the job, and with None when it goes on.
        **options: `timeout` in seconds for each call (every method can override it), `tls`, `token` and the other
            fields of Settings; `config` and `profile` for the configuration file. What is None or left out comes
            from the environment or the file. See Options, and docs/client.md for the table of all.

    Attributes:
        settings: those in force.

    Raises:
        SettingsError: a setting cannot be used: AddressError or CertificateError where it is the address, or a
            certificate or key.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        settings: Settings | None = None,
        on_wait: OnWait | None = None,
        **options: Unpack[Options],
    ) -> None:
        self.settings: Settings = resolve(address, settings=settings, **options)
        self._transport = SyncTransport(self.settings)
        self._on_wait = on_wait
        self._shared_patience: Patience | None = None

    @property
    def address(self) -> str:
        """The server's address as it was given."""
        return self._transport.address

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connection. Calls in flight raise CallAborted, later ones ClientClosed.

        A `map` that is under way has a connection of its own, and goes on.
        """
        self._transport.close()

    def predict(
        self,
        model: str,
        inputs: Mapping[str, object],
        *,
        signature: str | None = None,
        version: int | None = None,
        label: str | None = None,
        outputs: Sequence[str] = (),
        timeout: float | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Run a signature of a model.

        Args:
            model: its name on the server.
            inputs: an array for each input. Arrays are sent with the dtype they have; plain Python numbers
                and lists take the contract's dtype (`impasto.client.signatures`) where that keeps their
                value. Inputs with a default may be left out.
            signature: `serving_default` if None.
            version: the newest if neither this nor `label` is given.
            label: such as `stable`.
            outputs: names of the wanted outputs; all if empty.
            timeout: seconds; the client's if None.

        Returns:
            An array for each output, perhaps a read-only view; copy one to change it. Strings are object
            arrays of `bytes`.

        Raises:
            CallError: one of its kinds, see errors.
        """
        ref = calls.ModelRef(model, version, label)
        job = predict_job(ref, inputs, signature=signature, outputs=outputs)
        return self._run("predict", lambda: Prepared(job), timeout)

    def metadata(
        self,
        model: str,
        *,
        version: int | None = None,
        label: str | None = None,
        timeout: float | None = None,
    ) -> ModelMetadata:
        """The signatures of a served model with their inputs, outputs and defaults. Raises CallError."""
        return self._send(calls.metadata_call(calls.ModelRef(model, version, label)), "status", timeout)

    def status(
        self, model: str, *, version: int | None = None, timeout: float | None = None
    ) -> tuple[VersionStatus, ...]:
        """The versions of a model that the server knows, newest first.

        Args:
            model: its name on the server.
            version: only this one; all if None.
            timeout: seconds; the client's if None.

        Raises:
            CallError: ModelNotFound if there is none.
        """
        return self._send(calls.status_call(calls.ModelRef(model, version)), "status", timeout)

    def wait_ready(self, *, timeout: float = 60.0, models: Iterable[str] = ()) -> None:
        """Wait until the server answers and each of `models` has a version that can be called.

        Args:
            timeout: seconds, more than 0; `math.inf` to wait for ever.
            models: names on the server.

        Raises:
            ValueError: `timeout` is no time.
            ServerUnavailable: nothing answered within `timeout` seconds.
            TlsError: at once, if server and client do not trust each other.
            CallUnsupported: at once, if what answers is not TensorFlow Serving's gRPC port.
            DeadlineExceeded: the server answers, but a model is not available in time; the message says why.
        """
        job = wait_ready_job(models, timeout=timeout, address=self.address)
        self._run("status", lambda: Prepared(job), min(timeout, self.settings.timeouts.status))

    def upscale(
        self,
        image: ImageSource,
        *,
        tile: int | None = TILE,
        on_progress: OnProgress[Progress] | None = None,
        model: str = SRCNN.name,
        version: int | None = None,
        label: str | None = None,
        timeout: float | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> Image.Image:
        """Double a picture's width and height.

        Args:
            image: a path, an image file's bytes, a PIL image, or a uint8 array [H, W], [H, W, 1], [H, W, 2]
                (gray and alpha), [H, W, 3] or [H, W, 4] (RGB and alpha). EXIF orientation is applied.
            tile: the side, in pixels, of the pieces in which a larger picture is sent, at least 11; None
                sends it whole. The result is the same.
            on_progress: called with the tiles done and their number, before the first and after each.
            model: the upscaler's name on the server.
            version: the newest if neither this nor `label` is given.
            label: such as `stable`.
            timeout: seconds for each tile; the client's if None.
            max_pixels: the largest width times height that is read.

        Returns:
            An image of mode RGB, or L if the input was gray; RGBA or LA if it had transparency, which is
            resized bicubically. The colour profile and the resolution in dpi are kept in `info`.

        Raises:
            ImageError: the picture cannot be used.
            OSError: the file cannot be opened.
            CallError: a call failed.
            ValueError: `tile` is too small.
        """
        ref = calls.ModelRef(model, version, label)

        def prepare() -> Prepared[Image.Image]:
            return prepare_upscale(image, ref, tile=tile, max_pixels=max_pixels)

        return self._run("upscale", prepare, timeout, on_progress)

    def map(
        self,
        function: Callable[[AsyncClient, ItemT], Awaitable[ResultT]],
        items: Iterable[ItemT],
        *,
        concurrency: int = CONCURRENCY,
    ) -> Generator[Outcome[ItemT, ResultT], None, None]:
        """Do the same with many items, several at a time, and yield what became of each, in their order.

            for outcome in client.map(AsyncClient.upscale, ["one.jpg", "other.jpg"], concurrency=8):
                print(outcome.item, outcome.error or outcome.result.size)

        An item that fails does not stop the others. The work is done by an AsyncClient with this client's settings, in
        an event loop of its own, so this can be called from anywhere, also from a notebook.

        Args:
            function: awaited with that AsyncClient and an item: a method of AsyncClient, or a coroutine function of
                yours that does more, such as writing the result. `functools.partial` gives it options.
            items: taken as there is room, at most twice `concurrency` ahead of what was yielded.
            concurrency: how many are under way at once, at least 1.

        Raises:
            ValueError: `concurrency` is less than 1.
            ClientClosed: the client is closed.
            Exception: what `items` raises, and what `function` raises other than an ImpastoError or OSError, which
                are the item's own. What is under way is cancelled then, as it is when the iteration is given up.
        """
        self._transport.check_open()
        with BackgroundLoop() as loop:
            client = AsyncClient(settings=self.settings, on_wait=self._on_wait)
            outcomes = client.map(function, items, concurrency=concurrency)
            try:
                while (outcome := loop.run(_next(outcomes))) is not None:
                    yield outcome
            finally:
                loop.finish(_end(outcomes, client))

    def in_one_job(self) -> Self:
        """This client for calls that are parts of one job, such as the frames of a film.

        Once the server has answered one of them, it is known to be there: the first call of a later part, too, then
        waits for it as long as the setting `patience` says, where it would raise ServerUnavailable at once.

        Returns:
            A client that shares this one's connection: closing either closes both.
        """
        part = copy.copy(self)
        part._shared_patience = self._patience()
        return part

    def _patience(self) -> Patience:
        return self._shared_patience or Patience(self.settings.patience, self._on_wait)

    def _send(self, call: calls.Call[ResultT], kind: CallKind, timeout: float | None) -> ResultT:
        seconds = call_timeout(call, timeout, kind=kind, timeouts=self.settings.timeouts)
        return self._transport.send(call, timeout=seconds)


async def _next(outcomes: AsyncGenerator[Outcome[ItemT, ResultT], None]) -> Outcome[ItemT, ResultT] | None:
    return await anext(outcomes, None)


async def _end(outcomes: AsyncGenerator[Any, None], client: AsyncClient) -> None:
    await outcomes.aclose()
    await client.close()
