"""The asynchronous client."""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from numpy.typing import NDArray
from PIL import Image

from impasto.client import _calls as calls
from impasto.client._async_driver import drive, finish
from impasto.client._async_transport import AsyncTransport
from impasto.client._deadlines import call_timeout
from impasto.client._driver import OnProgress
from impasto.client._jobs import Progress, predict_job, wait_ready_job
from impasto.client._patience import OnWait, Patience
from impasto.client._prepared import Prepared
from impasto.client.dream.async_methods import AsyncDreamMethods
from impasto.client.mapping import CONCURRENCY, Outcome, map_in_order
from impasto.client.metadata import ModelMetadata, VersionStatus
from impasto.client.pictures import MAX_PIXELS, ImageSource
from impasto.client.settings import CallKind, Options, Settings, resolve
from impasto.client.signatures import SRCNN
from impasto.client.stylize.async_methods import AsyncStylizeMethods
from impasto.client.transfer.async_methods import AsyncTransferMethods
from impasto.client.upscale import TILE, prepare_upscale

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack  # in typing from Python 3.11 on

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class AsyncClient(AsyncDreamMethods, AsyncStylizeMethods, AsyncTransferMethods):
    """Calls the models of a TensorFlow Serving server from asyncio: `Client`'s methods, awaited.

        async with AsyncClient("localhost:8500") as client:
            one, other = await asyncio.gather(client.upscale("one.jpg"), client.upscale("other.jpg"))
            async for progress in client.dreaming("photo.jpg"):
                print(progress)

    Thousands of calls may be under way at once; those above `max_in_flight` (1000) wait for a place. A server refuses
    calls beyond its threads (TensorFlow Serving has 4 for each CPU, or `--grpc_max_threads`): `predict` raises
    ServerOverloaded then, so set `max_in_flight` to that number; jobs with pictures take turns instead. Cancelling a
    task cancels its call on the server. Pictures are read and put together in threads, so that the event loop goes on
    meanwhile; callbacks are called in the event loop. A client belongs to the event loop of its first call.

    Args:
        address: as for `Client`, likewise the rest.
        settings: see there.
        on_wait: as for `Client`, called in the event loop.
        **options: see there.

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
        self._transport = AsyncTransport(self.settings)
        self._on_wait = on_wait
        self._shared_patience: Patience | None = None

    @property
    def address(self) -> str:
        """The server's address as it was given."""
        return self._transport.address

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Drop the connection. Calls in flight raise CallAborted, later ones ClientClosed."""
        await self._transport.close()

    async def predict(
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
        """Run a signature of a model: `Client.predict`, awaited."""
        ref = calls.ModelRef(model, version, label)
        job = predict_job(ref, inputs, signature=signature, outputs=outputs)
        # Not through a thread, as jobs with pictures are: there may be thousands, and each does little.
        return await finish(
            drive(Prepared(job), self._sender("predict", timeout), self._patience(), threads=False), None
        )

    async def metadata(
        self,
        model: str,
        *,
        version: int | None = None,
        label: str | None = None,
        timeout: float | None = None,
    ) -> ModelMetadata:
        """The signatures of a served model: `Client.metadata`, awaited."""
        return await self._send(calls.metadata_call(calls.ModelRef(model, version, label)), "status", timeout)

    async def status(
        self, model: str, *, version: int | None = None, timeout: float | None = None
    ) -> tuple[VersionStatus, ...]:
        """The versions of a model that the server knows: `Client.status`, awaited."""
        return await self._send(calls.status_call(calls.ModelRef(model, version)), "status", timeout)

    async def wait_ready(self, *, timeout: float = 60.0, models: Iterable[str] = ()) -> None:
        """Wait until the server answers and models can be called: `Client.wait_ready`, awaited."""
        job = wait_ready_job(models, timeout=timeout, address=self.address)
        each = min(timeout, self.settings.timeouts.status)
        await finish(
            drive(Prepared(job), self._sender("status", each), self._patience(), threads=False), None
        )

    async def upscale(
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
        """Double a picture's width and height: `Client.upscale`, awaited."""
        ref = calls.ModelRef(model, version, label)

        def prepare() -> Prepared[Image.Image]:
            return prepare_upscale(image, ref, tile=tile, max_pixels=max_pixels)

        return await self._run("upscale", prepare, timeout, on_progress)

    async def map(
        self,
        function: Callable[[AsyncClient, ItemT], Awaitable[ResultT]],
        items: Iterable[ItemT],
        *,
        concurrency: int = CONCURRENCY,
    ) -> AsyncGenerator[Outcome[ItemT, ResultT], None]:
        """Do the same with many items, several at a time, and yield what became of each, in their order.

            async for outcome in client.map(AsyncClient.upscale, ["one.jpg", "other.jpg"]):
                print(outcome.item, outcome.error or outcome.result.size)

        An item that fails does not stop the others. All items are one job (see `in_one_job`).

        Args:
            function: awaited with this client and an item: a method of AsyncClient, or a coroutine function of yours
                that does more, such as writing the result.
            items: taken as there is room, at most twice `concurrency` ahead of what was yielded.
            concurrency: how many are under way at once, at least 1.

        Raises:
            ValueError: `concurrency` is less than 1.
            ClientClosed: the client is closed.
            Exception: what `items` raises, and what `function` raises other than an ImpastoError or OSError, which
                are the item's own. What is under way is cancelled then, as it is when the iteration is given up.
        """
        self._transport.check_open()
        client = self.in_one_job()
        outcomes = map_in_order(lambda item: function(client, item), items, concurrency=concurrency)
        try:
            async for outcome in outcomes:
                yield outcome
        finally:
            await outcomes.aclose()

    def in_one_job(self) -> Self:
        """This client for calls that are parts of one job: `Client.in_one_job`."""
        part = copy.copy(self)
        part._shared_patience = self._patience()
        return part

    def _patience(self) -> Patience:
        return self._shared_patience or Patience(self.settings.patience, self._on_wait)

    async def _send(self, call: calls.Call[ResultT], kind: CallKind, timeout: float | None) -> ResultT:
        seconds = call_timeout(call, timeout, kind=kind, timeouts=self.settings.timeouts)
        return await self._transport.send(call, timeout=seconds)
