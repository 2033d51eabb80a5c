"""Plain Python values take the contract's dtype where that keeps their value; arrays are sent as they are."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from impasto.client import Client, Dream, Model, Stylize, Transfer, Upscale, read_picture
from impasto.client._transport.calls import as_array, predict_call
from impasto.client.errors import InvalidInput, UnsupportedImage
from servers.model_servers import ModelServer


def masked(values: Any, dtype: Any = None, *, mask: Any = False) -> Any:
    make: Any = np.ma.array
    return make(values, dtype, mask=mask)


def texts_of_numpy_2(texts: Any, **options: Any) -> Any:
    dtype: Any = np.dtypes.StringDType
    return np.array(texts, dtype(**options))


def png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG")
    return file.getvalue()


def closed_image(*, lazily: bool = False) -> Image.Image:
    image = Image.open(io.BytesIO(png())) if lazily else Image.new("RGB", (8, 8))
    image.close()
    return image


def sent(name: str, value: Any) -> Any:
    return as_array("dream", "serving_default", name, value)


@pytest.mark.parametrize(
    ("name", "value", "dtype"),
    [
        ("steps", 5, "int32"),
        ("octaves", [-2, 0], "int32"),
        ("octaves", (), "int32"),
        ("step_size", 0.01, "float32"),
        ("step_size", 1, "float32"),
        ("layer_weights", [1, 0.1], "float32"),
        ("image", [[[1, 2, 255]]], "uint8"),
    ],
)
def test_python_numbers_take_the_contracts_dtype(name: str, value: Any, dtype: str) -> None:
    array = sent(name, value)
    assert array.dtype == dtype
    assert array == pytest.approx(np.asarray(value))


@pytest.mark.parametrize(
    ("name", "value", "dtype"),
    [
        ("steps", 1.5, "float64"),  # would lose the half
        ("steps", 2.0, "float64"),  # a float is never meant as an integer
        ("steps", 2**40, "int64"),  # would wrap
        ("image", [[[1, 2, 256]]], "int64"),
        ("image", [[[-1, 2, 3]]], "int64"),
        ("step_size", 1e300, "float64"),  # would become infinite
        ("step_size", 2**24 + 1, "int64"),  # float32 cannot hold it
        ("steps", True, "bool"),
    ],
)
def test_a_value_beyond_the_contract_is_sent_for_the_server_to_refuse(
    name: str, value: Any, dtype: str
) -> None:
    array = sent(name, value)
    assert array.dtype == dtype
    assert np.array_equal(array, np.asarray(value))


@pytest.mark.parametrize("value", [np.float64(3), np.array([1.0]), np.array([1], np.int64), np.array(True)])
def test_an_array_keeps_its_dtype(value: Any) -> None:
    assert sent("step_size", value).dtype == value.dtype


@pytest.mark.parametrize(
    ("model", "signature", "name"), [("x", "serving_default", "steps"), ("dream", "x", "steps")]
)
def test_outside_the_contract_numpy_decides(model: str, signature: str, name: str) -> None:
    assert as_array(model, signature, name, 5).dtype == np.int64


def test_a_ragged_list_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput, match="'octaves' is not an array"):
        sent("octaves", [[1], [1, 2]])


class Tensor:
    """Another library's: it has `__array__`, which refuses where the tensor is on a GPU or has a gradient."""

    def __init__(self, array: Any, refusal: Exception | None = None) -> None:
        self._array, self._refusal = array, refusal

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        if self._refusal is not None:
            raise self._refusal
        return self._array


