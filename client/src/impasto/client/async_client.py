"""The asynchronous client."""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, overload

from numpy.typing import NDArray
from PIL import Image

from impasto.client import _models as models
from impasto.client._jobs import CONCURRENCY, Job, Outcome, Steps, prediction, readiness
from impasto.client._jobs import async_driver as driver
from impasto.client._jobs.async_driver import Finished, runs
from impasto.client._jobs.driver import Checkpoint, JobContext, OnProgress, prepare
from impasto.client._jobs.mapping import at_once, map_in_order
from impasto.client._jobs.pinning import Knowledge
from impasto.client._jobs.strands import Lanes
from impasto.client._transport import calls
from impasto.client._transport.asynchronous import AsyncTransport, in_thread
from impasto.client._transport.calls import call_timeout
from impasto.client._transport.observing import OnCall
from impasto.client._transport.patience import OnWait, Patience
from impasto.client.model import Model, ModelMetadata, VersionStatus
from impasto.client.settings import CallKind, Options, Settings, resolve

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack  # in typing from Python 3.11 on

ResultT = TypeVar("ResultT")
ProgressT = TypeVar("ProgressT")
PictureJobT = TypeVar("PictureJobT", bound=Job[Image.Image, Any])


class AsyncClient:
    """Calls the models of a TensorFlow Serving server from asyncio: `Client`'s methods, awaited.

        async with AsyncClient("localhost:8500") as client:
            one, other = await asyncio.gather(client.upscale("one.jpg"), client.upscale("other.jpg"))
            async for progress in client.iterate(Dream("photo.jpg")):
                print(progress)

    Thousands of calls may be under way at once; those above `max_in_flight` (1000) wait for a place. A server refuses
    calls beyond its threads (TensorFlow Serving has 4 for each CPU, or `--grpc_max_threads`): `predict` raises
    ServerOverloaded then, so set `max_in_flight` to that number; jobs with pictures take turns instead. Cancelling a
    task cancels its call on the server. Pictures are read and put together in threads, so that the event loop goes on
    meanwhile; callbacks are called in the event loop. A client belongs to the event loop of its first call as
    long as that runs, and then to the next one; a call in another one meanwhile raises WrongEventLoop.

    Args:
        address: the server's address, as `Client` explains it.
        settings: used for what the other arguments leave open, in place of the environment and the file.
        on_wait: called about once a second, in the event loop, while a job waits for its server.
        on_call: called with a CallRecord when a call has ended, in the event loop.
        **options: the fields of Settings, and `config`, as `Client` explains them.

    Attributes:
        settings: the settings in force.

    Raises:
        SettingsError: a setting cannot be used: AddressError or CertificateError where it is the address, or a
            certificate or key.
        ForkedProcess: the process was forked while an AsyncClient was open in its parent; each call raises it, too.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        settings: Settings | None = None,
        on_wait: OnWait | None = None,
        on_call: OnCall | None = None,
        **options: Unpack[Options],
    ) -> None:
        self.settings: Settings = resolve(address, settings=settings, **options)
        self._transport = AsyncTransport(self.settings, on_call)
        self._on_wait = on_wait
        self._shared_patience: Patience | None = None
        self._shared_lanes: Lanes | None = None
        self._knowledge = Knowledge()

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

    async def run(
        self,
        job: Job[ResultT, ProgressT],
        *,
        on_progress: OnProgress[ProgressT] | None = None,
        checkpoint: Checkpoint | None = None,
        timeout: float | None = None,
    ) -> ResultT:
        """Run a job to its end: `Client.run`, awaited."""
        return await driver.finish(self._driven(job, None, checkpoint, timeout), on_progress)

    async def iterate(
        self,
        job: Job[Any, ProgressT],
        *,
        every: int | None = None,
        checkpoint: Checkpoint | None = None,
        timeout: float | None = None,
    ) -> AsyncGenerator[ProgressT, None]:
        """Run a job step by step: `Client.iterate`, to be iterated over with `async for`.

        The last progress of a long job holds the result. Whoever stops before should close the generator
        (`contextlib.aclosing`). What is wrong with an argument is raised as the iteration begins.
        """
        async with aclosing(self._driven(job, every, checkpoint, timeout)) as driven:
            async for step in driven:
                if not isinstance(step, Finished):
                    yield step

    @overload
    def map(
        self, jobs: Iterable[PictureJobT], *, concurrency: int = CONCURRENCY
    ) -> AsyncGenerator[Outcome[PictureJobT, Image.Image], None]: ...
    @overload
    def map(
        self, jobs: Iterable[Work[ResultT]], *, concurrency: int = CONCURRENCY
    ) -> AsyncGenerator[Outcome[Work[ResultT], ResultT], None]: ...
    async def map(
        self, jobs: Iterable[Any], *, concurrency: int = CONCURRENCY
    ) -> AsyncGenerator[Outcome[Any, Any], None]:
        """Run many jobs, several at a time, and yield the outcome of each: `Client.map`, to be used with `async for`.

            async for outcome in client.map([Upscale("one.jpg"), Upscale("other.jpg")]):
                print(outcome.item.image, outcome.error or outcome.result.size)

        All of them are parts of one job (see `in_one_job`), and a coroutine function is awaited with this client.
        """
        self._transport.check_open()
        client = self.in_one_job()
        client._shared_lanes = Lanes(max(1, concurrency))

        def do(item: Work[Any]) -> Awaitable[Any]:
            return item(client) if callable(item) else client.run(item)

        async with aclosing(map_in_order(do, jobs, concurrency=concurrency)) as outcomes:
            async for outcome in outcomes:
                yield outcome

    upscale: Final = runs(models.Upscale)
    describe_upscale: Final = runs(models.DescribeUpscale)
    stylize: Final = runs(models.Stylize)
    style_vector: Final = runs(models.EncodeStyle)
    dream: Final = runs(models.Dream)
    describe_dream: Final = runs(models.DescribeDream)
    transfer: Final = runs(models.Transfer)
    describe_transfer: Final = runs(models.DescribeTransfer)

    async def predict(
        self,
        model: str | Model,
        inputs: Mapping[str, object],
        *,
        signature: str | None = None,
        outputs: Sequence[str] = (),
        timeout: float | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Run a signature of a model: `Client.predict`, awaited."""
        steps = prediction.predict(Model.of(model), inputs, signature=signature, outputs=outputs)
        return await self._finish(steps, "predict", timeout)

    async def metadata(self, model: str | Model, *, timeout: float | None = None) -> ModelMetadata:
        """The signatures of a served model: `Client.metadata`, awaited."""
        return await self._send("status", timeout, calls.metadata_call(Model.of(model)))

    async def status(self, model: str | Model, *, timeout: float | None = None) -> tuple[VersionStatus, ...]:
        """The versions of a model that the server knows: `Client.status`, awaited."""
        return await self._send("status", timeout, calls.status_call(Model.of(model)))

    async def wait_ready(self, *, timeout: float = 60.0, models: Iterable[str] = ()) -> None:
        """Wait until the server answers and models can be called: `Client.wait_ready`, awaited."""
        steps = readiness.wait_ready(models, timeout=timeout, address=self.address)
        await self._finish(steps, "status", min(timeout, self.settings.timeouts.status))

    def in_one_job(self) -> Self:
        """This client for calls that are parts of one job: `Client.in_one_job`."""
        part = copy.copy(self)
        part._shared_patience = self._patience()
        return part

    def _patience(self) -> Patience:
        return self._shared_patience or Patience(self.settings.patience, self._on_wait)

    async def _send(self, kind: CallKind, timeout: float | None, call: calls.Call[ResultT]) -> ResultT:
        seconds = call_timeout(call, timeout, kind=kind, timeouts=self.settings.timeouts)
        return await self._transport.send(call, timeout=seconds)

    async def _driven(
        self, job: Job[ResultT, Any], every: int | None, checkpoint: Checkpoint | None, timeout: float | None
    ) -> AsyncGenerator[Any, None]:
        """Read in a thread what the job needs, and drive it: its progress, and at last a Finished."""
        settings = self.settings
        steps, file = await in_thread(
            lambda: prepare(job, settings=settings, every=every, checkpoint=checkpoint, timeout=timeout)
        )
        send = partial(self._send, job.kind, timeout)
        begin = partial(self._transport.observer.job, job.kind, Model.of(job.model).name)
        lanes = self._shared_lanes or Lanes(at_once(self.settings))
        context = JobContext(knowledge=self._knowledge, begin=begin)
        driven = driver.drive(steps, send, self._patience(), file, context=context, lanes=lanes)
        async with aclosing(driven):
            async for step in driven:
                yield step

    async def _finish(self, steps: Steps[ResultT], kind: CallKind, timeout: float | None) -> ResultT:
        """Drive steps that do little between their calls, not through a thread: there may be thousands at once."""
        send = partial(self._send, kind, timeout)
        return await driver.finish(driver.drive(steps, send, self._patience(), threads=False))


Work: TypeAlias = Job[ResultT, Any] | Callable[[AsyncClient], Awaitable[ResultT]]
"""An item of a map: a job, or a coroutine function that does more with an AsyncClient than to run a job."""
