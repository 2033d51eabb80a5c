"""Studio's walls: people from each other, strangers from all, hostile files from the machine; and what is deleted."""

from __future__ import annotations

import http.client
import io
import json
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from PIL import Image

from images.pictures import bomb, encoded, pixels
from impasto.client.pictures._png_writing import chunk
from impasto.client.studio.guard import is_local
from impasto.client.studio.pictures import distinct, read_note, safe_name, with_note
from impasto.client.studio.refusals import without_paths
from processes.studio_process import Running, running

PHOTO = encoded(Image.fromarray(pixels(40, 60)))
NOBODY = "127.0.0.1:9"
TOKEN = "a token of the tests"


@pytest.fixture(scope="module")
def alone() -> Iterator[Running]:
    """A Studio without a model server: no job is run here."""
    with running(
        NOBODY, megapixels=1.0, upload_bytes=300_000, upload_seconds=1.0, session_pictures=40
    ) as found:
        yield found


def test_nothing_of_one_person_exists_for_another(alone: Running) -> None:
    one, other = alone.browser(), alone.browser()
    photo = one.upload(PHOTO)
    job = one.start("upscale", image=photo["id"], factor=2)["id"]
    one.wait(job)
    assert one.get(photo["url"]).body == PHOTO
    for method, path in [
        ("GET", photo["url"]),
        ("GET", photo["thumb"]),
        ("GET", f"/api/jobs/{job}"),
        ("GET", f"/api/jobs/{job}/preview"),
        ("GET", f"/api/jobs/{job}/result"),
        ("GET", f"/api/results.zip?jobs={job}"),
        ("POST", f"/api/jobs/{job}/stop"),
        ("POST", f"/api/jobs/{job}/resume"),
        ("DELETE", f"/api/jobs/{job}"),
    ]:
        answer = other.send(method, path)
        assert answer.status == 404, (method, path, answer.body)
    begun = other.send("POST", "/api/jobs", {"kind": "upscale", "fields": {"image": photo["id"]}})
    assert begun.status == 404
    assert other.get("/api/jobs").json == []
    assert [each["id"] for each in one.get("/api/jobs").json] == [job]


def test_without_the_token_there_is_the_page_and_nothing_behind_it() -> None:
    with running(NOBODY, token=TOKEN) as studio:
        browser = studio.browser()
        assert browser.get("/health").status == browser.get("/").status == 200
        assert browser.get("/api/start").json == {"login": True}
        for path in ("/api/jobs", "/api/server", "/api/pictures/photo-chelsea", "/api/events?tab=a"):
            assert browser.get(path).status == 401
        assert browser.send("POST", "/api/pictures", PHOTO).status == 401
        wrong = browser.send("POST", "/api/login", {"token": TOKEN[:-1]})
        assert (wrong.status, wrong.json["field"]) == (403, "token")
        assert browser.get("/api/jobs").status == 401
        right = browser.send("POST", "/api/login", {"token": TOKEN})
        assert right.status == 204
        assert "HttpOnly" in right.headers["Set-Cookie"] and "SameSite=strict" in right.headers["Set-Cookie"]
        assert browser.get("/api/start").json["login"] is False
        assert browser.get("/api/jobs").json == []


def test_every_answer_has_the_headers_that_keep_browsers_from_more(alone: Running) -> None:
    browser = alone.browser()
    for path in ("/", "/page/app.js", "/health", "/api/start", "/api/nothing", "/page/none.js"):
        headers = browser.get(path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'self'; img-src 'self' blob: data:")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "server" not in headers or "uvicorn" in headers["server"]


def test_foreign_pages_can_neither_write_nor_give_their_name_to_this_machine(alone: Running) -> None:
    browser = alone.browser()
    for header in ("", "0"):
        assert browser.send("POST", "/api/pictures", PHOTO, **{"X-Impasto": header}).status == 403
    assert browser.send("GET", "/api/start", Host="evil.example").status == 421
    assert browser.send("GET", "/health", Host="localhost:1").status == 200


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1:8600", True),
        ("localhost", True),
        ("[::1]:8600", True),
        ("a.localhost:1", True),
        ("", False),
        ("evil.example:8600", False),
        ("127.0.0.1.evil.example", False),
        ("10.0.0.1", False),
    ],
)
def test_names_of_this_machine_are_told_from_others(host: str, *, local: bool) -> None:
    assert is_local(host) is local


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (b"", 422, "empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", 422, ""),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", 422, ""),
        (PHOTO[:200], 422, ""),
        (bomb(), 413, "pixels"),
        (bytes(400_000), 413, "smaller file"),
    ],
)
def test_what_is_no_picture_is_refused_with_the_remedy(
    alone: Running, data: bytes, status: int, words: str
) -> None:
    answer = alone.browser().send("POST", "/api/pictures?name=x.png", data)
    assert answer.status == status, answer.body
    assert words in answer.json["error"] and answer.json["error"]


