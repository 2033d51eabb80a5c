"""The types that users of the public API see. Nothing here is run: mypy and Pyright, both strict, read it.

What must be an error carries what each of the two calls it, and both say so if it no longer is one.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Generator, Mapping
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from typing_extensions import assert_type

from impasto.client import (
    CONCURRENCY,
    Animation,
    AsyncClient,
    CallRecord,
    Client,
    DescribeDream,
    DescribeTransfer,
    DescribeUpscale,
    Dream,
    DreamDescription,
    DreamProgress,
    EncodeStyle,
    ImageSource,
    ImpastoError,
    Job,
    LongJob,
    Model,
    ModelMetadata,
    Outcome,
    Picture,
    PictureWarning,
    Progress,
    Retries,
    Settings,
    SignatureInfo,
    State,
    StyleSource,
    StyleVector,
    Stylize,
    TensorInfo,
    Timeouts,
    TlsOptions,
    Transfer,
    TransferDescription,
    TransferProgress,
    Upscale,
    UpscaleDescription,
    VersionStatus,
    errors,
    read_animation,
    read_picture,
    write_animation,
    write_picture,
    zoom_in,
)
from impasto.client.pictures import named_picture
from impasto.client.signatures import MODELS, ModelContract, TensorSpec

PIXELS: NDArray[np.uint8] = np.zeros((32, 48, 3), np.uint8)
SOURCES: list[ImageSource] = ["photo.jpg", Path("photo.jpg"), b"\xff\xd8", Image.new("RGB", (48, 32)), PIXELS]
FLOATS: NDArray[np.float32] = np.zeros((32, 48, 3), np.float32)

# What an error is a kind of, so that one `except` serves for all of them.
OURS: list[type[ImpastoError]] = [errors.ModelNotFound, errors.ImageTooLarge, errors.OutputExists]
OS_ERRORS: list[type[OSError]] = [errors.ServerUnavailable, errors.DeadlineExceeded, errors.OutputExists]
VALUES: list[type[ValueError]] = [errors.SettingsError, errors.InvalidInput, errors.CheckpointError]
CALLS: list[type[errors.CallError]] = [errors.ImageError]  # type: ignore[list-item] # pyright: ignore[reportAssignmentType]


def settings_and_constructors() -> None:
    tls = TlsOptions(ca="ca.pem", certificate=Path("me.pem"), key=Path("me.key"), server_name="models")
    timeouts = Timeouts(predict=5.0, dream=60)
    settings = Settings(
        address="one:8500,other:8500", timeouts=timeouts, tls=tls, retries=Retries(attempts=2)
    )
    assert_type(settings.timeouts.predict, float)
    assert_type(settings.tls, TlsOptions | None)
    assert_type(settings.metadata, Mapping[str, str | bytes])
    assert_type(Timeouts.of(3), Timeouts)
    assert_type(timeouts.for_("dream"), float | None)
    Client()
    Client("localhost:8500", timeout=3.0, tls=tls, token="secret", metadata={"tenant": "a", "key-bin": b"\0"})
    Client("localhost:8500", timeout=timeouts, compression="gzip", config=Path("c.toml"), max_pixels=10**6)
    AsyncClient("localhost:8500", settings=settings, max_in_flight=10)

    Client(8500)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    Client("localhost:8500", settings)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    Client(timeout="3 s")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    Client(tls=True)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    Client(compression="zip")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    AsyncClient(tlss=tls)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    Timeouts(3.0)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    timeouts.for_("stylise")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    settings.token = "other"  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]


def any_model(client: Client) -> None:
    with client as entered:
        assert_type(entered, Client)
    assert_type(client.address, str)
    assert_type(client.settings, Settings)
    assert_type(client.predict("m", {"x": PIXELS, "k": 3, "n": [1, 2]}), dict[str, NDArray[Any]])
    client.predict(Model("m", 3), {}, signature="open", outputs=["image"], timeout=2)
    client.predict(Model("m", label="stable"), {})
    assert_type(Model("m").version, int | None)
    client.wait_ready(timeout=5, models=["srcnn"])

    client.predict("m")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    client.predict("m", [PIXELS])  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    client.predict("m", {1: PIXELS})  # type: ignore[dict-item] # pyright: ignore[reportArgumentType]
    client.predict("m", {}, version=3)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    client.predict(3, {})  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    Model("m", "3")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    Model()  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    Model("m").name = "n"  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
    client.predict("m", {}, "open")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    client.status("m", label="stable")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


def what_the_server_says(client: Client) -> None:
    metadata = client.metadata(Model("dream", label="stable"))
    assert_type(metadata, ModelMetadata)
    assert_type(metadata.signatures["open"], SignatureInfo)
    assert_type(metadata.signatures["open"].inputs["image"], TensorInfo)
    assert_type(metadata.signatures["open"].inputs["image"].shape, tuple[int | None, ...] | None)
    assert_type(client.status("dream"), tuple[VersionStatus, ...])
    assert_type(client.status(Model("dream", 1), timeout=2)[0].state, State)
    assert_type(client.describe_dream(), DreamDescription)
    assert_type(client.describe_dream(model=Model("dream", 2)).layer_weights, Mapping[str, float])
    assert_type(client.describe_transfer(model="painter"), TransferDescription)
    assert_type(MODELS["srcnn"], ModelContract)
    assert_type(MODELS["srcnn"].signatures["serving_default"].input("image"), TensorSpec)

    metadata.version = 2  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]


def upscaling(client: Client) -> None:
    def show(progress: Progress) -> None:
        assert_type(progress.done, int)

    def show_dream(progress: DreamProgress) -> None:
        assert_type(progress.octave, int)

    for source in SOURCES:
        assert_type(client.upscale(source), Image.Image)
    client.upscale("photo.jpg", tile=None, model=Model("srcnn", label="stable"))
    client.upscale("photo.jpg", factor=4, tile="auto")
    client.upscale("photo.jpg", factor=(4, 2), tile=256)
    client.upscale("photo.jpg", size=(3840, 2160))
    client.upscale("photo.jpg", megapixels=24)
    described = client.describe_upscale(model="upscaler-base")
    assert_type(described, UpscaleDescription)
    assert_type((described.factors, described.overlap, described.network), tuple[tuple[int, ...], int, str])
    assert_type(client.run(DescribeUpscale()), UpscaleDescription)
    client.upscale("photo.jpg", size=3840)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    client.upscale("photo.jpg", factor=2.5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert_type(client.run(Upscale("photo.jpg", model="other"), on_progress=show, timeout=3), Image.Image)
    assert_type(client.iterate(Upscale("photo.jpg")), Generator[Progress, None, Image.Image])

    client.upscale(FLOATS)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    client.upscale([PIXELS])  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    client.upscale("photo.jpg", on_progress=show)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    client.run(Upscale("photo.jpg"), on_progress=show_dream)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    client.run("photo.jpg")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    client.upscale("photo.jpg", scale=4)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


def stylizing(client: Client) -> None:
    vector = client.style_vector("painting.jpg")
    assert_type(vector, StyleVector)
    assert_type(vector.values, NDArray[np.float32])
    styles: list[StyleSource] = [vector, *SOURCES]
    for style in styles:
        assert_type(client.stylize("photo.jpg", style), Image.Image)
    client.stylize("photo.jpg", styles, weights=[1, 2.5], strength=0.7, preserve_color=True, max_side=None)
    client.stylize(PIXELS, ("waves.jpg", vector))
    assert_type(client.style_vector([vector, "waves.jpg"], weights=(1, 2)), StyleVector)
    assert_type(client.run(EncodeStyle("waves.jpg")), StyleVector)
    assert_type(client.run(Stylize("photo.jpg", vector)), Image.Image)

    client.stylize("photo.jpg")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    client.stylize(vector, "painting.jpg")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    client.stylize("photo.jpg", "a.jpg", weights=1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    client.stylize("photo.jpg", "a.jpg", strength="full")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def dreaming(client: Client) -> None:
    assert_type(client.dream("photo.jpg"), Image.Image)
    client.dream("photo.jpg", layers={"mixed3": 1.0}, octaves=(-1, 0), steps=20, step_size=0.02, guide=PIXELS)
    client.dream("photo.jpg", layers=["mixed3", ("mixed5", 0.5)], tile=0, seed=3)
    job = Dream("photo.jpg", layers="mixed4")
    client.run(job, checkpoint=Path("d.npz"), on_progress=print)
    steps = client.iterate(job, every=10, checkpoint="d.npz", timeout=60)
    assert_type(steps, Generator[DreamProgress, None, Image.Image])
    for progress in steps:
        assert_type(progress.loss, float | None)
        assert_type(progress.seconds_left, float | None)
        assert_type(progress.preview(), Image.Image)
    assert_type(job.steps, int | None)
    assert_type(job.to_json(), dict[str, Any])
    assert_type(Dream.from_json({"image": "photo.jpg"}), Dream)
    assert_type(client.run(DescribeDream()), DreamDescription)

    client.dream()  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    client.dream("photo.jpg", steps="20")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    client.dream("photo.jpg", step=20)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    client.dream("photo.jpg", None)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    client.dream("photo.jpg", model=1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    Dream("photo.jpg", octaves=-1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    client.iterate(job, every="10")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    job.steps = 3  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
    client.dream("photo.jpg", every=10)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


def transferring(client: Client) -> None:
    assert_type(client.transfer("photo.jpg", "painting.jpg"), Image.Image)
    client.transfer("photo.jpg", [PIXELS, "stars.jpg"], weights=[2, 1], pyramid=3, epochs=3, start="noise")
    client.transfer(b"", Path("a.jpg"), style_layers={"block1_conv1": 1}, mask=PIXELS, keep_size=False)
    steps = client.iterate(Transfer("photo.jpg", "painting.jpg"), every=100)
    assert_type(steps, Generator[TransferProgress, None, Image.Image])
    for progress in steps:
        assert_type(progress.style_loss, float | None)
        assert_type(progress.preview(), Image.Image)
    assert_type(Transfer("photo.jpg", "painting.jpg", epochs=3).epochs, int | None)
    assert_type(Transfer.from_json({}), Transfer)
    assert_type(client.run(DescribeTransfer()), TransferDescription)

    client.transfer("photo.jpg")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    client.transfer("photo.jpg", "a.jpg", epochs="ten")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    client.transfer("photo.jpg", "a.jpg", octaves=[0])  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]


async def own(client: AsyncClient, path: Path) -> int:
    (await client.upscale(path)).save(path.with_suffix(".large.png"))
    return path.stat().st_size


async def sized(client: AsyncClient) -> int:
    return (await client.upscale("photo.jpg")).width


def plain(client: AsyncClient) -> int:
    return 3


def mapping(client: Client, paths: list[Path]) -> None:
    for outcome in client.map((Upscale(path) for path in paths), concurrency=2 * CONCURRENCY):
        assert_type(outcome.index, int)
        assert_type(outcome.item, Upscale)
        assert_type(outcome.error, ImpastoError | OSError | None)
        assert_type(outcome.result, Image.Image)
    for painted in client.map([Stylize("photo.jpg", path, strength=0.7) for path in paths]):
        assert_type(painted.result, Image.Image)
    jobs: list[Job[Image.Image, Progress]] = [Upscale("photo.jpg"), Dream("photo.jpg")]
    for made in client.map(jobs):
        assert_type(made.result, Image.Image)
    for encoded in client.map([EncodeStyle("waves.jpg")]):
        assert_type(encoded.result, StyleVector)
    assert_type(next(client.map([sized])).result, int)
    assert_type(next(client.map(functools.partial(own, path=path) for path in paths)).result, int)
    long: LongJob[DreamProgress] = Dream("photo.jpg")
    assert_type(client.run(long), Image.Image)

    client.map([plain])  # type: ignore[type-var] # pyright: ignore[reportArgumentType, reportCallIssue]
    client.map(["photo.jpg"])  # type: ignore[type-var] # pyright: ignore[reportArgumentType, reportCallIssue]
    client.map(Upscale("photo.jpg"))  # type: ignore[call-overload] # pyright: ignore[reportArgumentType, reportCallIssue]
    client.map([sized], concurrency="many")  # type: ignore[call-overload] # pyright: ignore[reportArgumentType, reportCallIssue]


async def awaiting(client: AsyncClient, paths: list[Path]) -> None:
    async with client as entered:
        assert_type(entered, AsyncClient)
    assert_type(client.address, str)
    assert_type(client.settings, Settings)
    assert_type(await client.predict("m", {"x": PIXELS}), dict[str, NDArray[Any]])
    assert_type(await client.metadata("m"), ModelMetadata)
    assert_type(await client.status("m"), tuple[VersionStatus, ...])
    await client.wait_ready(models=("srcnn",))
    assert_type(await client.upscale(PIXELS), Image.Image)
    assert_type(await client.describe_upscale(), UpscaleDescription)
    assert_type(await client.stylize("photo.jpg", ["waves.jpg", PIXELS]), Image.Image)
    assert_type(await client.style_vector("painting.jpg"), StyleVector)
    assert_type(await client.describe_dream(), DreamDescription)
    assert_type(await client.dream("photo.jpg", layers=["mixed4"], steps=20), Image.Image)
    assert_type(await client.describe_transfer(), TransferDescription)
    assert_type(await client.transfer("photo.jpg", "painting.jpg", epochs=2), Image.Image)
    assert_type(await client.run(Upscale(PIXELS)), Image.Image)
    assert_type(client.iterate(Dream("photo.jpg"), every=5), AsyncGenerator[DreamProgress, None])
    assert_type(client.iterate(Transfer("a.jpg", "b.jpg")), AsyncGenerator[TransferProgress, None])
    assert_type(
        client.map([Upscale(path) for path in paths]), AsyncGenerator[Outcome[Upscale, Image.Image], None]
    )
    async for progress in client.iterate(Dream("photo.jpg")):
        assert_type(progress, DreamProgress)
    async for outcome in client.map((Upscale(path) for path in paths), concurrency=8):
        assert_type(outcome.result, Image.Image)
    async for size in client.map([sized]):
        assert_type(size.result, int)
    await client.close()

    await client.upscale(1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    picture: Image.Image = client.upscale(PIXELS)  # type: ignore[assignment] # pyright: ignore[reportAssignmentType]
    picture.save("large.png")
    await client.stylize("photo.jpg")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    await client.dream("photo.jpg", steps="20")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    await client.dream("photo.jpg", colour=True)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    await client.transfer("a.jpg", "b.jpg", model=1)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    next(client.iterate(Dream("photo.jpg")))  # type: ignore[call-overload] # pyright: ignore[reportArgumentType]


def seeing_inside() -> None:
    def note(call: CallRecord) -> None:
        assert_type((call.model, call.version, call.signature, call.method), tuple[str, int, str, str])
        assert_type((call.attempt, call.seconds, call.status), tuple[int, float, str])
        assert_type((call.bytes_sent, call.bytes_received), tuple[int, int])
        assert_type(call.error, BaseException | None)
        call.seconds = 0.0  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]

    def note_two(call: CallRecord, more: int) -> None: ...

    Client(on_call=note)
    AsyncClient("localhost:8500", on_call=note)
    seen: list[CallRecord] = []
    Client(on_call=seen.append)
    Client(on_call=note_two)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    AsyncClient(on_call=3)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def failures(client: Client) -> None:
    try:
        client.upscale("photo.jpg")
    except errors.CallError as error:
        assert_type(error.code, grpc.StatusCode | None)
        assert_type(error.model, str | None)
    assert_type(errors.STATUS_ERRORS[grpc.StatusCode.NOT_FOUND], type[errors.CallError])


def pictures() -> None:
    picture = read_picture(SOURCES[0], max_pixels=10**6)
    assert_type(picture, Picture)
    assert_type(picture.rgb, NDArray[np.uint8])
    assert_type(picture.alpha, NDArray[np.uint8] | None)
    assert_type(picture.rebuild(PIXELS), Image.Image)
    assert_type(zoom_in(Image.new("L", (8, 8)), factor=1.05), Image.Image)
    write_picture("result.png", picture.rebuild(PIXELS), overwrite=True)

    assert_type(picture.notes, tuple[str, ...])
    assert_type((picture.frame, picture.frames), tuple[int, int])
    write_picture("result.jpg", picture.rebuild(PIXELS), quality=90, strip=True)
    write_picture("result.png", picture.rebuild(PIXELS), compress="small")
    animation = read_animation(Path("moving.gif"), max_pixels=10**8)
    assert_type(animation, Animation[Picture])
    assert_type(animation.frames, tuple[Picture, ...])
    with Client() as client:
        frames = [client.upscale(frame) for frame in animation.frames]
    assert_type(animation.with_frames(frames), Animation[Image.Image])
    write_animation("moving.webp", animation.with_frames(frames), quality=90, strip=True)
    write_animation("moving.gif", Animation.of(frames, milliseconds=40, plays=1), overwrite=True)
    named = named_picture("photo.heic")
    assert named is not None
    assert_type((named.readable, named.remedy), tuple[bool, str])
    warned: type[UserWarning] = PictureWarning
    assert warned

    read_picture("photo.jpg", frame="first")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    write_picture("result.jpg", picture)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    read_picture(FLOATS)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    zoom_in("photo.jpg", factor=1.05)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    zoom_in(Image.new("L", (8, 8)), 1.05)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
