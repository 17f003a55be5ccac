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
from tests.support.raw_client import RawClient

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


def test_the_store_is_another_origin(raw_client: RawClient, emulator: Emulator) -> None:
    url = raw_client.target()["uploadUrl"]
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


def test_what_was_put_is_what_the_job_is_made_of(raw_client: RawClient, emulator: Emulator) -> None:
    scene = raw_client.scene(size=5_000_000)
    job_id = raw_client.create(scene)
    account = emulator.ledger.accounts[job_id]
    assert account.sha256 == hashlib.sha256(scene.read_bytes()).hexdigest()
    assert account.file_name == scene.name


def test_an_api_key_at_the_store_is_refused_and_noted(raw_client: RawClient, emulator: Emulator) -> None:
    url = raw_client.target()["uploadUrl"]
    assert raw_client.http.put(url, content=b"BLENDER").status_code == 400
    leaked = [entry for entry in emulator.ledger.entries if entry.operation == "put_upload" and entry.had_authorization]
    assert len(leaked) == 1


def test_a_chunked_upload_is_411(raw_client: RawClient) -> None:
    answer = raw_client.store.put(raw_client.target()["uploadUrl"], content=blocks(10))
    assert answer.status_code == 411


def test_five_gibibytes_are_too_many(raw_client: RawClient, emulator: Emulator) -> None:
    url = raw_client.target()["uploadUrl"]
    assert " 413 " in answer_to_headers(url, f"Content-Length: {5 * 2**30}")
    emulator.switches.max_upload_bytes = 10
    assert raw_client.store.put(url, content=b"B" * 10).status_code == 413
    assert raw_client.store.put(url, content=b"B" * 9).status_code == 200


def test_an_upload_that_breaks_off_is_not_an_upload(raw_client: RawClient) -> None:
    target = raw_client.target()
    parts = urlsplit(target["uploadUrl"])
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        head = f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nBLENDER"
        connection.sendall(head.encode())
    assert raw_client.http.post("/jobs", json={"slug": target["slug"]}).status_code == 400


def test_an_upload_can_be_repeated_and_the_last_counts(raw_client: RawClient, emulator: Emulator) -> None:
    target = raw_client.target()
    for content in (b"BLENDER first", b"BLENDER second"):
        assert raw_client.store.put(target["uploadUrl"], content=content).status_code == 200
    job_id = raw_client.http.post("/jobs", json={"slug": target["slug"]}).json()["id"]
    assert emulator.ledger.accounts[job_id].sha256 == hashlib.sha256(b"BLENDER second").hexdigest()


def test_an_upload_url_dies_by_the_clock(manual_raw_client: RawClient, manual_emulator: Emulator) -> None:
    manual_emulator.switches.upload_url_seconds = 60
    url = manual_raw_client.target()["uploadUrl"]
    manual_emulator.clock.advance(59)
    assert manual_raw_client.store.put(url, content=b"BLENDER").status_code == 200
    manual_emulator.clock.advance(1)
    answer = manual_raw_client.store.put(url, content=b"BLENDER")
    assert answer.status_code == 403
    assert "the request has expired" in answer.text


def test_a_download_url_dies_by_the_clock_and_a_fresh_one_is_to_be_had(
    manual_raw_client: RawClient, manual_emulator: Emulator
) -> None:
    job_id = manual_raw_client.completed(frame_end=1)
    url = manual_raw_client.downloads(job_id)["frames"][0]
    manual_emulator.clock.advance(901)
    assert manual_raw_client.store.get(url).status_code == 403
    assert manual_raw_client.store.get(manual_raw_client.downloads(job_id)["frames"][0]).status_code == 200


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é"])
def test_a_wrong_signature_opens_nothing(raw_client: RawClient, token: str) -> None:
    url = raw_client.target()["uploadUrl"].partition("?")[0]
    assert raw_client.store.put(url, params={"token": token}, content=b"BLENDER").status_code == 403


def test_a_signature_is_good_for_one_thing_only(raw_client: RawClient) -> None:
    first, second = raw_client.downloads(raw_client.completed(frame_end=2))["frames"]
    swapped = f"{first.partition('?')[0]}?{second.partition('?')[2]}"
    assert raw_client.store.get(swapped).status_code == 403


def test_downloads_have_a_length_and_can_be_resumed(raw_client: RawClient) -> None:
    url = raw_client.downloads(raw_client.completed(frame_end=1))["frames"][0]
    whole = raw_client.store.get(url)
    assert int(whole.headers["Content-Length"]) == len(whole.content)
    part = raw_client.store.get(url, headers={"Range": "bytes=10-"})
    assert (part.status_code, part.content) == (206, whole.content[10:])
    assert part.headers["Content-Range"] == f"bytes 10-{len(whole.content) - 1}/{len(whole.content)}"
    assert raw_client.store.get(url, headers={"Range": f"bytes={len(whole.content)}-"}).status_code == 416


def test_all_frames_come_in_one_archive(raw_client: RawClient) -> None:
    transforms = raw_client.downloads(raw_client.completed(frame_end=3, compositor_outputs=("Depth",)))["transforms"]
    frames = zipfile.ZipFile(BytesIO(raw_client.store.get(transforms["framesZip"]).content))
    assert frames.namelist() == ["0001.png", "0002.png", "0003.png"]
    nodes = zipfile.ZipFile(BytesIO(raw_client.store.get(transforms["compositeNodesZipOutputs"]["url"]).content))
    assert nodes.namelist() == ["Depth/0001.png", "Depth/0002.png", "Depth/0003.png"]


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    with Emulator() as emulator, RawClient(emulator, tmp_path) as raw_client:
        raw_client.started(frame_end=1000, seconds_per_frame=3600)
        assert list((tmp_path / "temporary").iterdir())
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.slow
def test_memory_does_not_grow_with_the_size_of_a_file(raw_client: RawClient, emulator: Emulator) -> None:
    scene = raw_client.scene(size=BIG)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    with scene.open("rb") as file:
        url = raw_client.target()["uploadUrl"]
        assert raw_client.store.put(url, content=file, headers={"Content-Length": str(BIG)}).status_code == 200
    job_id = raw_client.completed(frame_end=1)
    frame = emulator.jobs[job_id].outputs[0].path
    with frame.open("ab") as file:
        file.truncate(BIG)
    received = 0
    with raw_client.store.stream("GET", raw_client.downloads(job_id)["frames"][0]) as answer:
        for chunk in answer.iter_raw():
            received += len(chunk)
    assert received == BIG
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before < SPARE