def test_a_body_in_chunks_is_read_no_further_than_it_may_be_long_and_no_longer_than_it_may_take(
    alone: Running,
) -> None:
    def endless() -> Iterator[bytes]:
        yield from (bytes(100_000) for _ in range(4))

    answer = alone.browser().send("POST", "/api/pictures", endless())
    assert answer.status == 413
    with closing(http.client.HTTPConnection("127.0.0.1", alone.port, timeout=60)) as slow:
        slow.putrequest("POST", "/api/pictures")
        slow.putheader("Content-Length", "1000")
        slow.putheader("X-Impasto", "1")
        slow.endheaders(b"\x89PNG")
        assert slow.getresponse().status == 408


def test_names_of_files_are_made_safe() -> None:
    assert safe_name("../../etc/passwd", kind="PNG") == "passwd.png"
    assert safe_name("C:\\Users\\me\\cat.jpg", kind="JPEG") == "cat.jpg"
    assert safe_name("-rf $(x) `y`\n.png", kind="PNG") == "rf (x) y.png"
    assert safe_name("..", kind="PNG") == "picture.png"
    assert safe_name("cat.exe", kind="PNG") == "cat.png"
    assert len(safe_name("x" * 500 + ".png", kind="PNG")) == 80
    assert distinct(["cat.png", "CAT.png", "cat.png"]) == ["cat.png", "CAT-2.png", "cat-3.png"]


def test_hostile_notes_in_pictures_are_no_notes(alone: Running) -> None:
    def noted(*chunks: bytes) -> bytes:
        return b"".join((PHOTO[:33], *chunks, PHOTO[33:]))

    def text(value: bytes, flags: bytes = b"\0\0\0\0\0") -> bytes:
        return chunk(b"iTXt", b"impasto" + flags + value)

    packed = zlib.compress(bytes(50_000_000))
    job: Any = {"job": "Dream", "image": "cat.png"}
    hostile = [
        text(b"no json"),
        text(b"[" * 60_000),
        text(b"9" * 60_000),
        text(b'{"impasto": 1}'),
        text(b'{"impasto": 2, "kind": "dream"}'),
        text(json.dumps({"impasto": 1, "kind": "dream", "job": {**job, "steps": "many"}}).encode()),
        text(json.dumps({"impasto": 1, "kind": "dream", "job": {**job, "image": ["a", {"b": 1}]}}).encode()),
        text(json.dumps({"impasto": 1, "kind": ["dream"], "job": job}).encode()),
        text(json.dumps({"impasto": 1, "kind": "transfer", "job": {"content": "a", "style": 1}}).encode()),
        text(b" " * 100_000 + b'{"impasto": 1}'),
        text(packed, b"\0\1\0\0\0"),
        chunk(b"zTXt", b"impasto\0\0" + packed),
        struct.pack(">I", 2**31 - 1) + b"iTXt" + b"impasto\0\0\0\0\0{}",
    ]
    browser = alone.browser()
    for value in hostile:
        answer = browser.send("POST", "/api/pictures", noted(value))
        assert answer.status in (201, 422), answer.body
        assert answer.status == 422 or answer.json["job"] is None, value[:80]
    note = {"kind": "dream", "job": {"job": "Dream", "image": "käse.png"}}
    written = with_note(PHOTO, note)
    assert read_note(written) == {"impasto": 1, **note}
    assert Image.open(io.BytesIO(written)).tobytes() == Image.open(io.BytesIO(PHOTO)).tobytes()


