"""Studio's page by hand, finger and keyboard, on a phone, for a screen reader, light and dark; in a real browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from browsing.access import NAMED, brightness, drag_by_finger, least_contrast, roles_and_names, tab_to
from browsing.pages import (
    TIMES,
    drop,
    give,
    paste,
    photo,
    pixels_of,
    start,
    wait_for,
    work,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    Visit = Callable[..., Page]

LOCAL_SERVER_ONLY = "the page asks Studio, and Studio's own tests ask both servers"

PARTS = ("upscale", "stylize", "dream", "transfer", "server")
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


def test_no_part_is_wider_than_a_phone(visit: Visit) -> None:
    page = visit(**PHONE)
    give(page, photo("a-photo-with-a-very-long-name-as-telephones-give-them-20261127.png"))
    start(page, "Upscale")
    wait_for(page, "done")
    for part in PARTS:
        page.goto(re.sub("#.*", f"#{part}", page.url))
        page.locator(f"main > .{part}:not([hidden])").wait_for()
        for folded in page.locator("details:visible > summary").all():
            folded.click()
        assert page.evaluate("document.documentElement.scrollWidth") == 360, part


def test_a_photo_is_enlarged_with_the_keyboard_alone_and_the_focus_is_always_seen(visit: Visit) -> None:
    page = visit()
    work(page).locator(".example").first.wait_for()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the picture"
    page.keyboard.press("Enter")
    tab_to(page, "Try the example")
    page.keyboard.press("Enter")
    work(page).locator(".before img").wait_for()
    tab_to(page, f"3{TIMES}")
    page.keyboard.press("ArrowRight")
    tab_to(page, "Upscale")
    page.keyboard.press("Enter")
    assert f"1800 {TIMES} 1200" in wait_for(page, "done").inner_text()


def test_everything_that_can_be_used_has_a_name_and_each_part_its_landmarks(visit: Visit) -> None:
    page = visit()
    give(page)
    for part in PARTS:
        page.goto(re.sub("#.*", f"#{part}", page.url))
        page.locator(f"main > .{part}:not([hidden])").wait_for()
        for folded in page.locator("details:visible > summary").all():
            folded.click()
        told = roles_and_names(page)
        assert [role for role, name in told if role in NAMED and not name] == []
        assert {"banner", "navigation", "main"} <= {role for role, _ in told}
        assert page.locator("h1:visible").count() == 1


def test_light_and_dark_follow_the_system_or_the_switch_and_text_stands_out(visit: Visit) -> None:
    page = visit(color_scheme="dark")
    switch = page.get_by_role("button", name="Theme")
    switch.wait_for()
    assert brightness(page) < 0.1
    for _ in range(2 * 3):
        assert least_contrast(page) >= 4.5
        switch.click()
    page.emulate_media(color_scheme="light")
    assert brightness(page) > 0.8
    for _ in range(2):
        switch.click()
    page.reload()
    assert brightness(page) < 0.1


def test_the_divider_follows_a_finger_and_the_page_does_not_scroll(visit: Visit) -> None:
    page = visit(**PHONE)
    give(page, photo(width=320, height=240))
    start(page, "Upscale")
    wait_for(page, "done")
    shown = work(page)
    shown.get_by_role("radio", name="Fit").check()
    divider = shown.get_by_role("slider", name="Divider")
    divider.wait_for()
    view = shown.locator(".view").bounding_box()
    assert view is not None
    middle = view["y"] + view["height"] / 2
    scrolled = page.evaluate("scrollY")
    drag_by_finger(page, (view["x"] + view["width"] / 2, middle), (view["x"] + 4, middle + 60))
    assert int(divider.get_attribute("aria-valuenow") or "50") < 10
    assert page.evaluate("scrollY") == scrolled


@pytest.mark.parametrize("by_finger", [False, True])
def test_a_quick_stroke_over_the_photo_is_a_line_in_the_mask(visit: Visit, *, by_finger: bool) -> None:
    page = visit("transfer", **(PHONE if by_finger else {}))
    give(page)
    shown = work(page)
    start(page, "Draw on the photo")
    box = shown.get_by_role("application", name="Mask").bounding_box()
    assert box is not None
    left, right = ((box["x"] + box["width"] * part, box["y"] + box["height"] / 2) for part in (0.1, 0.9))
    if by_finger:
        drag_by_finger(page, left, right)
    else:
        page.mouse.move(*left)
        page.mouse.down()
        page.mouse.move(*right)
        page.mouse.up()
    start(page, "Done")
    mask = shown.get_by_role("group", name="Mask").locator(".chosen img")
    mask.wait_for()
    address = re.sub(r"/thumb.*", "", mask.get_attribute("src") or "")
    row = pixels_of(page, address)[24, :, 0]
    assert (row[8:-8] == 255).all()
    assert (row[:2] == 0).all(), "the brush is narrower than the way to the edge"


def test_a_picture_is_pasted_as_a_photo_and_among_the_paintings_as_a_painting(visit: Visit) -> None:
    page = visit("stylize")
    work(page).get_by_text("Drop a photo here").wait_for()
    paste(page, photo("pasted.png"))
    work(page).locator(".thumb").wait_for()
    tiles = work(page).locator("button.tile")
    tiles.first.wait_for()
    before = tiles.count()
    tiles.first.focus()
    paste(page, photo("painting.png"))
    tiles.nth(before).wait_for()
    assert work(page).locator(".thumb").count() == 1


def test_a_file_dropped_on_a_field_is_of_that_field_and_not_a_photo(visit: Visit) -> None:
    page = visit("stylize")
    give(page)
    tiles = work(page).locator("button.tile")
    tiles.first.wait_for()
    before = tiles.count()
    drop(page, photo("painting.png"), on=".stylize .paintings")
    tiles.nth(before).wait_for()
    page.goto(re.sub("#.*", "#transfer", page.url))
    drop(page, photo("mask.png"), on=".transfer .mask .one-picture")
    work(page).get_by_role("group", name="Mask").get_by_text("mask.png").wait_for()
    page.goto(re.sub("#.*", "#upscale", page.url))
    assert work(page).locator(".thumb").count() == 1
