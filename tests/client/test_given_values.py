"""Values that people give to inputs, made into arrays of the signature's dtype and shape, or refused."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from impasto.client.errors import NotAnImage
from impasto.client.given import PixelRange, Reading, RequestError, from_json, from_text
from impasto.client.model import TensorInfo
from impasto.client.repository.golden import GoldenError, GoldenRecord

Shape = tuple[int | None, ...] | None


def info(dtype: str, shape: Shape) -> TensorInfo:
    return TensorInfo("x", dtype, shape)


@pytest.mark.parametrize(
    ("dtype", "shape", "text", "expected"),
    [
        ("float32", (), "3.5", 3.5),
        ("float32", (), "3", 3.0),
        ("float32", (None,), "[1, 2.5]", [1.0, 2.5]),
        ("float32", (None, 1), "7", [[7.0]]),
        ("float32", None, "[[1], [2]]", [[1.0], [2.0]]),
        ("float32", (None,), "[]", []),
        ("int32", (), "2.0", 2),
        ("uint8", (), "255", 255),
        ("int64", (), "9007199254740993", 9007199254740993),
        ("bool", (2,), "[true, false]", [True, False]),
        ("bfloat16", (), "1.5", 1.5),
        ("complex64", (), "2", 2 + 0j),
        ("string", (), "a red boat", "a red boat"),
        ("string", (), "[1]", "[1]"),
        ("string", (None,), "boat", ["boat"]),
        ("string", (None,), '["a", "b"]', ["a", "b"]),
        ("string", (None,), "[not a list", ["[not a list"]),
        ("string", (None,), '["a", {"b64": "/w=="}]', ["a", b"\xff"]),
        ("string", (), "@@home", "@home"),
    ],
)
def test_a_word_becomes_what_the_input_is(dtype: str, shape: Shape, text: str, expected: Any) -> None:
    array = from_text(info(dtype, shape), text, Reading())
    assert array.tolist() == expected
    assert array.dtype.name == ("object" if dtype == "string" else dtype)


@pytest.mark.parametrize(
    ("dtype", "shape", "text", "message"),
    [
        ("float32", (), "abc", r"input 'x' is 'abc'; it must be float32 \[\]: give a number"),
        ("float32", (2,), "[1, 2, 3]", r"the shape \[3\]; it must be \[2\]: give as many values"),
        ("float32", (None,), "[[1]]", r"the shape \[1, 1\]; it must be \[\?\]"),
        ("float32", (2,), "1", r"the shape \[\]; it must be \[2\]"),
        ("float32", (None, None), "[[1], [2, 3]]", "whose lists have different lengths"),
        ("string", (None, None), '[["a"], ["b", "c"]]', "whose lists have different lengths"),
        ("int32", (), "1.5", "is 1.5, which int32 does not hold"),
        ("uint8", (), "256", "is 256, which uint8 does not hold"),
        ("uint8", (), "-1", "is -1, which uint8 does not hold"),
        ("int64", (), "9223372036854775808", "which int64 does not hold"),
        ("int64", (), "1" + "0" * 30, "which int64 does not hold"),
        ("float32", (), "1e39", "which float32 does not hold"),
        ("float32", (), "true", "holds True; it must be float32"),
        ("float32", (), "null", "holds None; it must be float32"),
        ("bool", (), "1", "holds 1; it must be bool"),
        ("string", (None,), "[1]", "holds 1; it must be a text in quotation marks"),
        ("string", (None,), '[{"b64": "?"}]', "which is not base64"),
        ("DT_RESOURCE", (), "1", "is of type DT_RESOURCE, which no request can carry"),
    ],
)
def test_a_word_that_does_not_fit_is_refused_with_the_remedy(
    dtype: str, shape: Shape, text: str, message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        from_text(info(dtype, shape), text, Reading())


def test_an_array_file_is_converted_only_where_nothing_is_lost(tmp_path: Path) -> None:
    np.save(tmp_path / "whole.npy", np.array([1, 2], np.int64))
    np.save(tmp_path / "parts.npy", np.array([1.5, 2], np.float64))
    np.save(tmp_path / "texts.npy", np.array(["a", "b"]))
    np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
    reading = Reading(folder=tmp_path)
    assert from_json(info("uint8", (None,)), "@whole.npy", reading).dtype == np.uint8
    assert from_json(info("float32", (None,)), "@parts.npy", reading).tolist() == [1.5, 2]
    assert from_json(info("string", (None,)), "@texts.npy", reading).tolist() == ["a", "b"]
    for dtype, name, message in (
        ("int32", "parts.npy", "which int32 does not hold"),
        ("float32", "texts.npy", "which float32 does not hold"),
        ("string", "whole.npy", "it must hold texts"),
        ("float32", "objects.npy", r"is no \.npy file of numbers or texts"),
    ):
        with pytest.raises(RequestError, match=message):
            from_json(info(dtype, (None,)), f"@{name}", reading)
    with pytest.raises(FileNotFoundError):
        from_json(info("int32", (None,)), "@nope.npy", reading)


def test_an_array_file_of_a_type_that_numpy_lacks_is_read_by_its_bits(tmp_path: Path) -> None:
    array = from_text(info("bfloat16", (2,)), "[1.5, 2]", Reading())
    np.save(tmp_path / "b.npy", array)
    assert np.array_equal(from_text(info("bfloat16", (2,)), f"@{tmp_path / 'b.npy'}", Reading()), array)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    Image.fromarray(np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)).save(path)
    return path


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((None, None, None, 3), (1, 2, 3, 3)),
        ((None, None, None, 1), (1, 2, 3, 1)),
        ((1, 2, 3, 4), (1, 2, 3, 4)),
        ((None, None, 3), (2, 3, 3)),
        ((None, None, None, None), (1, 2, 3, 3)),
        (None, (1, 2, 3, 3)),
    ],
)
def test_a_picture_gets_the_dimensions_of_the_input(
    picture: Path, shape: Shape, expected: tuple[int, ...]
) -> None:
    assert from_text(info("uint8", shape), f"@{picture}", Reading()).shape == expected


def test_a_picture_goes_into_floats_in_the_range_that_somebody_says(picture: Path) -> None:
    floats = info("float32", (None, None, None, 3))
    pixels = from_text(info("uint8", (None, None, None, 3)), f"@{picture}", Reading())
    for text, black, white in (("0..1", 0, 1), ("-1..1", -1, 1), ("0..255", 0, 255)):
        array = from_text(floats, f"@{picture}", Reading(pixels=PixelRange.parse(text)))
        assert array.dtype == np.float32
        assert np.allclose(array, black + pixels / 255.0 * (white - black), atol=1e-5)
    with pytest.raises(RequestError, match=r"only the model's maker knows the range .* 0\.\.1 or -1\.\.1"):
        from_text(floats, f"@{picture}", Reading())


@pytest.mark.parametrize(
    ("dtype", "shape", "message"),
    [
        ("uint8", (None, 224, 224, 3), r"must be \[\?, 224, 224, 3\]: resize or crop the picture first"),
        ("uint8", (None, None, None, 2), "2 channels, which no picture has"),
        ("uint8", (None,), "which is no picture; give numbers"),
        ("int32", (None, None, None, 3), "for which a picture has no meaning"),
    ],
)
def test_a_picture_that_the_input_cannot_take_is_refused(
    picture: Path, dtype: str, shape: Shape, message: str
) -> None:
    with pytest.raises(RequestError, match=message):
        from_text(info(dtype, shape), f"@{picture}", Reading())


def test_a_file_is_its_bytes_where_the_input_is_a_string(picture: Path) -> None:
    assert from_text(info("string", ()), f"@{picture}", Reading()).item() == picture.read_bytes()
    assert from_text(info("string", (None,)), f"@{picture}", Reading()).tolist() == [picture.read_bytes()]


def test_a_file_that_is_no_picture_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("words")
    with pytest.raises(NotAnImage):
        from_json(info("uint8", (None, None, None, 3)), "@words.txt", Reading(folder=tmp_path))


@pytest.mark.parametrize("text", ["1", "0..", "a..b", "1..1", "0..inf", "nan..1"])
def test_a_range_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no range of pixels; write it as"):
        PixelRange.parse(text)


def test_pixels_come_back_from_a_range_and_beyond_it_are_black_or_white() -> None:
    pixels = np.arange(256, dtype=np.uint8)
    for text in ("0..255", "0..1", "-1..1", "1..0"):
        scale = PixelRange.parse(text)
        assert np.array_equal(scale.to_pixels(scale.of_pixels(pixels).astype(np.float32)), pixels)
    assert PixelRange(0, 1).to_pixels(np.array([-1, 2, np.inf, np.nan])).tolist() == [0, 255, 255, 0]


def test_a_golden_record_keeps_every_kind_of_array() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="bfloat16 and int4 are its types")
    arrays: dict[str, Any] = {
        "floats": np.array([[1.5, np.nan]], np.float32),
        "none": np.zeros((0, 3), np.uint8),
        "scalar": np.array(7, np.int64),
        "flags": np.array([True, False]),
        "brain": np.array([1.5, -2], ml_dtypes.bfloat16),
        "half a byte": np.array([-8, 7], ml_dtypes.int4),
        "text": np.array([b"a\0", b"", b"\xff"], object),
        "one": np.array(b"one", object),
    }
    record = GoldenRecord("sign", arrays, {"../y.npy": arrays["floats"]})
    data = record.to_bytes()
    assert data == record.to_bytes()
    read = GoldenRecord.from_bytes(data, where="here")
    assert read.signature == "sign"
    assert read.inputs.keys() == arrays.keys()
    for name, array in arrays.items():
        assert read.inputs[name].dtype == array.dtype
        assert read.inputs[name].shape == array.shape
        assert read.inputs[name].tobytes() == array.tobytes() or read.inputs[name].tolist() == array.tolist()
    assert read.outputs.keys() == {"../y.npy"}


@pytest.mark.parametrize("data", [b"", b"PK no zip", b"\x93NUMPY", "no record"])
def test_a_damaged_golden_record_is_named(data: Any, tmp_path: Path) -> None:
    if data == "no record":
        np.savez(tmp_path / "file.npz", record=np.array(json.dumps({"signature": "s"})))
        data = (tmp_path / "file.npz").read_bytes()
    with pytest.raises(GoldenError, match="here is no golden record"):
        GoldenRecord.from_bytes(data, where="here")


def test_an_array_whose_head_claims_more_than_the_file_holds_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "huge.npy"
    np.save(path, np.zeros(3, np.float32))
    path.write_bytes(path.read_bytes().replace(b"(3,), }            ", b"(3000000000000,), }"))
    with pytest.raises(RequestError, match=r"huge\.npy, which is no \.npy file"):
        from_json(info("float32", (None,)), f"@{path}", Reading())


@pytest.mark.parametrize(
    "content", [b"", b"\x93NUMPY", b"PK\x03\x04", b"\x93NUMPY\x01\x00\x04\x00(((\n", bytes(200)]
)
def test_a_file_that_is_no_array_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "odd.npy"
    path.write_bytes(content)
    with pytest.raises(RequestError, match=r"odd\.npy, which is no \.npy file"):
        from_json(info("float32", (None,)), f"@{path}", Reading())


def test_a_golden_record_is_never_unpacked_to_more_than_its_file_holds() -> None:
    file = io.BytesIO()
    np.savez_compressed(file, np.zeros(1 << 22, np.uint8), record=np.array("{}"))
    assert len(file.getvalue()) < 1 << 14
    with pytest.raises(GoldenError, match="have more bytes than the file"):
        GoldenRecord.from_bytes(file.getvalue(), where="here")
