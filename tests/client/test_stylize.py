"""Painting through a real server, with small random networks."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from images.pictures import encoded, pixels, save, srgb_profile
from impasto.client import Client, Model, Progress, StyleVector, Stylize, errors
from impasto.client.cli import exit_codes, run
from impasto.client.signatures import STYLE_SIDE, STYLIZE
from oracles.rounding import FLOATS, assert_equal_but_for_rounding
from scripted.client_servers import batching, metadata, overloaded, prediction, scripted
from servers.model_servers import ModelServer, serving

PHOTO = pixels(44, 60)
WAVES = pixels(40, 36, seed=1)
STARS = pixels(30, 48, seed=2)[::-1].copy()


@pytest.fixture(scope="module")
def server(
    stylize_repository: Path, tmp_path_factory: pytest.TempPathFactory, server_kind: str
) -> Iterator[ModelServer]:
    """`stylize` splits its style off, `tangled` cannot."""
    from impasto.export.saved_model import save as save_model
    from impasto.export.stylize.hub_module import load_hub
    from impasto.export.stylize.served import ServedStylizer
    from toys.hub_modules import TangledModule, write_hub_module

    root = tmp_path_factory.mktemp("models")
    (root / "stylize").symlink_to(stylize_repository / "stylize")
    module = write_hub_module(root.parent / "tangled", TangledModule())
    tangled = ServedStylizer(load_hub(str(module), allow_unpinned=True))
    save_model(tangled, root / "tangled" / "1", tangled.signatures, contract=STYLIZE)
    with serving(server_kind, root) as server:
        yield server


@pytest.fixture(scope="module")
def client(server: ModelServer) -> Iterator[Client]:
    with Client(server.address) as client:
        yield client


def array(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image)


def vector(client: Client, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    return client.predict("stylize", {"style": picture[np.newaxis]}, signature="style_vector")["vector"]


def applied(
    client: Client, vector: NDArray[np.float32], photo: NDArray[np.uint8] = PHOTO
) -> NDArray[np.uint8]:
    inputs = {"content": photo[np.newaxis], "vector": vector.astype(np.float32)}
    return client.predict("stylize", inputs, signature="apply")["image"][0]


def test_a_photo_is_painted_as_the_model_paints_it(client: Client) -> None:
    painted = client.stylize(PHOTO, WAVES)
    inputs = {"content": PHOTO[np.newaxis], "style": WAVES[np.newaxis]}
    assert isinstance(painted, Image.Image)
    assert (painted.mode, painted.size) == ("RGB", (60, 44))
    np.testing.assert_array_equal(array(painted), client.predict("stylize", inputs)["image"][0])


@pytest.mark.parametrize("signature", ["serving_default", "hub", "apply"])
def test_one_style_serves_several_contents_on_a_server_that_does_not_batch(
    client: Client, signature: str
) -> None:
    contents = np.stack([pixels(24, 30, seed=seed) for seed in range(3)])
    inputs: dict[str, NDArray[Any]] = {"content": contents, "style": WAVES[np.newaxis]}
    if signature == "hub":
        floats = [inputs[name] / np.float32(255) for name in ("content", "style")]
        inputs = dict(zip(("placeholder", "placeholder_1"), floats, strict=True))
    elif signature == "apply":
        inputs = {"content": contents, "vector": vector(client, WAVES)}
    (photos, _), (name, style) = inputs.items()
    together = client.predict("stylize", inputs, signature=signature).popitem()[1]
    assert together.shape == contents.shape
    for i in range(3):
        one = {photos: inputs[photos][i : i + 1], name: style}
        alone = client.predict("stylize", one, signature=signature).popitem()[1]
        # The sums of several are in another order than those of one: a byte on the edge of rounding may tip over.
        np.testing.assert_allclose(
            together[i].astype(float),
            alone[0].astype(float),
            rtol=0,
            atol=FLOATS if signature == "hub" else 1,
        )
    assert not np.allclose(together[0], together[1], atol=0.05)


def test_photo_and_painting_come_as_files_bytes_and_images_too(client: Client, tmp_path: Path) -> None:
    expected = array(client.stylize(PHOTO, WAVES))
    photo, painting = save(tmp_path / "photo.png", PHOTO), encoded(Image.fromarray(WAVES))
    np.testing.assert_array_equal(array(client.stylize(photo, painting)), expected)
    np.testing.assert_array_equal(
        array(client.stylize(Image.fromarray(PHOTO), Image.fromarray(WAVES))), expected
    )


def test_a_painting_larger_than_the_model_looks_at_is_reduced_before_it_is_sent(client: Client) -> None:
    large = pixels(300, 520, seed=5)
    small = Image.fromarray(large).resize((STYLE_SIDE, STYLE_SIDE), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(array(client.stylize(PHOTO, large)), array(client.stylize(PHOTO, small)))


def test_a_style_vector_paints_any_number_of_photos(client: Client) -> None:
    style = client.style_vector(WAVES)
    assert (style.model, style.version) == ("stylize", 1)
    np.testing.assert_array_equal(style.values, vector(client, WAVES)[0])
    for photo in (PHOTO, pixels(30, 30, seed=9)):
        # A painting is sent in one call with the photo; a vector goes to another signature, which is another graph.
        painted, expected = client.stylize(photo, style), client.stylize(photo, WAVES)
        assert_equal_but_for_rounding(painted, expected, share=0.01)


def test_several_styles_are_blended_by_their_weights_at_any_scale(client: Client) -> None:
    blend = 0.75 * vector(client, WAVES) + 0.25 * vector(client, STARS)
    painted = array(client.stylize(PHOTO, [WAVES, STARS], weights=[30, 10]))
    assert np.abs(painted.astype(int) - applied(client, blend)).max() <= 1  # by the order of float32 sums
    mixed = client.style_vector([client.style_vector(WAVES), STARS], weights=[3, 1])
    np.testing.assert_allclose(mixed.values, blend[0], atol=1e-6)
    np.testing.assert_array_equal(array(client.stylize(PHOTO, mixed)), painted)


def test_styles_weigh_the_same_unless_told_otherwise(client: Client) -> None:
    mean = (vector(client, WAVES) + vector(client, STARS)) / 2
    np.testing.assert_allclose(client.style_vector((WAVES, STARS)).values, mean[0], atol=1e-6)


def test_styles_may_be_any_sequence(client: Client) -> None:
    np.testing.assert_array_equal(
        client.style_vector(deque([WAVES, STARS])).values, client.style_vector([WAVES, STARS]).values
    )


def test_a_weight_of_zero_leaves_a_style_out(client: Client) -> None:
    painted, expected = client.stylize(PHOTO, [WAVES, STARS], weights=[1, 0]), client.stylize(PHOTO, WAVES)
    assert_equal_but_for_rounding(painted, expected, share=0.01)  # by vector, and in one call


@pytest.mark.parametrize("strength", [0.0, 0.25, 1.0])
def test_strength_goes_from_the_photos_own_style_to_the_paintings(client: Client, strength: float) -> None:
    between = (1 - strength) * vector(client, PHOTO) + strength * vector(client, WAVES)
    painted = array(client.stylize(PHOTO, WAVES, strength=strength))
    assert np.abs(painted.astype(int) - applied(client, between)).max() <= 1


def test_kept_colours_are_the_photos_under_the_paintings_light(client: Client) -> None:
    photo = 96 + pixels(40, 40) // 4  # away from black and white, where colours are cut off
    planes = [
        np.asarray(image.convert("YCbCr"), int)
        for image in (
            client.stylize(photo, WAVES, strength=0.2, preserve_color=True),
            client.stylize(photo, WAVES, strength=0.2),
            Image.fromarray(photo),
        )
    ]
    kept, painted, original = planes
    inside = (painted[..., 0] > 40) & (painted[..., 0] < 215)
    assert inside.mean() > 0.2
    assert np.abs(kept[..., 0] - painted[..., 0])[inside].max() <= 2
    assert np.abs(kept[..., 1:] - original[..., 1:])[inside].max() <= 2
    assert np.abs(painted[..., 1:] - original[..., 1:]).mean() > 5


def test_a_gray_photo_takes_the_paintings_colours_unless_its_own_are_kept(client: Client) -> None:
    gray = pixels(40, 40, channels=None)
    assert client.stylize(gray, WAVES).mode == "RGB"
    assert np.ptp(array(client.stylize(gray, WAVES)).astype(int), axis=2).max() > 0
    assert client.stylize(gray, WAVES, preserve_color=True).mode == "L"


def test_transparency_profile_and_resolution_are_carried_over(client: Client) -> None:
    image = Image.fromarray(np.dstack([PHOTO, pixels(44, 60, channels=None)]), "RGBA")
    image.info.update(icc_profile=srgb_profile(), dpi=(300, 300))
    painted = client.stylize(image, WAVES)
    assert painted.mode == "RGBA"
    np.testing.assert_array_equal(array(painted.getchannel("A")), array(image.getchannel("A")))
    assert (painted.info["icc_profile"], painted.info["dpi"]) == (image.info["icc_profile"], (300, 300))


def test_a_large_photo_is_painted_smaller_and_enlarged_again(client: Client) -> None:
    photo = pixels(90, 160)
    small = Image.fromarray(photo).resize((80, 45), Image.Resampling.LANCZOS)
    expected = client.stylize(small, WAVES).resize((160, 90), Image.Resampling.LANCZOS)
    painted = client.stylize(photo, WAVES, max_side=80)
    assert painted.size == (160, 90)
    np.testing.assert_array_equal(array(painted), array(expected))
    assert not np.array_equal(array(client.stylize(photo, WAVES, max_side=None)), array(painted))


def test_a_panorama_stays_high_enough_to_be_painted(client: Client) -> None:
    assert client.stylize(pixels(20, 900), WAVES, max_side=100).size == (900, 20)


def test_progress_counts_the_calls(client: Client) -> None:
    seen: list[Progress] = []
    client.run(Stylize(PHOTO, WAVES), on_progress=seen.append)
    assert seen == [Progress(0, 1), Progress(1, 1)]
    seen.clear()
    client.run(Stylize(PHOTO, [WAVES, STARS], strength=0.5), on_progress=seen.append)
    assert seen == [Progress(0, 4), Progress(3, 4), Progress(4, 4)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda c: c.stylize(pixels(15, 60), WAVES), "content is 60 x 15 pixels; it must be at least 16"),
        (lambda c: c.stylize(PHOTO, PHOTO.copy()), "style is the same picture as content"),
        (lambda c: c.stylize(PHOTO, []), "style is an empty list"),
        (lambda c: c.stylize(PHOTO, WAVES, strength=1.5), "strength is 1.5; it must be 0 to 1"),
        (lambda c: c.stylize(PHOTO, WAVES, strength=float("nan")), "strength is nan"),
        (lambda c: c.stylize(PHOTO, WAVES, max_side=15), "max_side is 15"),
        (lambda c: c.stylize(PHOTO, [WAVES, STARS], weights=[0, 0]), "weights of the styles sum to zero"),
        (lambda c: c.stylize(PHOTO, [WAVES, STARS], weights=[1]), "1 weights for 2 styles"),
        (lambda c: c.stylize(PHOTO, [WAVES, STARS], weights=[2, -1]), "weight -1 of a style"),
        (lambda c: c.style_vector([WAVES, STARS], weights=[1, float("inf")]), "weight inf of a style"),
        (lambda c: c.style_vector([]), "style is an empty list"),
        (
            lambda c: c.stylize(
                PHOTO, StyleVector(np.zeros(5, np.float32), "stylize", 7), model=Model("stylize", 1)
            ),
            "the style vector is of stylize version 7, not of stylize version 1",
        ),
        (
            lambda c: c.stylize(PHOTO, StyleVector(np.zeros(5, np.float32), "other", 1)),
            "the style vector is of other version 1, not of stylize",
        ),
    ],
)
def test_bad_input_is_refused_before_any_call(client: Client, call: object, message: str) -> None:
    assert callable(call)
    with pytest.raises(errors.InvalidInput, match=message) as raised:
        call(client)
    assert raised.value.code is None
    assert raised.value.model == "stylize"


def test_a_style_is_required() -> None:
    with Client("127.0.0.1:1") as client, pytest.raises(TypeError, match="style"):
        client.stylize(PHOTO)  # type: ignore[call-arg]


def test_a_photo_may_be_one_of_several_styles(client: Client) -> None:
    assert client.stylize(PHOTO, [PHOTO, WAVES]).size == (60, 44)


def test_a_vector_is_sent_to_the_version_that_made_it(client: Client) -> None:
    gone = StyleVector(np.zeros(5, np.float32), "stylize", 7)
    with pytest.raises(errors.ModelNotFound, match="7"):
        client.stylize(PHOTO, gone)


def test_more_pixels_than_the_server_takes_are_refused_with_its_words(client: Client) -> None:
    with pytest.raises(errors.InvalidInput, match="content must have at most 1048576 pixels"):
        client.stylize(np.zeros((1024, 1025, 3), np.uint8), WAVES)


def test_a_source_without_vectors_paints_in_one_style_at_full_strength(client: Client) -> None:
    inputs = {"content": PHOTO[np.newaxis], "style": WAVES[np.newaxis]}
    expected = client.predict("tangled", inputs)["image"][0]
    np.testing.assert_array_equal(array(client.stylize(PHOTO, WAVES, model="tangled")), expected)


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.stylize(PHOTO, WAVES, strength=0.5, model="tangled"),
        lambda c: c.stylize(PHOTO, [WAVES, STARS], model="tangled"),
        lambda c: c.style_vector(WAVES, model="tangled"),
    ],
)
def test_a_source_without_vectors_says_so(client: Client, call: object) -> None:
    assert callable(call)
    with pytest.raises(errors.SignatureNotFound, match="tangled cannot tell a style from its painting"):
        call(client)


def test_the_command_says_so_once_for_a_whole_folder(
    server: ModelServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("a.png", "b.png"):
        save(photos / name, PHOTO)
    common = ["--style", str(save(tmp_path / "waves.png", WAVES)), "--model", "tangled"]
    common += ["--server", server.address, "-o", str(tmp_path / "painted")]
    assert run(["stylize", str(photos), *common, "--strength", "0.5"]) == exit_codes.REFUSED
    assert capsys.readouterr().err.count("cannot tell a style from its painting") == 1
    assert run(["stylize", str(photos), *common]) == exit_codes.DONE
    assert len(list((tmp_path / "painted").glob("*.png"))) == 2


def test_a_photo_that_met_one_of_another_size_in_a_batch_is_sent_again() -> None:
    answer = batching(prediction(image=PHOTO[np.newaxis]), refusals=2)
    with scripted(answer) as server, Client(server.address) as client:
        np.testing.assert_array_equal(array(client.stylize(PHOTO, WAVES)), PHOTO)
        assert len(server.methods) == 3


def test_an_overloaded_server_slows_the_painting_and_does_not_end_it() -> None:
    answer = overloaded(prediction(image=PHOTO[np.newaxis]), refusals=2)
    with scripted(answer) as server, Client(server.address) as client:
        np.testing.assert_array_equal(array(client.stylize(PHOTO, WAVES)), PHOTO)
        assert len(server.methods) == 3


def test_a_model_that_never_can_is_not_asked_again() -> None:
    def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
        if unable.methods[-1].endswith("Predict"):
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not made for this")
        return metadata("serving_default")

    with scripted(answer) as unable, Client(unable.address) as client:
        with pytest.raises(errors.PreconditionFailed, match="not made for this"):
            client.stylize(PHOTO, WAVES)
        assert [method.rpartition("/")[2] for method in unable.methods] == ["Predict", "GetModelMetadata"]


def test_a_model_that_is_no_stylizer_is_named() -> None:
    with (
        scripted(lambda request, context: prediction(image=PHOTO[np.newaxis, :8])) as server,
        Client(server.address) as other,
        pytest.raises(errors.DecodeError, match=r"uint8 \[1, 8, 60, 3\] for 'image'"),
    ):
        other.stylize(PHOTO, WAVES)
