"""Studio's page in a real browser, in front of the local server with toy models."""

from __future__ import annotations

import re
import zipfile
from typing import TYPE_CHECKING

from PIL import Image

from browsing.pages import (
    TIMES,
    as_file,
    drop,
    give,
    photo,
    pixels_of,
    shown_result,
    start,
    wait_for,
    wait_for_other,
    work,
)
from browsing.studios import ASKED, Studio

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from servers.model_servers import ServerProcess

    Visit = Callable[..., Page]

LOCAL_SERVER_ONLY = "the page asks Studio, and Studio's own tests ask both servers"

NEVER = "5000"
"""Steps at each size, of which no test waits for the end."""


def begin_endless_dream(page: Page) -> None:
    give(page, photo(width=152, height=128))
    work(page).get_by_label("Steps at each size").fill(NEVER)
    start(page, "Dream")


def test_a_photo_is_enlarged_and_compared_pixel_for_pixel_with_mouse_keys_and_loupe(visit: Visit) -> None:
    page = visit()
    give(page, photo(width=320, height=240))
    page.get_by_role("radio", name=f"4{TIMES}").check()
    start(page, "Upscale")
    assert f"1280 {TIMES} 960" in wait_for(page, "done").inner_text()
    shown = work(page)
    divider = shown.get_by_role("slider", name="Divider")
    divider.wait_for()
    size = shown.locator(".after img").bounding_box()
    assert size is not None
    assert (round(size["width"]), round(size["height"])) == (1280, 960)
    assert shown.locator(".before img").bounding_box() == size

    divider.focus()
    for key, value in (("End", "100"), ("Home", "0"), ("ArrowRight", "1"), ("PageUp", "11")):
        page.keyboard.press(key)
        assert divider.get_attribute("aria-valuenow") == value
    view = shown.locator(".view").bounding_box()
    assert view is not None
    grip = shown.locator(".grip").bounding_box()
    assert grip is not None
    page.mouse.move(grip["x"] + grip["width"] / 2, grip["y"] + grip["height"] / 2)
    page.mouse.down()
    page.mouse.move(view["x"] + view["width"] / 2, view["y"] + 30)
    page.mouse.up()
    assert divider.get_attribute("aria-valuenow") == "50"

    page.mouse.move(view["x"] + 50, view["y"] + 60)
    page.mouse.down()
    page.mouse.move(view["x"] + 20, view["y"] + 40)
    page.mouse.up()
    moved = shown.locator(".after img").bounding_box()
    assert moved is not None
    assert (round(moved["x"] - size["x"]), round(moved["y"] - size["y"])) == (-30, -20)

    shown.get_by_role("button", name="Loupe").click()
    shown.locator(".lens").wait_for()
    page.keyboard.press("Escape")
    shown.locator(".lens").wait_for(state="hidden")


def test_a_result_is_measured_against_the_original_and_one_of_another_size_is_refused(visit: Visit) -> None:
    page = visit()
    give(page, photo(width=64, height=48))
    page.get_by_role("radio", name=f"3{TIMES}").check()
    start(page, "Upscale")
    wait_for(page, "done")
    original = work(page).locator(".quality input")
    told = work(page).locator(".quality-told")
    original.set_input_files([photo("original.png", width=192, height=144)])
    page.wait_for_function("element => element.textContent.includes('PSNR')", arg=told.element_handle())
    original.set_input_files([photo("other.png")])
    page.wait_for_function("element => element.textContent.includes('64')", arg=told.element_handle())


