"""Take the pictures of Studio in docs/images/studio: each part of the page, light, dark, and on a phone.

    python examples/studio/screenshots.py http://127.0.0.1:8600/ docs/images/studio

It drives the page of a running `impasto studio` in Debian's chromium, with the example photos and the models that are
served. Needs playwright and Pillow.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, sync_playwright

LOOKS: Final[dict[str, dict[str, Any]]] = {
    "light": {"viewport": {"width": 1360, "height": 860}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1360, "height": 860}, "color_scheme": "dark"},
    "phone": {
        "viewport": {"width": 360, "height": 740},
        "device_scale_factor": 1.5,
        "is_mobile": True,
        "has_touch": True,
        "color_scheme": "light",
    },
}
"""As browsers show the page."""

PATIENCE: Final = 900_000
"""Milliseconds for the slowest model on a machine without a GPU."""

QUALITY: Final = 50


def main() -> None:
    """Take all pictures, or those of some looks and parts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("url", help="where Studio is")
    parser.add_argument("out", type=Path, help="the folder that gets the pictures")
    parser.add_argument("--look", nargs="*", default=list(LOOKS), choices=list(LOOKS))
    parser.add_argument("--part", nargs="*", default=list(PARTS), choices=list(PARTS))
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        parser.error("no chromium is installed; `apt-get install chromium` brings one")
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=sandbox)
        for look in asked.look:
            for part in asked.part:
                take(browser, asked.url, look, part, asked.out)
        browser.close()


def take(browser: Browser, url: str, look: str, part: str, out: Path) -> None:
    """Use a part of the page in a window of its own, and write its picture as a JPEG."""
    context = browser.new_context(**LOOKS[look])
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{url.rstrip('/')}/#{part}")
    PARTS[part](page)
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)  # what was just made is decoded and drawn
    page.evaluate("scrollTo(0, 0)")
    with Image.open(io.BytesIO(page.screenshot())) as shot:
        shot.convert("RGB").save(out / f"{part}-{look}.jpg", quality=QUALITY, optimize=True)
    context.close()


def shown(page: Page) -> Locator:
    """The part that is shown."""
    return page.locator(".work:not([hidden])")


def begin(page: Page, example: str) -> None:
    """Take an example photo."""
    shown(page).get_by_role("button", name=f"Try the example {example}").click()
    shown(page).locator(".before img").wait_for()


def go(page: Page, state: str = "done") -> None:
    """Press the button, and wait until the job has come so far."""
    shown(page).locator(".settings .start button[type=submit]").click()
    shown(page).locator(f".status[data-state={state}]").wait_for()


def first_look(page: Page) -> None:
    """Wait for what a visitor sees first."""
    shown(page).locator(".example").first.wait_for()


def upscale(page: Page) -> None:
    """Compare a result with the photo, with the loupe where there is room for it."""
    begin(page, "chelsea")
    page.get_by_role("radio", name="4\N{MULTIPLICATION SIGN}").check()
    go(page)
    shown(page).locator(".after img").wait_for()
    view = shown(page).locator(".view").bounding_box()
    if view is not None and view["width"] > 600:
        shown(page).get_by_role("button", name="Loupe").click()
        for key in ("ArrowUp",) * 8 + ("ArrowLeft",) * 12:
            page.keyboard.press(key)


def stylize(page: Page) -> None:
    """Mix two paintings."""
    begin(page, "astronaut")
    tiles = shown(page).locator("button.tile")
    page.wait_for_function("count => document.querySelectorAll('.tried').length >= count", arg=tiles.count())
    tiles.nth(0).click()
    tiles.nth(2).click()
    go(page)
    shown(page).locator(".after img").wait_for()


def dream(page: Page) -> None:
    """Look while the picture grows."""
    begin(page, "coffee")
    shown(page).get_by_label("Steps at each size").fill("8")
    go(page, "running")
    far_enough = "() => Number(document.querySelector('.dream .bar').getAttribute('aria-valuenow')) >= 70"
    page.wait_for_function(far_enough)


def transfer(page: Page) -> None:
    """Look while a painting grows."""
    begin(page, "chelsea")
    shown(page).locator("button.tile").nth(0).click()
    go(page, "running")
    page.wait_for_function(
        "() => Number(document.querySelector('.transfer .bar').getAttribute('aria-valuenow')) >= 60"
    )


def server(page: Page) -> None:
    """Time the models."""
    page.locator(".model").first.wait_for()
    page.get_by_role("button", name="Time each model").click()
    page.get_by_text("Timed just now").wait_for()


PARTS: Final[dict[str, Callable[[Page], None]]] = {
    "first": first_look,
    "upscale": upscale,
    "stylize": stylize,
    "dream": dream,
    "transfer": transfer,
    "server": server,
}
"""What is done in each part before its picture is taken; an unknown part is the first one."""


if __name__ == "__main__":
    main()