class Capsule:
    """Another library's that has DLPack's protocol alone."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()


@pytest.mark.parametrize("wrapped", [Tensor, Capsule])
@pytest.mark.parametrize("dtype", ["int64", "float64", "uint8", "float16"])
def test_another_librarys_tensor_keeps_its_dtype(wrapped: Any, dtype: str) -> None:
    array = sent("step_size", wrapped(np.ones(3, dtype)))
    assert array.dtype == dtype and array.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "refusal",
    [
        TypeError("can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu()"),
        RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy()"),
        BufferError("unsupported device"),
    ],
)
def test_a_tensor_that_numpy_cannot_see_is_refused_in_its_own_words(refusal: Exception) -> None:
    with pytest.raises(InvalidInput, match=re.escape(f"'steps' is not an array: {refusal}")):
        sent("steps", Tensor(None, refusal))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "input 'steps' is None; an input that has a default may be left out"),
        (["a", None], "input 'steps' holds None;"),
        (np.array(["a", None, b"b"], object), "input 'steps' holds None;"),
        ({"a": 1}, "input 'steps' is a dict, which is no number and no text"),
        ((number for number in range(3)), "input 'steps' is a generator,"),
        (np.array([Decimal(1)]), "input 'steps' holds a Decimal,"),
        (Path("photo.jpg"), "input 'steps' is a .*Path, which is no number and no text"),
        (io.BytesIO(b"x"), "input 'steps' is a BytesIO,"),
        (2**70, f"input 'steps' is {2**70}, a number beyond 64 bits"),
        (masked([1, 2, 3], mask=[0, 1, 0]), r"input 'steps' has masked values .1., .*filled\(0\)"),
        (closed_image(), "input 'steps' is not an array: Operation on closed image"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_neither_numbers_nor_text_is_named(value: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        sent("steps", value)


def test_an_array_without_masked_values_is_a_plain_one() -> None:
    array = sent("steps", masked([1, 2], np.int32))
    assert type(array) is np.ndarray and array.tolist() == [1, 2]


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6, dtype=">i4").reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype=np.int32).reshape(2, 3)),
        np.arange(12, dtype=np.int32)[::-2].reshape(2, 3),
        np.broadcast_to(np.int32(7), (2, 3)),
        np.arange(6, dtype=np.float16).reshape(2, 3),
        memoryview(np.arange(6, dtype=np.float64).reshape(2, 3)),  # type: ignore[arg-type]
        np.array(5.0),
    ],
    ids=["big-endian", "Fortran", "backwards", "read-only", "half", "memoryview", "0-d"],
)
def test_arrays_of_every_layout_arrive_as_they_are(toy_server: ModelServer, value: Any) -> None:
    dtype = np.asarray(value).dtype.newbyteorder("=")
    with Client(toy_server.address) as client:
        answer = client.predict("echo", {"x": value}, signature=dtype.name)["y"]
    assert answer.dtype == dtype and np.array_equal(answer, np.asarray(value))


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="numpy 2 brought StringDType")
def test_strings_of_numpy_2_arrive(toy_server: ModelServer) -> None:
    texts = texts_of_numpy_2([["short", ""], ["a text of more than fifteen bytes", "ü\0"]])
    with Client(toy_server.address) as client:
        answer = client.predict("echo", {"x": texts}, signature="string")["y"]
    assert answer.tolist() == [[text.encode() for text in row] for row in texts.tolist()]


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="numpy 2 brought StringDType")
@pytest.mark.parametrize("missing", [None, np.nan])
def test_a_missing_string_of_numpy_2_is_refused(missing: Any) -> None:
    texts = texts_of_numpy_2(["a", missing], na_object=missing)
    with pytest.raises(InvalidInput, match=r"input 'x' holds a .*; only str and bytes can be strings"):
        predict_call(Model("echo"), {"x": texts})


def test_one_name_is_taken_where_several_may_be_given(toy_server: ModelServer) -> None:
    with Client(toy_server.address) as client:
        client.wait_ready(models="half")
        for outputs in ("y", ["y"], ("y",), {"y"}, (name for name in "y")):
            answer = client.predict("half", {"x": np.ones(1, np.float32)}, outputs=outputs)  # type: ignore[arg-type]
            assert list(answer) == ["y"]


@pytest.mark.parametrize("outputs", [b"y", [1], None, 3, [b"y"]], ids=repr)
def test_what_is_no_name_of_an_output_is_refused_by_the_parameter(outputs: Any) -> None:
    with Client("localhost:1") as client, pytest.raises(InvalidInput, match=r"outputs is .*a list of names"):
        client.predict("half", {"x": 1.0}, outputs=outputs)


@pytest.mark.parametrize("models", [[1], None, [Model("half")]], ids=repr)
def test_what_is_no_name_of_a_model_is_refused_by_the_parameter(models: Any) -> None:
    with Client("localhost:1") as client, pytest.raises(InvalidInput, match=r"models is .*a list of names"):
        client.wait_ready(models=models)


@pytest.mark.parametrize("inputs", [[1.0], "x", None, [("x", 1.0)]], ids=repr)
def test_inputs_without_names_are_refused(inputs: Any) -> None:
    with (
        Client("localhost:1") as client,
        pytest.raises(InvalidInput, match=r"inputs is a .*a dict of arrays"),
    ):
        client.predict("half", inputs)


@pytest.mark.parametrize("job", ["photo.jpg", None, Upscale], ids=repr)
def test_what_is_no_job_is_refused(job: Any) -> None:
    with Client("localhost:1") as client:
        with pytest.raises(TypeError, match="it must be a job, such as Upscale"):
            client.run(job)
        if not callable(job):
            with pytest.raises(TypeError, match="it must be a job, such as Upscale"):
                list(client.map([job]))


@pytest.mark.parametrize(
    ("name", "job"),
    [
        ("image", Upscale),
        ("style", lambda picture: Stylize("photo.jpg", picture)),
        ("style", lambda picture: Transfer("photo.jpg", ["painting.jpg", picture])),
        ("guide", lambda picture: Dream("photo.jpg", guide=picture)),
        ("mask", lambda picture: Transfer("photo.jpg", "painting.jpg", mask=picture)),
    ],
    ids=["image", "style", "styles", "guide", "mask"],
)
@pytest.mark.parametrize("lazily", [False, True])
def test_a_closed_picture_is_named_by_its_parameter(
    name: str, job: Callable[[Any], Any], lazily: bool
) -> None:
    with pytest.raises(InvalidInput, match=f"{name} is a PIL image that is closed"):
        job(closed_image(lazily=lazily))


def test_a_picture_whose_file_is_closed_is_told_from_a_damaged_one() -> None:
    file = io.BytesIO(png())
    image = Image.open(file)
    file.close()
    with pytest.raises(InvalidInput, match="image is a PIL image that is closed"):
        Upscale(image)


def test_a_picture_that_was_decoded_needs_its_file_no_more() -> None:
    with Image.open(io.BytesIO(png())) as image:
        image.load()
    assert Upscale(image).image is image


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        (io.BytesIO(png()), r"image.getvalue\(\) has a file's bytes"),
        (io.BufferedReader(io.BytesIO(png())), r"image.read\(\) has a file's bytes"),
        (Tensor(None), r"numpy.asarray\(image\) makes an array"),
    ],
    ids=["BytesIO", "file", "tensor"],
)
def test_what_is_no_picture_is_told_how_to_become_one(value: Any, remedy: str) -> None:
    with pytest.raises(InvalidInput, match=remedy):
        Upscale(value)


def test_a_picture_with_masked_values_is_refused() -> None:
    with pytest.raises(UnsupportedImage, match="masked values"):
        read_picture(masked(np.zeros((4, 4, 3), np.uint8), mask=True))