def test_a_photo_is_painted_like_two_paintings_after_a_strip_has_tried_them_all(
    visit: Visit, studio: Studio
) -> None:
    page = visit("stylize")
    give(page)
    shown = work(page)
    tiles = shown.locator("button.tile")
    page.wait_for_function("count => document.querySelectorAll('.tried').length === count", arg=tiles.count())
    tiles.nth(0).click()
    tiles.nth(1).click()
    first, second = shown.get_by_role("slider").all()[:2]
    first.fill("1")
    second.fill("0.5")
    assert [output.inner_text() for output in shown.locator(".shares output").all()] == ["67 %", "33 %"]
    shown.get_by_role("slider", name="Strength").fill("0.5")
    shown.get_by_label("Keep the photo's colours").check()
    start(page, "Paint")
    wait_for(page, "done")
    jobs = page.evaluate("async () => (await fetch('api/jobs')).json()")
    fields = next(job["fields"] for job in jobs if job["kind"] == "stylize")
    assert (fields["weights"], fields["strength"], fields["preserve_color"]) == ([1, 0.5], 0.5, True)
    assert len(fields["style"]) == 2


def test_a_dream_grows_as_one_looks_is_stopped_with_what_there_is_and_goes_on(visit: Visit) -> None:
    page = visit("dream")
    give(page, photo(width=152, height=128))
    shown = work(page)
    shown.get_by_label("Steps at each size").fill(NEVER)
    start(page, "Dream")
    first = wait_for_other(page, "")
    second = wait_for_other(page, first)
    wait_for_other(page, second)
    curve = shown.get_by_role("img", name=re.compile(r"^Loss.*from .* to "))
    curve.wait_for()
    start(page, "Stop")
    assert "kept" in wait_for(page, "stopped").inner_text()
    with page.expect_download() as kept:
        shown.get_by_role("link", name="Download").click()
    with Image.open(kept.value.path()) as picture:
        assert picture.size == (152, 128)
    so_far = int(re.findall(r"after (\d+)", shown.locator(".state").inner_text())[0])
    start(page, "Go on")
    wait_for(page, "running")
    page.wait_for_function(
        "far => Number(/step (\\d+)/.exec(document.querySelector('.dream .state').textContent)?.[1]) > far",
        arg=so_far,
    )
    wait_for_other(page, wait_for_other(page, shown_result(page)))
    start(page, "Stop")
    wait_for(page, "stopped")


def test_a_transfer_paints_only_where_a_mask_was_drawn_and_shows_both_losses(visit: Visit) -> None:
    page = visit("transfer")
    give(page)
    shown = work(page)
    shown.locator("button.tile").first.click()
    start(page, "Draw on the photo")
    cover = shown.get_by_role("application", name="Mask")
    box = cover.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.1, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + box["height"] / 2)
    page.mouse.up()
    for key in ("ArrowDown", "ArrowDown", "Space", "Escape"):
        page.keyboard.press(key)
    mask = shown.get_by_role("group", name="Mask").locator(".chosen img")
    mask.wait_for()
    pixels = page.evaluate("async () => Object.values(await (await fetch('api/jobs')).json()).length")
    assert pixels == 0
    shown.get_by_text("More", exact=True).click()
    shown.get_by_label("Epochs", exact=True).fill("3")
    shown.get_by_label("Steps per epoch").fill("2")
    start(page, "Paint")
    wait_for(page, "done")
    assert shown.get_by_role("img", name=re.compile(r"^(Content|Style) loss: .* from ")).count() == 2
    before, after = (
        pixels_of(page, address)
        for address in (shown.locator(".before img").get_attribute("src"), shown_result(page))
    )
    assert (before[:, 48:] == after[:, 48:]).all(), "the right quarter was not in the mask"
    assert (before[:, :16] != after[:, :16]).any()


def test_the_server_part_tells_each_model_with_origin_and_health_and_times_it(visit: Visit) -> None:
    page = visit("server")
    cards = page.locator(".model")
    cards.nth(3).wait_for()
    assert {"upscaler-small", "stylize", "dream", "transfer"} <= {
        card.inner_text() for card in page.locator(".model h2").all()
    }
    assert page.locator(".health.well").count() == cards.count()
    page.get_by_role("button", name="Time each model").click()
    page.get_by_text("Timed just now").wait_for()
    assert page.locator("dt", has_text="Time").count() == cards.count()
    assert page.get_by_text(re.compile(r"^\d.* s for ")).count() >= 2, (
        "the other toys take smaller pictures only"
    )