@pytest.mark.parametrize(
    ("kind", "fields", "status", "field"),
    [
        ("paint", {}, 422, "kind"),
        ("dream", [], 422, "fields"),
        ("dream", {}, 422, "image"),
        ("dream", {"image": "photo-chelsea", "steps": -1}, 422, "steps"),
        ("dream", {"image": "photo-chelsea", "steps": 10**6}, 422, "steps"),
        ("dream", {"image": "photo-chelsea", "octaves": {"a": []}}, 422, "octaves"),
        ("dream", {"image": "photo-chelsea", "nonsense": 1}, 422, "nonsense"),
        ("dream", {"image": {"a": 1}}, 422, "image"),
        ("dream", {"image": "/etc/passwd"}, 404, None),
        ("upscale", {"image": "photo-chelsea", "factor": 40}, 422, "factor"),
        ("upscale", {"image": "photo-chelsea", "megapixels": 50}, 422, "megapixels"),
        ("upscale", {"image": "photo-chelsea", "size": [1]}, 422, "size"),
        ("stylize", {"content": "photo-chelsea", "style": []}, 422, "style"),
        ("stylize", {"content": "photo-chelsea", "style": "painting-cat", "strength": "x"}, 422, "strength"),
        (
            "transfer",
            {"content": "photo-chelsea", "style": "painting-cat", "start": "/etc/passwd"},
            404,
            None,
        ),
        ("transfer", {"content": "photo-chelsea", "style": "painting-cat", "epochs": 10**6}, 422, "epochs"),
        ("strip", {"content": "photo-chelsea", "style": "painting-cat"}, 422, "style"),
        ("bench", {"model": 7}, 422, "model"),
    ],
)
def test_a_form_that_cannot_be_done_is_refused_by_its_field(
    alone: Running, kind: str, fields: Any, status: int, field: str | None
) -> None:
    answer = alone.browser().send("POST", "/api/jobs", {"kind": kind, "fields": fields})
    assert (answer.status, answer.json["field"]) == (status, field), answer.body
    assert answer.json["error"]


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b"[]", b"1", b'{"a": NaN}', b"[" * 100_000, b'{"kind": []}']
)
def test_what_is_no_request_is_refused(alone: Running, body: bytes) -> None:
    assert 400 <= alone.browser().send("POST", "/api/jobs", body).status < 500


def test_files_of_the_machine_are_not_served(alone: Running) -> None:
    browser = alone.browser()
    for path in (
        "/page/../app.py",
        "/page/..%2fapp.py",
        "/page/%2e%2e/app.py",
        "/page//etc/passwd",
        "/page/",
        "/etc/passwd",
    ):
        assert browser.get(path).status == 404, path


def test_no_answer_holds_a_path_of_the_machine() -> None:
    with running("unix:///run/secret/grpc.sock") as studio:
        browser = studio.browser()
        photo = browser.upload(PHOTO, "../../secret/cat.png")["id"]
        job = browser.wait(browser.start("dream", image=photo)["id"])
        texts = [
            browser.get(path).body.decode()
            for path in ("/api/start", "/api/server", "/api/jobs", f"/api/jobs/{job['id']}")
        ]
        texts.append(
            browser.send("POST", "/api/explain", {"kind": "dream", "fields": {"image": photo}}).body.decode()
        )
    for text in texts:
        shown = re.sub(r'"/api/[^"]*"', "", text)
        assert not re.search(r"secret|/run|/tmp|/home|/root|\.sock", shown), shown
    assert job["state"] == "failed" and job["error"]


def test_paths_are_left_out_of_messages_and_addresses_are_not() -> None:
    assert without_paths("cannot read /models/dream/1/saved_model.pb: gone") == "cannot read …: gone"
    assert without_paths("nobody at unix:///run/a.sock") == "nobody at …"
    assert without_paths(r"no C:\Users\me\cat.png") == "no …"
    for text in ("see https://example.com/a/b", "10.0.0.1:8500", "1/2 of 3/4", "and/or"):
        assert without_paths(text) == text


def test_pictures_and_results_are_deleted_after_an_hour_and_empty_sessions_too(alone: Running) -> None:
    browser = alone.browser()
    photo = browser.upload(PHOTO)
    job = browser.start("upscale", image=photo["id"], factor=2)["id"]
    browser.wait(job)
    folder = alone.studio._folder
    assert (folder / photo["id"]).exists()
    try:
        alone.clock.ahead = 3500
        alone.sweep()
        assert browser.get(photo["url"]).status == browser.get(f"/api/jobs/{job}").status == 200
        alone.clock.ahead = 3700
        alone.sweep()
        gone = browser.get(photo["url"])
        assert gone.status == 404 and "hour" in gone.json["error"]
        assert browser.get(f"/api/jobs/{job}").status == 404
        assert not (folder / photo["id"]).exists() and not (folder / f"job-{job}").exists()
        alone.clock.ahead = 8000
        alone.sweep()
        assert not list(alone.studio.sessions)
    finally:
        alone.clock.ahead = 0


def test_bounds_on_pictures_say_what_to_do(alone: Running) -> None:
    browser = alone.browser()
    for _ in range(40):
        browser.upload(PHOTO)
    full = browser.send("POST", "/api/pictures", PHOTO)
    assert full.status == 429 and "40" in full.json["error"]


def test_the_private_folder_is_this_users_alone_and_gone_at_the_end() -> None:
    with running(NOBODY) as studio:
        folder = studio.studio._folder
        assert folder.stat().st_mode & 0o777 == 0o700
        studio.browser().upload(PHOTO)
    assert not folder.exists()
