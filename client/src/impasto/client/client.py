"""The synchronous client."""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator, Generator, Iterable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from numpy.typing import NDArray
from PIL import Image

from impasto.client import _models as models
from impasto.client._jobs import CONCURRENCY, Job, Outcome, Steps, driver, prediction, readiness
from impasto.client._jobs.background import BackgroundLoop
from impasto.client._jobs.driver import Checkpoint, OnProgress, runs
from impasto.client._jobs.mapping import at_once
from impasto.client._jobs.pinning import Knowledge
from impasto.client._transport import calls
from impasto.client._transport.blocking import SyncTransport
from impasto.client._transport.calls import call_timeout
from impasto.client._transport.observing import OnCall
from impasto.client._transport.patience import OnWait, Patience
from impasto.client.async_client import AsyncClient, Work
from impasto.client.model import Model, ModelMetadata, VersionStatus
from impasto.client.settings import CallKind, Options, Settings, resolve

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack  # in typing from Python 3.11 on

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
ProgressT = TypeVar("ProgressT")
PictureJobT = TypeVar("PictureJobT", bound=Job[Image.Image, Any])


class Client:
    """Calls the models of a TensorFlow Serving server.

        with Client("gpu1:8500,gpu2:8500") as client:
            client.dream("photo.jpg", layers=["mixed4"], steps=20).save("dream.png")
            job = Dream("photo.jpg", layers=["mixed4"], model=Model("dream", label="canary"))
            client.run(job, checkpoint="dream.checkpoint", on_progress=print)

    Each verb takes the fields of its job, and runs it: `client.dream(...)` is `client.run(Dream(...))`.

    Use it as a context manager, or close it. Threads may share one, and a forked child goes on with a connection of its
    own. Calls that find the server unavailable are retried for a second or so; every call of this API can safely be
    sent twice.

    Args:
        address: `host:port`, several with commas between for replicas, or a gRPC target (`dns:///...`,
            `unix:...`); localhost:8500 if neither this nor the environment nor a file names one.
        settings: used for what the other arguments leave open; then neither the environment nor a file is read.
        on_wait: called about once a second with a Waiting while a job waits for a server that is away, and with None
            when it goes on; in the thread that runs the job, or one of those that have several calls of it under way.
        on_call: called with a CallRecord when a call has ended, in the thread that made it; of a `map`, in that of its
            event loop. What it raises is logged, and stops nothing.
        **options: `timeout` in seconds for each call, `tls`, `token` and the other fields of Settings; `config` for
            the configuration file. What is None or left out comes from the environment or the file.
            See Options, and docs/client.md for the table of all.

    Attributes:
        settings: the settings in force.

    Raises:
        SettingsError: a setting cannot be used: AddressError or CertificateError where it is the address, or a
            certificate or key.
        ForkedProcess: the process was forked while calls were under way in its parent; each call raises it, too.
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
        self._transport = SyncTransport(self.settings, on_call)
        self._on_wait, self._on_call = on_wait, on_call
        self._shared_patience: Patience | None = None
        self._knowledge = Knowledge()

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

    def run(
        self,
        job: Job[ResultT, ProgressT],
        *,
        on_progress: OnProgress[ProgressT] | None = None,
        checkpoint: Checkpoint | None = None,
        timeout: float | None = None,
    ) -> ResultT:
        """Run a job to its end.

        While the server is away or overloaded, a call is sent again, for as long as the setting `patience` says.

        Args:
            job: what to do.
            on_progress: called at the start, after each call of the job that gets it further, and at the end.
            checkpoint: for a long job, a file that keeps how far it is. If it is there already, the job goes on from
                it, with the model's version that it began with. It stays when the job is done, and then gives the
                result at once: delete it when the result is safe.
            timeout: seconds for each call; None for what the settings say.

        Returns:
            The job's result.

        Raises:
            InvalidInput: the job does not suit the model or the pictures.
            CheckpointError: the checkpoint is damaged, or of another job.
            ImageError: a picture cannot be used.
            OutputError: the checkpoint cannot be written.
            OSError: a file cannot be opened.
            CallError: a call failed; VersionGone in the middle: the version that began the job is no longer served.
        """
        return driver.finish(self.iterate(job, checkpoint=checkpoint, timeout=timeout), on_progress)

    def iterate(
        self,
        job: Job[ResultT, ProgressT],
        *,
        every: int | None = None,
        checkpoint: Checkpoint | None = None,
        timeout: float | None = None,
    ) -> Generator[ProgressT, None, ResultT]:
        """Run a job step by step: iterate over it to run it, and stop where you like.

            for progress in client.iterate(Dream("photo.jpg", layers=["mixed4"])):
                print(progress.octave, progress.step, progress.loss, progress.seconds_left)
            progress.preview().save("dream.png")

        Each progress of a long job can show the picture so far; the last one holds the result, which the generator
        returns as well.

        Args:
            job: what to do.
            every: for a long job, yield a progress at each multiple of this many steps as well, counted over all sizes.
            checkpoint: a file that keeps how far a long job is, as `run` explains it.
            timeout: seconds for each call; None for what the settings say.

        Raises:
            ImpastoError: the same errors as `run`; at once where a picture or the checkpoint is the reason, else while
                iterating.
        """
        steps, file = driver.prepare(
            job, settings=self.settings, every=every, checkpoint=checkpoint, timeout=timeout
        )
        begin = partial(self._transport.observer.job, job.kind, Model.of(job.model).name)
        send = partial(self._send, kind=job.kind, timeout=timeout)
        context = driver.JobContext(knowledge=self._knowledge, begin=begin)
        return driver.drive(
            steps, send, self._patience(), file, context=context, at_once=at_once(self.settings)
        )

    @overload
    def map(
        self, jobs: Iterable[PictureJobT], *, concurrency: int = CONCURRENCY
    ) -> Generator[Outcome[PictureJobT, Image.Image], None, None]: ...
    @overload
    def map(
        self, jobs: Iterable[Work[ResultT]], *, concurrency: int = CONCURRENCY
    ) -> Generator[Outcome[Work[ResultT], ResultT], None, None]: ...
    def map(
        self, jobs: Iterable[Any], *, concurrency: int = CONCURRENCY
    ) -> Generator[Outcome[Any, Any], None, None]:
        """Run many jobs, several at a time, and yield the outcome of each, in their order.

            for outcome in client.map([Upscale("one.jpg"), Upscale("other.jpg")], concurrency=8):
                print(outcome.item.image, outcome.error or outcome.result.size)

        A job that fails does not stop the others. The work is done by an AsyncClient with this client's settings, in an
        event loop of its own, so this can be called from anywhere, also from a notebook.

        Args:
            jobs: taken as there is room, at most twice `concurrency` ahead of what was yielded. One may also be a
                coroutine function that takes the AsyncClient, to do more than a job: write the result, say.
            concurrency: the number of jobs that are under way at once, at least 1. The tiles of large pictures are
                counted with them, so no more calls than this are under way.

        Raises:
            ValueError: `concurrency` is less than 1.
            ClientClosed: the client is closed.
            Exception: what `jobs` raises, and what a coroutine function raises other than an ImpastoError or OSError,
                which are the item's own. What is under way is cancelled then, as it is when the iteration is given up.
        """
        self._transport.check_open()
        with BackgroundLoop() as loop:
            client = AsyncClient(settings=self.settings, on_wait=self._on_wait, on_call=self._on_call)
            client._knowledge = Knowledge(self._knowledge)  # pyright: ignore[reportPrivateUsage] - it learns for this one
            outcomes = client.map(jobs, concurrency=concurrency)
            try:
                while (outcome := loop.run(_next(outcomes))) is not None:
                    yield outcome
            finally:
                loop.finish(_end(outcomes, client))

    upscale: Final = runs(models.Upscale)
    describe_upscale: Final = runs(models.DescribeUpscale)
    stylize: Final = runs(models.Stylize)
    style_vector: Final = runs(models.EncodeStyle)
    dream: Final = runs(models.Dream)
    describe_dream: Final = runs(models.DescribeDream)
    transfer: Final = runs(models.Transfer)
    describe_transfer: Final = runs(models.DescribeTransfer)

    def predict(
        self,
        model: str | Model,
        inputs: Mapping[str, object],
        *,
        signature: str | None = None,
        outputs: Sequence[str] = (),
        timeout: float | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Run a signature of a model.

        Args:
            model: its name on the server, or a Model with a version or label.
            inputs: an array for each input. Arrays, also other libraries' tensors on the CPU, are sent with the dtype
                they have; plain Python numbers and lists take the contract's dtype (`impasto.client.signatures`)
                where that keeps their value. Inputs with a default may be left out.
            signature: `serving_default` if None.
            outputs: the wanted outputs' names, or one name; all if empty.
            timeout: seconds; the client's if None.

        Returns:
            An array for each output, perhaps a read-only view; copy one to change it. Strings are object
            arrays of `bytes`.

        Raises:
            CallError: one of its kinds, see errors.
        """
        steps = prediction.predict(Model.of(model), inputs, signature=signature, outputs=outputs)
        return self._finish(steps, "predict", timeout)

    def metadata(self, model: str | Model, *, timeout: float | None = None) -> ModelMetadata:
        """The signatures of a served model with their inputs, outputs and defaults. Raises CallError."""
        return self._send(calls.metadata_call(Model.of(model)), "status", timeout)

    def status(self, model: str | Model, *, timeout: float | None = None) -> tuple[VersionStatus, ...]:
        """The versions of a model that the server knows, newest first.

        Args:
            model: its name on the server; or a Model with a version, for that one alone.
            timeout: seconds; the client's if None.

        Raises:
            InvalidInput: the Model has a label, by which no server tells its status.
            CallError: ModelNotFound if there is none.
        """
        return self._send(calls.status_call(Model.of(model)), "status", timeout)

    def wait_ready(self, *, timeout: float = 60.0, models: Iterable[str] = ()) -> None:
        """Wait until the server answers and each of `models` has a version that can be called.

        Args:
            timeout: seconds, more than 0; `math.inf` to wait for ever.
            models: names on the server, or one name.

        Raises:
            ValueError: `timeout` is not a positive number of seconds.
            ServerUnavailable: nothing answered within `timeout` seconds.
            TlsError: at once, if server and client do not trust each other.
            CallUnsupported: at once, if what answers is not TensorFlow Serving's gRPC port.
            DeadlineExceeded: the server answers, but a model is not available in time; the message says why.
        """
        steps = readiness.wait_ready(models, timeout=timeout, address=self.address)
        self._finish(steps, "status", min(timeout, self.settings.timeouts.status))

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

    def _finish(self, steps: Steps[ResultT], kind: CallKind, timeout: float | None) -> ResultT:
        driven = driver.drive(steps, lambda call: self._send(call, kind, timeout), self._patience())
        return driver.finish(driven)


async def _next(outcomes: AsyncGenerator[Outcome[ItemT, ResultT], None]) -> Outcome[ItemT, ResultT] | None:
    return await anext(outcomes, None)


async def _end(outcomes: AsyncGenerator[Any, None], client: AsyncClient) -> None:
    await outcomes.aclose()
    await client.close()