def test_of_many_dropped_files_a_bad_one_says_so_and_the_others_are_made_and_downloaded_together(
    visit: Visit,
) -> None:
    page = visit()
    files = [
        photo("one.png"),
        as_file("notes.txt", b"no picture", kind="text/plain"),
        photo("two.png"),
    ]
    page.get_by_text("Drop a photo here").first.wait_for()
    drop(page, *files)
    shown = work(page)
    shown.locator(".thumb").nth(1).wait_for()
    assert "notes.txt" in shown.get_by_role("alert").filter(has_text="notes.txt").inner_text()
    start(page, "All 2 photos")
    rows = shown.locator(".row[data-state=done]")
    rows.nth(1).wait_for()
    with page.expect_download() as together:
        shown.get_by_role("link", name="Download all 2").click()
    with zipfile.ZipFile(together.value.path()) as archive:
        assert len(archive.namelist()) == 2


def test_a_result_dropped_back_fills_in_the_settings_that_made_it(visit: Visit) -> None:
    page = visit("dream")
    give(page)
    shown = work(page)
    shown.get_by_label("Steps at each size").fill("3")
    shown.get_by_text("More", exact=True).click()
    shown.get_by_label("Octaves").fill("-1, 0")
    start(page, "Dream")
    wait_for(page, "done")
    with page.expect_download() as made:
        shown.get_by_role("link", name="Download").click()
    again = visit("upscale")
    result = as_file("made.png", made.value.path().read_bytes())
    give(again, result)
    again.locator(".work.dream:not([hidden])").wait_for()
    assert work(again).get_by_label("Steps at each size").input_value() == "3"
    assert work(again).get_by_label("Octaves").input_value() == "-1, 0"


def test_settings_are_told_as_a_command_and_as_python_and_a_wrong_value_at_its_field(visit: Visit) -> None:
    page = visit("dream")
    give(page)
    shown = work(page)
    shown.get_by_text("As a command, as Python").click()
    shown.get_by_label("Steps at each size").fill("7")
    command = shown.get_by_role("region", name="Command")
    page.wait_for_function(
        "element => element.textContent.includes('--steps=7')", arg=command.element_handle()
    )
    assert "steps=7" in shown.get_by_role("region", name="Python").inner_text()
    shown.get_by_label("Steps at each size").fill("-1")
    start(page, "Dream")
    problem = shown.locator(".field .problem:not(:empty)")
    problem.wait_for()
    assert "steps" in problem.inner_text()
    assert page.evaluate("document.activeElement.getAttribute('aria-invalid')") == "true"


def test_a_dream_waits_for_a_killed_model_server_and_is_done_when_it_is_back(
    visit: Visit, model_server: ServerProcess
) -> None:
    page = visit("dream")
    begin_endless_dream(page)
    first = wait_for_other(page, "")
    model_server.kill()
    try:
        page.locator(".banner.shown").wait_for()
        assert wait_for(page, "running").is_visible()
    finally:
        model_server.ensure_running()
    page.locator(".banner.shown").wait_for(state="hidden")
    wait_for_other(page, wait_for_other(page, first))
    start(page, "Stop")
    wait_for(page, "stopped")


def test_two_tabs_and_two_people_do_not_disturb_each_other(visit: Visit) -> None:
    one = visit("dream")
    give(one, photo("one.png", width=152, height=128))
    work(one).get_by_label("Steps at each size").fill(NEVER)
    start(one, "Dream")
    wait_for(one, "running")
    two = visit("dream", beside=one)
    give(two, photo("two.png"))
    start(two, "Dream")
    wait_for(two, "done")
    assert wait_for(one, "running").is_visible()
    assert work(two).locator(".row:visible").count() == 0
    stranger = visit("dream")
    work(stranger).get_by_text("Drop a photo here").wait_for()
    assert stranger.evaluate("async () => (await (await fetch('api/jobs')).json()).length") == 0
    one.reload()
    assert wait_for(one, "running").is_visible()
    start(one, "Stop")
    wait_for(one, "stopped")


