"""Jobs over HTTP: what they make, stopping and going on, tabs that go, and the queue."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from images.pictures import encoded, pixels
from impasto.client import Client
from impasto.client.studio.queue import in_turn
from impasto.client.studio.records import Record
from processes.studio_process import Browser, Running, running
from servers.model_servers import ModelServer, server_process

PHOTO = encoded(Image.fromarray(pixels(60, 80)))
LONG: dict[str, Any] = {"steps": 400, "octaves": [0], "layers": ["deep"]}


def opened(data: bytes) -> np.ndarray[Any, Any]:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


def result(browser: Browser, job: dict[str, Any]) -> bytes:
    answer = browser.get(job["result"]["url"])
    assert answer.status == 200 and answer.headers["Content-Type"] == "image/png"
    return answer.body


def test_the_start_tells_each_model_and_each_field(studio: Running) -> None:
    start = studio.browser().opening()
    assert [model["name"] for model in start["upscale"]["models"]] == ["srcnn"]
    assert start["upscale"]["models"][0]["factors"] == [2]
    assert [layer["name"] for layer in start["dream"]["models"][0]["layers"]] == ["shallow", "middle", "deep"]
    assert all(layer["draws"] for layer in start["dream"]["models"][0]["layers"])
    assert start["dream"]["models"][0]["default"] == ["middle", "deep"]
    assert start["fields"]["dream"]["steps"] == {
        "type": "integer",
        "default": None,
        "least": 0,
        "most": 1_000_000_000,
        "choices": None,
        "help": "Gradient steps at each octave, 0 to 1e9.",
    }
    assert all(field["help"] for fields in start["fields"].values() for field in fields.values())
    assert len(start["examples"]["photos"]) == 3 and len(start["examples"]["paintings"]) == 4


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("upscale", {"factor": 2}),
        ("stylize", {"strength": 0.5}),
        ("dream", {"steps": 2}),
        ("transfer", {"epochs": 1, "steps_per_epoch": 2}),
    ],
)
def test_a_job_makes_what_the_library_makes(
    studio: Running, studio_server: ModelServer, kind: str, fields: dict[str, Any]
) -> None:
    browser = studio.browser()
    photo, night = browser.upload(PHOTO)["id"], "painting-night"
    main = "image" if kind in ("upscale", "dream") else "content"
    style: dict[str, Any] = {} if main == "image" else {"style": [night]}
    job = browser.wait(browser.start(kind, **{main: photo}, **style, **fields)["id"])
    assert job["state"] == "done", job
    made = result(browser, job)
    with Client(studio_server.address) as client:
        styles = [[browser.get(f"/api/pictures/{night}").body]] if style else []
        expected = np.asarray(getattr(client, kind)(PHOTO, *styles, **fields))
    assert np.array_equal(opened(made), expected)
    if kind in ("dream", "transfer"):
        assert job["losses"] and all(job["losses"].values())


def test_a_result_that_is_dropped_gives_its_settings_back_and_makes_the_same_again(studio: Running) -> None:
    browser = studio.browser()
    photo = browser.upload(PHOTO, "cat.png")
    fields = {"image": photo["id"], "steps": 3, "seed": 7, "tile": 40, "layers": {"shallow": 2.0}}
    first = browser.wait(browser.start("dream", **fields)["id"])
    made = result(browser, first)
    with Image.open(io.BytesIO(made)) as image:
        note = json.loads(image.text["impasto"])  # type: ignore[attr-defined]
    assert (note["kind"], note["job"]["seed"], note["job"]["image"]) == ("dream", 7, "cat.png")
    dropped = browser.upload(made, "dropped.png")["job"]
    assert dropped["kind"] == "dream"
    assert dropped["fields"]["image"] == photo["id"]
    again = browser.wait(browser.start("dream", **dropped["fields"])["id"])
    assert np.array_equal(opened(result(browser, again)), opened(made))
    stranger = studio.browser().upload(made)["job"]
    assert "image" not in stranger["fields"] and stranger["fields"]["steps"] == 3


def test_what_is_stopped_is_kept_and_goes_on_bit_for_bit(studio: Running) -> None:
    browser = studio.browser()
    photo = browser.upload(PHOTO)["id"]
    whole = browser.wait(browser.start("dream", image=photo, **LONG)["id"])
    job = browser.start("dream", image=photo, tab="t", **LONG)["id"]
    with browser.events("t") as news:
        previews = {event["preview"] for event in news_until(news, job, lambda event: event["step"] > 0)}
        stopped = browser.send("POST", f"/api/jobs/{job}/stop").json
        assert stopped["state"] == "stopped"
        assert 0 < stopped["step"] < stopped["steps"] == LONG["steps"]
        assert previews - {None}
        assert opened(result(browser, stopped)).shape == (60, 80, 3)
        assert browser.send("POST", f"/api/jobs/{job}/resume").status == 200
        ended = browser.wait(job)
    assert (ended["state"], ended["step"]) == ("done", LONG["steps"])
    assert np.array_equal(opened(result(browser, ended)), opened(result(browser, whole)))
    refused = browser.send("POST", f"/api/jobs/{job}/resume")
    assert refused.status == 409 and "done" in refused.json["error"]


def test_a_job_that_goes_on_in_another_tab_is_stopped_when_that_one_is_closed(studio: Running) -> None:
    browser = studio.browser()
    photo = browser.upload(PHOTO)
    job = browser.start("dream", image=photo["id"], tab="one", **{**LONG, "steps": 5000})["id"]
    with browser.events("one") as news:
        news_until(news, job, lambda event: event["step"] > 0)
        browser.send("POST", f"/api/jobs/{job}/stop")
        assert browser.get("/api/pictures").json == [photo]
        with browser.events("two"):
            assert browser.send("POST", f"/api/jobs/{job}/resume?tab=two").json["tab"] == "two"
        stopped = browser.wait(job, "stopped")
    assert "tab" in stopped["note"]
    assert studio.browser().get("/api/pictures").json == []


def news_until(news: Any, job: str, is_enough: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for event in news:
        if event["id"] == job:
            found.append(event)
            if is_enough(event):
                return found
    raise AssertionError("the stream ended")


def test_the_jobs_of_a_tab_that_goes_are_stopped_and_those_of_others_are_not(studio: Running) -> None:
    browser = studio.browser()
    photo = browser.upload(PHOTO)["id"]
    forever = {**LONG, "steps": 20_000}
    with browser.events("stays") as stays:
        kept = browser.start("dream", tab="stays", image=photo, **forever)["id"]
        with browser.events("goes") as news:
            lost = browser.start("dream", tab="goes", image=photo, **forever)["id"]
            news_until(news, lost, lambda event: event["step"] > 0)
        stopped = browser.wait(lost)
        assert stopped["state"] == "stopped" and "tab" in stopped["note"]
        assert browser.job(kept)["state"] == "running"
        assert browser.send("DELETE", f"/api/jobs/{kept}").status == 204
        news_until(stays, kept, lambda event: event.get("gone"))
    assert browser.get(f"/api/jobs/{kept}").status == 404


def test_a_folder_waits_with_places_and_people_take_turns(studio_server: ModelServer) -> None:
    with running(studio_server.address, jobs=1, waiting=3, session_jobs=3) as studio:
        one, other = studio.browser(), studio.browser()
        photo = one.upload(PHOTO)["id"]
        forever = {**LONG, "image": photo, "steps": 20_000}
        first = one.start("dream", **forever)["id"]
        one.wait(first, "running")
        waiting = [one.start("dream", **forever)["id"] for _ in range(2)]
        theirs = other.start("dream", **{**forever, "image": "photo-chelsea"})["id"]
        assert other.job(theirs)["place"] == 1
        assert [one.job(job)["place"] for job in waiting] == [2, 3]
        full = one.send("POST", "/api/jobs", {"kind": "dream", "fields": forever})
        assert full.status == 429 and "wait" in full.json["error"] and full.headers["Retry-After"]
        full = other.send("POST", "/api/jobs", {"kind": "dream", "fields": {"image": "photo-chelsea"}})
        assert full.status == 503 and "try again" in full.json["error"]
        assert one.send("POST", f"/api/jobs/{waiting[0]}/stop").json["state"] == "stopped"
        assert one.job(waiting[1])["place"] == 2
        assert one.send("POST", f"/api/jobs/{first}/stop").json["state"] == "stopped"
        assert other.wait(theirs, "running")
        assert one.job(waiting[1])["place"] == 1, "it was behind the other's, and does not pass it"


def test_the_next_job_is_that_of_whoever_has_the_fewest_before_it() -> None:
    def record(session: str, order: int) -> Record:
        return Record(str(order), session, None, None, order, Path())  # type: ignore[arg-type]

    waiting = [record("a", 1), record("a", 2), record("a", 3), record("b", 4), record("c", 5)]
    assert [job.order for job in in_turn(waiting, [], {})] == [1, 4, 5, 2, 3]
    assert [job.order for job in in_turn(waiting, [record("b", 0)], {})] == [1, 5, 2, 4, 3]
    assert [job.order for job in in_turn(waiting, [], {"a": 7, "b": 3})] == [5, 4, 1, 2, 3]


def test_a_strip_shows_the_photo_in_each_example_painting(studio: Running) -> None:
    browser = studio.browser()
    job = browser.wait(browser.start("strip", content="photo-chelsea")["id"])
    assert job["state"] == "done", job
    assert [entry["painting"] for entry in job["strip"]] == [
        "painting-night",
        "painting-meadow",
        "painting-surf",
        "painting-cat",
    ]
    shown = [browser.get(entry["url"]) for entry in job["strip"]]
    assert all(answer.headers["Content-Type"] == "image/jpeg" for answer in shown)
    assert len({answer.body for answer in shown}) == 4
    assert browser.get(f"/api/jobs/{job['id']}/strip/4").status == 404


def test_a_bench_measures_each_model_and_the_server_tells_of_each(studio: Running) -> None:
    browser = studio.browser()
    job = browser.wait(browser.start("bench")["id"])
    assert [entry["model"] for entry in job["bench"]] == ["srcnn", "stylize", "dream", "transfer"]
    for entry in job["bench"]:
        assert entry["error"] or entry["seconds"] > 0
    told = browser.get("/api/server").json
    (srcnn,) = [model for model in told["models"] if model["name"] == "srcnn"]
    assert srcnn["healthy"] and srcnn["licence"] == "Apache-2.0" and "photos" in srcnn["weights"]
    assert {version["state"] for version in srcnn["versions"]} == {"AVAILABLE"}


def test_results_come_as_an_archive_and_are_compared_with_an_original(studio: Running) -> None:
    browser = studio.browser()
    photo = browser.upload(PHOTO, "cat.png")["id"]
    jobs = [browser.wait(browser.start("upscale", image=photo, factor=2)["id"]) for _ in range(2)]
    answer = browser.get("/api/results.zip?jobs=" + ",".join(job["id"] for job in jobs))
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.namelist() == ["cat-upscale.png", "cat-upscale-2.png"]
        assert archive.read("cat-upscale.png") == result(browser, jobs[0])
    same = browser.upload(result(browser, jobs[1]))["id"]
    order = {"job": jobs[0]["id"], "original": same}
    assert browser.send("POST", "/api/compare", order).json == {"psnr": None, "ssim": 1.0}
    other = browser.upload(encoded(Image.fromarray(pixels(120, 160, seed=5))))["id"]
    far = browser.send("POST", "/api/compare", {**order, "original": other}).json
    assert 5 < far["psnr"] < 50 and far["ssim"] < 1
    refused = browser.send("POST", "/api/compare", {**order, "original": photo})
    assert refused.status == 422 and "80 x 60" in refused.json["error"]


def test_a_job_waits_for_a_server_that_was_killed_and_goes_on(dream_repository: Path) -> None:
    with server_process(dream_repository) as server, running(server.address) as studio:
        browser = studio.browser()
        photo = browser.upload(PHOTO)["id"]
        job = browser.start("dream", image=photo, tab="t", **{**LONG, "steps": 1000})["id"]
        with browser.events("t") as news:
            news_until(news, job, lambda event: event["step"] > 0)
            server.kill()
            waits = news_until(news, job, lambda event: event["note"])[-1]
            assert waits["state"] == "running" and "waits for it" in waits["note"]
            assert browser.get("/api/server").json["error"]
            server.ensure_running()
            assert news_until(news, job, lambda event: event["state"] == "done")[-1]["note"] is None


def test_without_a_server_the_page_opens_and_a_job_says_what_to_do() -> None:
    with running("127.0.0.1:9", waiting=3) as studio:
        browser = studio.browser()
        start = browser.opening()
        assert "9" in start["server_error"] and start["dream"]["models"] == []
        assert len(start["examples"]["photos"]) == 3
        job = browser.wait(browser.start("upscale", image="photo-chelsea", factor=2)["id"])
        assert job["state"] == "failed" and "127.0.0.1:9" in job["error"]
        assert browser.send("POST", f"/api/jobs/{job['id']}/resume").json["error"] is None
