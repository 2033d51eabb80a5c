"""Studio's page as a person uses it: photos are given, buttons pressed, results looked at."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from playwright.sync_api import FilePayload, Locator, Page


TIMES = "\N{MULTIPLICATION SIGN}"


def photo(name: str = "photo.png", *, width: int = 64, height: int = 48) -> FilePayload:
    """A picture as a file that a person chooses."""
    values = np.random.default_rng(len(name)).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(values).resize((width, height), Image.Resampling.BICUBIC).save(file, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": file.getvalue()}


def as_file(name: str, content: bytes, *, kind: str = "image/png") -> FilePayload:
    """A file that a person chooses or drops."""
    return {"name": name, "mimeType": kind, "buffer": content}


def work(page: Page) -> Locator:
    """The part of the page that is shown."""
    return page.locator(".work:not([hidden])")


def give(page: Page, *photos: FilePayload) -> None:
    """Chooses photos by the button, and waits for the last."""
    shown = work(page)
    before = shown.locator(".thumb").count()
    shown.locator(".tray input, .invitation input").first.set_input_files(list(photos or [photo()]))
    shown.locator(".thumb").nth(before + len(photos or [1]) - 1).wait_for()


def drop(page: Page, *files: FilePayload, on: str = "body") -> None:
    """Drops files on the page, or on an element of it."""
    page.evaluate(_GIVE, ["drop", on, [{**file, "buffer": list(file["buffer"])} for file in files]])


def paste(page: Page, *files: FilePayload) -> None:
    """Pastes files where the focus is, as copied pictures are."""
    page.evaluate(
        _GIVE, ["paste", ":focus, body", [{**file, "buffer": list(file["buffer"])} for file in files]]
    )


_GIVE = """([kind, where, files]) => {
    const data = new DataTransfer();
    for (const { name, mimeType, buffer } of files) {
        data.items.add(new File([new Uint8Array(buffer)], name, { type: mimeType }));
    }
    const how = { bubbles: true, cancelable: true };
    const event = kind === "drop"
        ? new DragEvent(kind, { ...how, dataTransfer: data })
        : new ClipboardEvent(kind, { ...how, clipboardData: data });
    document.querySelector(where).dispatchEvent(event);
}"""


def start(page: Page, words: str) -> None:
    work(page).get_by_role("button", name=words, exact=True).click()


def wait_for(page: Page, state: str) -> Locator:
    status = work(page).locator(f".status[data-state={state}]")
    status.wait_for()
    return status


def shown_result(page: Page) -> str:
    """The address of the picture that is made, as it is on the screen."""
    return str(work(page).locator(".after img").get_attribute("src"))


def wait_for_other(page: Page, address: str) -> str:
    """Waits until another picture than this one is on the screen."""
    page.wait_for_function(
        "old => document.querySelector('.work:not([hidden]) .after img')?.getAttribute('src') !== old",
        arg=address,
    )
    return shown_result(page)


def pixels_of(page: Page, address: str | None) -> NDArray[np.uint8]:
    """A picture as the page is given it, RGB."""
    data = page.evaluate(
        "async (url) => [...new Uint8Array(await (await fetch(url)).arrayBuffer())]", address
    )
    with Image.open(io.BytesIO(bytes(data))) as picture:
        return np.asarray(picture.convert("RGB"))
