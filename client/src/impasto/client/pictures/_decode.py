"""Image files and bytes to a decoded PIL image, with every way to fail turned into an ImageError."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Generator, Iterable
from typing import Any, Final, NamedTuple

from PIL import Image, ImageFile

from impasto.client.errors import EmptyImage, ImageTooLarge, NotAnImage, TruncatedImage, UnsupportedImage
from impasto.client.pictures import _png, _tiff, _webp
from impasto.client.pictures._deep import decoded_deep, is_deep
from impasto.client.pictures._extensions import remedy_for
from impasto.client.pictures._notes import Notes

MAX_PIXELS: Final = 89_478_485
"""Default limit of a picture's pixels: Pillow's own warning limit. It is 268 MB as RGB, four times that doubled."""

# What nearly every picture is; Pillow imports only these readers at first, the rest costs a tenth of a second.
_COMMON: Final = ("JPEG", "PNG", "GIF", "BMP", "PPM")
# Others whose first bytes leave no doubt. WebP and AVIF are decoded when they are opened, so damage shows there.
_SIGNED: Final = ("WEBP", "AVIF", "TIFF", "JPEG2000")
# EPS starts Ghostscript on the data; WMF needs the Windows renderer. Neither is for pictures of unknown origin. MPO is
# a JPEG with further pictures behind it, such as a depth map, and is read as a JPEG.
REFUSED: Final = frozenset({"EPS", "WMF", "MPO"})
# What these call frames are a photo's layers or an icon's sizes.
_ONE_PICTURE: Final = frozenset({"PSD", "ICNS", "ICO", "CUR", "MPO"})

_END_OF_JPEG: Final = b"\xff\xd9"
_PREFIX: Final = 16
_OPAQUE: Final = 255


class Opened(NamedTuple):
    """An image file that is opened and not decoded yet.

    Attributes:
        image: Pillow's, with the size checked.
        data: the bytes that it is read from.
        kind: Pillow's name of the format.
        ends_early: whether the file is known to end before its picture does.
        frames: how many frames or pages it has. The picture behind which an APNG hides its frames from programs that
            do not know them is none of them.
        first: where the first of them stands for Pillow.
        max_pixels: the limit that it was opened with.
    """

    image: ImageFile.ImageFile
    data: bytes
    kind: str
    ends_early: bool
    frames: int
    first: int
    max_pixels: int

    def seek(self, number: int, notes: Notes) -> None:
        """Go to a frame, counted from 0. Raises TruncatedImage, EmptyImage or ImageTooLarge."""
        if not number + self.first:
            return
        with damage(notes.name, f"its frame {number + 1} cannot be decoded"):
            self.image.seek(number + self.first)
        check_size(self.image.size, notes.name, max_pixels=self.max_pixels)

    def decode(self, notes: Notes) -> Image.Image:
        """Decode the frame that the image stands at.

        Raises:
            TruncatedImage, UnsupportedImage: see errors.
        """
        with damage(notes.name, self._where()), _tiff.heard(self.kind, notes):
            _tiff.refuse_planes(self.image, notes.name)
            _tiff.make_room(self.image, self.max_pixels)
            if is_deep(self.image) and not is_animated(self.image):
                return decoded_deep(self.image, self._again)
            return self._decoded(notes)

    def _again(self) -> ImageFile.ImageFile:
        image: ImageFile.ImageFile = _factory(self.kind)(io.BytesIO(self.data), "")
        if self.image.tell():
            image.seek(self.image.tell())
        _tiff.make_room(image, self.max_pixels)
        return image

    def _decoded(self, notes: Notes) -> Image.Image:
        try:
            self.image.load()
        except OSError:
            whole = None if self.kind != "JPEG" else _without_end(self.data)
            if whole is None:
                raise
            notes.say("the file ends without its end mark; all of its pixels are there")
            return whole
        # Pillow decodes a WebP that moves with alpha, whether it has any or not.
        if self.kind == "WEBP" and self.frames > 1 and self.image.mode == "RGBA" and is_opaque(self.image):
            return self.image.convert("RGB")
        return self.image

    def _where(self) -> str:
        return "it ends before its pixels do" if self.ends_early else "its pixels cannot be decoded"


def opened(data: bytes, notes: Notes, *, max_pixels: int) -> Opened:
    """Open an image file's bytes and check its size.

    Raises:
        NotAnImage, TruncatedImage, EmptyImage, ImageTooLarge, UnsupportedImage: see errors.
    """
    if not data:
        raise EmptyImage(f"{notes.name} is empty: 0 bytes")
    profile: bytes | None = None
    ends_early = False
    if data.startswith(_png.SIGNATURE):
        tidy = _png.tidied(data, notes)
        data, profile, ends_early = tidy.data, tidy.profile, tidy.ends_early
    elif _webp.is_webp(data):
        check_size(_webp.claimed_size(data), notes.name, max_pixels=max_pixels)
        data = _webp.mended(data, notes)
        ends_early = len(data) < 8 + int.from_bytes(data[4:8], "little")
    elif data.startswith(b"\xff\xd8"):
        ends_early = _END_OF_JPEG not in data[-1024:]
    kind, image = _open(data, notes.name)
    check_size(image.size, notes.name, max_pixels=max_pixels)
    if profile is not None:
        image.info["icc_profile"] = profile
    frames = frame_count(image)
    first = int(kind == "PNG" and frames > 1 and bool(getattr(image, "default_image", False)))
    return Opened(image, data, kind, ends_early, frames - first, first, max_pixels)


def is_animated(image: Image.Image) -> bool:
    """Tell whether the image is an APNG, whose frames Pillow lays over each other in 8 bits."""
    return image.format == "PNG" and getattr(image, "n_frames", 1) > 1


def is_opaque(image: Image.Image) -> bool:
    """Tell whether no pixel of an image of any mode is transparent."""
    return image.mode not in ("LA", "RGBA") or image.getchannel("A").getextrema()[0] == _OPAQUE


def frame_count(image: Image.Image) -> int:
    """The number of frames or pages; 1 where the format has no such thing, or its count is damaged."""
    if image.format in _ONE_PICTURE:
        return 1
    try:
        return max(1, int(getattr(image, "n_frames", 1)))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - the count is read from the whole file, which may be damaged anywhere
        return 1


def decoded(image: Image.Image, name: str, *, max_pixels: int) -> Image.Image:
    """A PIL image that the caller made, with its pixels in memory; the size is checked first.

    Raises:
        UnsupportedImage: it is closed.
        TruncatedImage, EmptyImage, ImageTooLarge: see errors.
    """
    check_size(image.size, name, max_pixels=max_pixels)
    # An image in memory loads, unless it is closed; so does one whose file is closed after it was loaded.
    with damage(name, "its pixels cannot be decoded", closed=getattr(image, "fp", None) is None):
        image.load()
    return image


def check_size(size: tuple[int, int], name: str, *, max_pixels: int) -> None:
    """EmptyImage if there is no pixel, ImageTooLarge if there are more than `max_pixels`."""
    width, height = size
    if width < 1 or height < 1:
        raise EmptyImage(f"{name} has no pixels: it is {width} x {height}")
    if width * height > max_pixels:
        raise ImageTooLarge(
            f"{name} has {width} x {height} = {width * height:,} pixels and the limit is {max_pixels:,}; "
            "raise max_pixels if you trust it, or make it smaller"
        )


@contextlib.contextmanager
def damage(name: str, where: str, *, closed: bool = False) -> Generator[None, None, None]:
    """Turn whatever a decoder raises into a TruncatedImage: they meet damaged data with a dozen exception types."""
    try:
        yield
    except (MemoryError, UnsupportedImage):
        raise
    except Image.DecompressionBombError as error:
        raise ImageTooLarge(
            f"{name} has a part, such as a frame or a size of an icon, of more pixels than is decoded, whatever "
            "max_pixels is; save that as a PNG by itself if you trust it"
        ) from error
    except Exception as error:
        if closed:
            raise UnsupportedImage(
                f"{name} is closed: read it before it is closed, or give the file's path"
            ) from error
        raise TruncatedImage(f"{name} is incomplete or damaged: {where}") from error


def _open(data: bytes, name: str) -> tuple[str, ImageFile.ImageFile]:
    """The first reader that takes the data, and its image.

    `Image.open` would do the same and compare the size with a limit that belongs to the whole process.
    """
    Image.preinit()
    refusal: Exception | None = None
    refused = absent = ""
    for kind in _kinds():
        accepted = _accepts(kind, data[:_PREFIX])
        if isinstance(accepted, str):
            absent = kind
        if accepted is not True:
            continue
        try:
            return kind, _factory(kind)(io.BytesIO(data), "")
        except MemoryError:
            raise
        except Image.DecompressionBombError:
            with damage(name, ""):
                raise
        except Exception as error:  # noqa: BLE001 - see `damage`
            if refusal is None and kind in (*_COMMON, *_SIGNED):
                refusal, refused = error, kind
    if refusal is not None:
        if refused == "TIFF":
            _tiff.refuse_kind(data, name, refusal)
        raise TruncatedImage(
            f"{name} is incomplete or damaged, or of a kind of {refused} that is not read: its header cannot be used"
        ) from refusal
    if absent:
        raise NotAnImage(f"{name} is {absent}, and the Pillow installed here was built without it")
    raise NotAnImage(
        f"{name} is not an image that can be read (PNG, JPEG, WebP, TIFF, BMP, ...)" + remedy_for(name, data)
    )


def _accepts(kind: str, start: bytes) -> bool | str:
    """Tell whether a reader takes data that starts like this; words if it would, were it built with its decoder."""
    accepts = Image.OPEN[kind][1]
    try:
        accepted = True if accepts is None else accepts(start)
    except Exception:  # noqa: BLE001 - some read more bytes than there are
        return False
    return accepted if isinstance(accepted, str) else bool(accepted)


def _kinds() -> Iterable[str]:
    yield from (kind for kind in _COMMON if kind in Image.OPEN)
    Image.init()
    yield from sorted(set(Image.OPEN) - REFUSED - set(_COMMON))


def _factory(kind: str) -> Any:
    if kind == "JPEG":  # Pillow's own looks for MPO, and changes the image's class
        from PIL.JpegImagePlugin import JpegImageFile

        return JpegImageFile
    return Image.OPEN[kind][0]


def _without_end(data: bytes) -> Image.Image | None:
    """A JPEG that lacks nothing but its end mark, decoded; None if pixels are missing.

    What stands behind the data then makes no difference to any pixel.
    """
    if data.endswith(_END_OF_JPEG):
        return None
    images: list[Image.Image] = []
    for filler in (b"\x00", b"\x55", b"\xaa"):
        image = _factory("JPEG")(io.BytesIO(data + filler * 64 + _END_OF_JPEG), "")
        image.load()
        images.append(image)
    first, *others = images
    return first if all(first.tobytes() == other.tobytes() for other in others) else None
