from __future__ import annotations

import hashlib
import resource
import socket
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from renderjuice_emulator.testing import Emulator
from tests.support.raw_client import Studio

BIG = 256 * 2**20
SPARE = 96 * 2**20
"""Far below a whole file, and above what threads and buffers take."""


def blocks(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield b"B" * 1024


def answer_to_headers(url: str, headers: str) -> str:
    """The status line that the store answers to these headers alone."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as connection:
        request = f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\n{headers}\r\n\r\n"
        connection.sendall(request.encode())
        return connection.recv(4096).decode().splitlines()[0]


def test_the_store_is_another_origin(studio: Studio, emulator: Emulator) -> None:
    url = studio.target()["uploadUrl"]
    assert url.startswith(emulator.storage_url + "/")
    assert urlsplit(url).netloc != urlsplit(emulator.base_url).netloc


def test_urls_name_the_host_by_which_the_client_came() -> None:
    with Emulator(allowed_hosts=("renderjuice.studio",)) as emulator:
        answer = httpx.post(
            f"{emulator.base_url}/uploads",
            json={"fileName": "a.zip", "fileType": "zip"},
            headers={"Authorization": f"Bearer {emulator.api_key}", "Host": "renderjuice.studio:1234"},
        )
    assert urlsplit(answer.json()["uploadUrl"]).hostname == "renderjuice.studio"


def test_what_was_put_is_what_the_job_is_made_of(studio: Studio, emulator: Emulator) -> None:
    scene = studio.scene(size=5_000_000)
    job_id = studio.create(scene)
    account = emulator.ledger.accounts[job_id]
    assert account.sha256 == hashlib.sha256(scene.read_bytes()).hexdigest()
    assert account.file_name == scene.name


def test_an_api_key_at_the_store_is_refused_and_noted(studio: Studio, emulator: Emulator) -> None:
    url = studio.target()["uploadUrl"]
    assert studio.http.put(url, content=b"BLENDER").status_code == 400
    leaked = [entry for entry in emulator.ledger.entries if entry.operation == "put_upload" and entry.had_authorization]
    assert len(leaked) == 1


def test_a_chunked_upload_is_411(studio: Studio) -> None:
    answer = studio.store.put(studio.target()["uploadUrl"], content=blocks(10))
    assert answer.status_code == 411


def test_five_gibibytes_are_too_many(studio: Studio, emulator: Emulator) -> None:
    url = studio.target()["uploadUrl"]
    assert " 413 " in answer_to_headers(url, f"Content-Length: {5 * 2**30}")
    emulator.switches.max_upload_bytes = 10
    assert studio.store.put(url, content=b"B" * 10).status_code == 413
    assert studio.store.put(url, content=b"B" * 9).status_code == 200


def test_an_upload_that_breaks_off_is_no_upload(studio: Studio) -> None:
    target = studio.target()
    parts = urlsplit(target["uploadUrl"])
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        head = f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nBLENDER"
        connection.sendall(head.encode())
    assert studio.http.post("/jobs", json={"slug": target["slug"]}).status_code == 400


def test_an_upload_can_be_repeated_and_the_last_counts(studio: Studio, emulator: Emulator) -> None:
    target = studio.target()
    for content in (b"BLENDER first", b"BLENDER second"):
        assert studio.store.put(target["uploadUrl"], content=content).status_code == 200
    job_id = studio.http.post("/jobs", json={"slug": target["slug"]}).json()["id"]
    assert emulator.ledger.accounts[job_id].sha256 == hashlib.sha256(b"BLENDER second").hexdigest()


def test_an_upload_url_dies_by_the_clock(manual_studio: Studio, manual_emulator: Emulator) -> None:
    manual_emulator.switches.upload_url_seconds = 60
    url = manual_studio.target()["uploadUrl"]
    manual_emulator.clock.advance(59)
    assert manual_studio.store.put(url, content=b"BLENDER").status_code == 200
    manual_emulator.clock.advance(1)
    answer = manual_studio.store.put(url, content=b"BLENDER")
    assert answer.status_code == 403
    assert "the request has expired" in answer.text


def test_a_download_url_dies_by_the_clock_and_a_fresh_one_is_to_be_had(
    manual_studio: Studio, manual_emulator: Emulator
) -> None:
    job_id = manual_studio.completed(frame_end=1)
    url = manual_studio.downloads(job_id)["frames"][0]
    manual_emulator.clock.advance(901)
    assert manual_studio.store.get(url).status_code == 403
    assert manual_studio.store.get(manual_studio.downloads(job_id)["frames"][0]).status_code == 200


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é"])
def test_a_wrong_signature_opens_nothing(studio: Studio, token: str) -> None:
    url = studio.target()["uploadUrl"].partition("?")[0]
    assert studio.store.put(url, params={"token": token}, content=b"BLENDER").status_code == 403


def test_a_signature_is_good_for_one_thing_only(studio: Studio) -> None:
    first, second = studio.downloads(studio.completed(frame_end=2))["frames"]
    swapped = f"{first.partition('?')[0]}?{second.partition('?')[2]}"
    assert studio.store.get(swapped).status_code == 403


def test_downloads_have_a_length_and_can_be_resumed(studio: Studio) -> None:
    url = studio.downloads(studio.completed(frame_end=1))["frames"][0]
    whole = studio.store.get(url)
    assert int(whole.headers["Content-Length"]) == len(whole.content)
    part = studio.store.get(url, headers={"Range": "bytes=10-"})
    assert (part.status_code, part.content) == (206, whole.content[10:])
    assert part.headers["Content-Range"] == f"bytes 10-{len(whole.content) - 1}/{len(whole.content)}"
    assert studio.store.get(url, headers={"Range": f"bytes={len(whole.content)}-"}).status_code == 416


def test_all_frames_come_in_one_archive(studio: Studio) -> None:
    transforms = studio.downloads(studio.completed(frame_end=3, compositor_outputs=("Depth",)))["transforms"]
    frames = zipfile.ZipFile(BytesIO(studio.store.get(transforms["framesZip"]).content))
    assert frames.namelist() == ["0001.png", "0002.png", "0003.png"]
    nodes = zipfile.ZipFile(BytesIO(studio.store.get(transforms["compositeNodesZipOutputs"]["url"]).content))
    assert nodes.namelist() == ["Depth/0001.png", "Depth/0002.png", "Depth/0003.png"]


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    with Emulator() as emulator, Studio(emulator, tmp_path) as studio:
        studio.started(frame_end=1000, seconds_per_frame=3600)
        assert list((tmp_path / "temporary").iterdir())
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.slow
def test_memory_does_not_grow_with_the_size_of_a_file(studio: Studio, emulator: Emulator) -> None:
    scene = studio.scene(size=BIG)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    with scene.open("rb") as file:
        url = studio.target()["uploadUrl"]
        assert studio.store.put(url, content=file, headers={"Content-Length": str(BIG)}).status_code == 200
    job_id = studio.completed(frame_end=1)
    frame = emulator.jobs[job_id].outputs[0].path
    with frame.open("ab") as file:
        file.truncate(BIG)
    received = 0
    with studio.store.stream("GET", studio.downloads(job_id)["frames"][0]) as answer:
        for chunk in answer.iter_raw():
            received += len(chunk)
    assert received == BIG
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before < SPARE