def test_what_a_closed_tab_had_begun_goes_on_in_another(visit: Visit) -> None:
    one = visit("dream")
    begin_endless_dream(one)
    wait_for_other(one, "")
    start(one, "Stop")
    wait_for(one, "stopped")
    two = visit("dream", beside=one)
    one.close()
    work(two).get_by_text("From your other tabs (1)").click()
    start(two, "Go on here")
    wait_for(two, "running")
    wait_for_other(two, shown_result(two))
    assert work(two).locator(".before img").get_attribute("alt") == "Photo: photo.png"
    start(two, "Stop")
    wait_for(two, "stopped")
    assert work(two).locator(".others").is_hidden()


def test_a_full_queue_says_so_at_the_button_and_takes_the_job_when_there_is_room(visit: Visit) -> None:
    page = visit("dream")
    begin_endless_dream(page)
    wait_for(page, "running")
    most = page.evaluate(_FILL_THE_QUEUE)
    start(page, "Dream")
    problem = work(page).locator(".settings > .problem:not(:empty)")
    problem.wait_for()
    assert f"{most} of your jobs wait or run already" in problem.inner_text()
    page.evaluate(_EMPTY_THE_QUEUE, 1)
    start(page, "Dream")
    assert "In the queue: " in wait_for(page, "queued").inner_text()
    assert work(page).locator(".row").count() == most
    page.evaluate(_EMPTY_THE_QUEUE, most)
    wait_for(page, "none")


_FILL_THE_QUEUE = """async () => {
    const [{ kind, tab, fields }] = await (await fetch("api/jobs")).json();
    const headers = { "X-Impasto": "1", "Content-Type": "application/json" };
    for (let count = 1; ; count += 1) {
        const asked = { method: "POST", headers, body: JSON.stringify({ kind, tab, fields }) };
        if ((await fetch("api/jobs", asked)).status === 429) return count;
    }
}"""
_EMPTY_THE_QUEUE = """async (count) => {
    const jobs = (await (await fetch("api/jobs")).json()).reverse().slice(0, count);
    for (const { id } of jobs) await fetch(`api/jobs/${id}`, { method: "DELETE", headers: { "X-Impasto": "1" } });
}"""


def test_a_token_is_asked_for_where_one_is_wanted(visit: Visit, start_studio: Callable[..., Studio]) -> None:
    guarded = start_studio("--token", "a long secret")
    page = visit(at=guarded)
    page.get_by_label("Token").fill("another one")
    page.keyboard.press("Enter")
    page.get_by_role("alert").filter(has_text="not the token").wait_for()
    assert page.locator(".work").count() == 0
    page.get_by_label("Token").fill("a long secret")
    page.keyboard.press("Enter")
    work(page).get_by_text("Drop a photo here").wait_for()
    assert guarded.foreign == []


def test_the_page_says_that_studio_is_away_and_goes_on_when_it_is_back(visit: Visit) -> None:
    page = visit()
    work(page).wait_for()
    page.context.set_offline(True)
    give_up = page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert give_up
    page.get_by_text("Studio does not answer").wait_for()
    page.context.set_offline(False)
    page.locator(".banner.shown").wait_for(state="hidden")


def test_all_that_the_pages_asked_for_was_on_the_list_and_of_this_machine(
    visit: Visit, studio: Studio
) -> None:
    page = visit()
    work(page).wait_for()
    apart_from_files = {request for request in studio.requests if not request.startswith("GET /page/")}
    assert apart_from_files <= ASKED, sorted(apart_from_files - ASKED)
    assert studio.foreign == []
