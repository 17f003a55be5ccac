"""Pictures of renders: while they go on, when they are over, and what a browser gets of them."""

from __future__ import annotations

import asyncio
import os
import struct
import time
from pathlib import Path

import pytest

from renderjuice_emulator.testing import Emulator
from renderjuice_provider.wall import _picture_folder, _pictures
from renderjuice_provider.wall._picture_folder import PictureFolder, PictureKey, private_folder
from renderjuice_provider.wall._picture_size import pixels_of
from renderjuice_provider.wall.facts import Picture
from renderjuice_provider.wall.farm import RenderjuiceFarm
from tests.wall.watching import (  # noqa: F401 - fixtures
    CONN,
    KEY,
    asked,
    connect,
    database,
    emulator,
    engine,
    farm,
    looked,
    new_farm,
    soon,
    start,
)

# ruff: noqa: F811 - these are fixtures


def fetched(emulator: Emulator) -> int:
    """Pictures that were asked for at the store."""
    return sum(operation in {"preview", "download_file"} for operation in asked(emulator))


async def rendering(farm: RenderjuiceFarm, emulator: Emulator, folder: Path, frames: int = 2) -> str:
    """A job that has rendered some frames of its six."""
    (job_id,) = start(emulator, folder)
    await looked(farm, [job_id], lambda look: look.jobs)
    emulator.clock.advance(10 + 10 * frames)
    await looked(farm, [job_id], lambda look: look.jobs[job_id].picture == f"{job_id}.a{frames}")
    return job_id


async def completed(farm: RenderjuiceFarm, emulator: Emulator, job_id: str) -> None:
    emulator.clock.advance(200)
    await looked(farm, [job_id], lambda look: look.jobs and look.jobs[job_id].status == "completed")


async def test_a_render_that_goes_on_has_a_picture_in_two_sizes(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path
) -> None:
    job_id = await rendering(farm, emulator, tmp_path)
    small, large = [await farm.picture(CONN, f"{job_id}.a2", size) for size in (256, 1024)]
    assert small is not None
    assert large is not None
    assert small.media_type == large.media_type == "image/jpeg"
    assert small.content.startswith(b"\xff\xd8\xff")
    assert len(small.content) < len(large.content)
    assert small.etag != large.etag
    assert fetched(emulator) == 1


async def test_a_picture_is_fetched_once_for_all_who_ask(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path
) -> None:
    job_id = await rendering(farm, emulator, tmp_path)
    found = await asyncio.gather(*(farm.picture(CONN, f"{job_id}.a2", 256) for _ in range(20)))
    assert {picture.etag for picture in found if picture} == {found[0].etag if found[0] else ""}
    assert fetched(emulator) == 1
    await farm.close()
    again = RenderjuiceFarm(PictureFolder(tmp_path / "pictures"))  # another process of this machine
    assert await again.picture(CONN, f"{job_id}.a2", 256) == found[0]
    assert fetched(emulator) == 1
    await again.close()


async def test_a_browser_that_is_late_gets_the_newest_picture_and_no_request_more(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path
) -> None:
    job_id = await rendering(farm, emulator, tmp_path, frames=3)
    newest = await farm.picture(CONN, f"{job_id}.a3", 256)
    for never in ("a1", "a2", "a99", "t5", "last"):
        assert await farm.picture(CONN, f"{job_id}.{never}", 256) == newest
    assert fetched(emulator) == 1


async def test_the_contact_sheet_fills_while_it_renders_and_holds_the_frames_when_it_is_over(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path
) -> None:
    job_id = await rendering(farm, emulator, tmp_path)
    await farm.picture(CONN, f"{job_id}.a2", 256)
    emulator.clock.advance(20)
    await looked(farm, [job_id], lambda look: look.jobs[job_id].picture == f"{job_id}.a4")
    await farm.picture(CONN, f"{job_id}.a4", 256)
    sheet = await farm.frames(CONN, [job_id])
    assert [(frame.name, frame.state, frame.picture) for frame in sheet] == [
        ("after 1", "done", None),
        ("after 2", "done", f"{job_id}.a2"),
        ("after 3", "done", None),
        ("after 4", "done", f"{job_id}.a4"),
        ("after 5", "waiting", None),
        ("after 6", "waiting", None),
    ]
    await completed(farm, emulator, job_id)
    sheet = await farm.frames(CONN, [job_id])
    assert [(frame.name, frame.state) for frame in sheet] == [(f"000{number}", "done") for number in range(1, 7)]
    pictures = [await farm.picture(CONN, frame.picture or "", 256) for frame in sheet]
    assert len({picture.etag for picture in pictures if picture}) == 6
    before = len(emulator.ledger.entries)
    await asyncio.gather(*(farm.frames(CONN, [job_id]) for _ in range(20)))
    assert len(emulator.ledger.entries) == before


async def test_frames_that_are_missing_are_on_the_sheet_until_a_later_job_has_rendered_them(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path
) -> None:
    (lacking,) = start(emulator, tmp_path, missing_output_frames=[2, 5])
    (whole,) = start(emulator, tmp_path)
    emulator.clock.advance(200)
    await looked(farm, [lacking, whole], lambda look: len(look.jobs) == 2)
    missing = [frame.name for frame in await farm.frames(CONN, [lacking]) if frame.state == "missing"]
    assert missing == ["0002", "0005"]
    together = await farm.frames(CONN, [lacking, whole])
    assert [(frame.name, frame.state) for frame in together] == [(f"000{number}", "done") for number in range(1, 7)]


async def test_a_failed_job_shows_what_it_has_rendered(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path
) -> None:
    (job_id,) = start(emulator, tmp_path, fail_at_frame=4)
    emulator.clock.advance(200)
    look = await looked(farm, [job_id], lambda look: look.jobs)
    sheet = await farm.frames(CONN, [job_id])
    assert [frame.state for frame in sheet] == ["done"] * 3 + ["missing"] * 3
    assert look.jobs[job_id].picture == f"{job_id}.last"
    assert await farm.picture(CONN, f"{job_id}.last", 256) is not None


async def test_a_job_without_a_preview_shows_its_last_frame(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path
) -> None:
    """Such as one that renders OpenEXR, which no browser shows."""
    (job_id,) = start(emulator, tmp_path, config={"outputFormat": "OPEN_EXR"})
    emulator.clock.advance(35)
    look = await looked(farm, [job_id], lambda look: look.jobs)
    assert look.jobs[job_id].picture is None
    await completed(farm, emulator, job_id)
    last = (await farm.frames(CONN, [job_id]))[-1]
    shown = await farm.picture(CONN, f"{job_id}.last", 1024)
    assert shown is not None
    assert shown == await farm.picture(CONN, last.picture or "", 1024)


async def test_addresses_that_have_expired_are_asked_for_again(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path
) -> None:
    job_id = await rendering(farm, emulator, tmp_path)
    await completed(farm, emulator, job_id)
    first, second, *_ = await farm.frames(CONN, [job_id])
    emulator.faults.add("download_file", "expired")
    assert await farm.picture(CONN, first.picture or "", 256) is not None
    assert asked(emulator).count("get_downloads") == 2
    emulator.faults.add("download_file", "expired", "expired")
    assert await farm.picture(CONN, second.picture or "", 256) is None


async def test_a_preview_whose_address_has_expired_is_asked_for_again(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path
) -> None:
    emulator.switches.signed_previews = True
    job_id = await rendering(farm, emulator, tmp_path)
    watch = farm._watch(CONN)
    url = watch.previews[job_id]
    assert "token=" in url
    watch.previews[job_id] = url[:-9]  # as a store takes one whose time is over
    assert await farm.picture(CONN, f"{job_id}.a2", 256) is not None
    assert fetched(emulator) == 2


async def test_an_address_that_no_client_may_use_is_not_used(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path
) -> None:
    job_id = await rendering(farm, emulator, tmp_path)
    farm._watch(CONN).previews[job_id] = "file:///etc/passwd"
    assert await farm.picture(CONN, f"{job_id}.a2", 256) is None


async def test_what_is_on_its_way_when_the_server_stops_is_given_up(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path
) -> None:
    job_id = await rendering(farm, emulator, tmp_path)
    await completed(farm, emulator, job_id)
    first, *_ = await farm.frames(CONN, [job_id])
    emulator.faults.add("download_file", "stall 60")
    waiting = asyncio.create_task(farm.picture(CONN, first.picture or "", 256))
    emulator.faults.add("get_downloads", "stall 60")
    farm._all_pictures()._sheets._read.clear()
    listing = asyncio.create_task(farm.frames(CONN, [job_id]))
    await asyncio.sleep(0.3)
    await farm.close()
    assert await waiting is None
    assert await listing == []


async def test_a_defect_costs_one_picture_and_nothing_else(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await rendering(farm, emulator, tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(_pictures, "ending_of", lambda _: 1 / 0)
        assert await farm.picture(CONN, f"{job_id}.a2", 256) is None
    emulator.clock.advance(10)
    await looked(farm, [job_id], lambda look: look.jobs[job_id].picture == f"{job_id}.a3")
    assert await farm.picture(CONN, f"{job_id}.a3", 256) is not None


async def test_jobs_that_nobody_has_read_yet_have_no_frames(farm: RenderjuiceFarm) -> None:
    assert await farm.frames(CONN, ["3c90c3cc-0d44-4b50-8888-000000000000"]) == []
    assert await farm.frames("missing", ["3c90c3cc-0d44-4b50-8888-000000000000"]) == []


async def test_a_store_that_fails_is_not_asked_again_at_once(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path
) -> None:
    job_id = await rendering(farm, emulator, tmp_path)
    await completed(farm, emulator, job_id)
    first, *_ = await farm.frames(CONN, [job_id])
    emulator.faults.add("download_file", "503")
    for _ in range(3):
        assert await farm.picture(CONN, first.picture or "", 256) is None
    assert fetched(emulator) == 1


async def test_what_is_too_large_or_takes_too_long_is_given_up(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = await rendering(farm, emulator, tmp_path)
    await completed(farm, emulator, job_id)
    first, second, *_ = await farm.frames(CONN, [job_id])
    monkeypatch.setattr(_pictures, "_SECONDS", 0.2)
    emulator.faults.add("download_file", "stall 60")
    assert await farm.picture(CONN, first.picture or "", 256) is None
    monkeypatch.setattr(_pictures, "LARGEST", 10)
    assert await farm.picture(CONN, second.picture or "", 256) is None


async def test_while_renderjuice_is_down_a_sheet_is_empty_soon_and_asked_for_rarely(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path
) -> None:
    job_id = await rendering(farm, emulator, tmp_path)
    await completed(farm, emulator, job_id)
    emulator.faults.add("get_downloads", "503")
    for _ in range(3):
        assert await farm.frames(CONN, [job_id]) == []
    assert asked(emulator).count("get_downloads") == 1


@pytest.mark.parametrize(
    "key", ["", "x", "../../../etc/passwd", "3c90c3cc-0d44-4b50-8888-000000000000.a1/../x", "a" * 36 + ".f0", "%00"]
)
async def test_a_malformed_key_reaches_neither_the_disk_nor_renderjuice(
    farm: RenderjuiceFarm, emulator: Emulator, key: str
) -> None:
    assert await farm.picture(CONN, key, 256) is None
    assert await farm.picture(CONN, "3c90c3cc-0d44-4b50-8888-000000000000.a1", 255) is None
    assert emulator.ledger.entries == []


async def test_a_picture_of_no_job_is_none(farm: RenderjuiceFarm) -> None:
    for name in ("a1", "last", "f0123456789abcdef"):
        assert await farm.picture(CONN, f"3c90c3cc-0d44-4b50-8888-000000000000.{name}", 256) is None
    assert await farm.picture("missing", "3c90c3cc-0d44-4b50-8888-000000000000.a1", 256) is None


async def test_without_openimageio_a_browser_gets_what_it_can_show_as_it_is(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_pictures, "can_size", lambda: False)
    job_id = await rendering(farm, emulator, tmp_path)
    picture = await farm.picture(CONN, f"{job_id}.a2", 256)
    assert picture is not None
    assert picture.media_type == "image/png"
    assert [frame.picture for frame in await farm.frames(CONN, [job_id])][1] == f"{job_id}.a2"
    monkeypatch.setattr(_pictures, "LARGEST_AS_IT_IS", 10)
    emulator.clock.advance(10)
    await looked(farm, [job_id], lambda look: look.jobs[job_id].picture == f"{job_id}.a3")
    assert await farm.picture(CONN, f"{job_id}.a3", 256) is None


async def test_without_openimageio_a_browser_gets_no_picture_that_would_fill_its_memory(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_pictures, "can_size", lambda: False)
    job_id = await rendering(farm, emulator, tmp_path)
    preview = emulator.jobs[job_id].preview
    assert isinstance(preview, Path)
    small = preview.read_bytes()
    preview.write_bytes(small[:16] + struct.pack(">II", 60_000, 60_000) + small[24:])
    assert await farm.picture(CONN, f"{job_id}.a2", 256) is None


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (640, 360), (37, 501)])
def test_the_pixels_of_a_picture_are_known_by_its_head(tmp_path: Path, name: str, width: int, height: int) -> None:
    oiio = pytest.importorskip("OpenImageIO")
    path = tmp_path / f"frame.{name.lower()}"
    assert oiio.ImageBuf(oiio.ImageSpec(width, height, 3, oiio.UINT8)).write(str(path))
    assert pixels_of(path.read_bytes()) == width * height


@pytest.mark.parametrize(
    ("head", "pixels"),
    [
        (b"RIFF____WEBPVP8X____\0\0\0\0" + b"\xff\xff\xff" * 2, 1 << 48),
        (b"RIFF____WEBPVP8L____\x2f\xff\xff\xff\xff", 1 << 28),
        (b"RIFF____WEBPVP8 ____\0\0\0\x9d\x01\x2a\x80\x02\x68\x41", 640 * 360),
        (b"RIFF____WEBPABCD", 0),
        (b"\xff\xd8\xff\xe0\0\x04\0\0\0\xff\xff\xd0\xff\xc2\0\x0b\x08\xff\xff\xff\xfe", 65535 * 65534),
        (b"\xff\xd8\xff\xe0\xff", 0),
        (b"\xff\xd8" + b"\xff" * 50, 0),
        (b"\x89PNG", 0),
        (b"", 0),
    ],
)
def test_a_head_is_believed_as_it_is_and_one_that_is_cut_short_says_nothing(head: bytes, pixels: int) -> None:
    assert pixels_of(head) == pixels


async def test_what_is_no_picture_is_never_sent_to_a_browser(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path
) -> None:
    job_id = await rendering(farm, emulator, tmp_path)
    emulator.jobs[job_id].preview.write_text("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")  # type: ignore[union-attr]
    assert await farm.picture(CONN, f"{job_id}.a2", 256) is None


async def test_the_key_is_not_sent_to_the_store(farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path) -> None:
    job_id = await rendering(farm, emulator, tmp_path)
    await farm.picture(CONN, f"{job_id}.a2", 256)
    await completed(farm, emulator, job_id)
    await farm.picture(CONN, (await farm.frames(CONN, [job_id]))[0].picture or "", 256)
    assert [entry.had_authorization for entry in emulator.ledger.entries if entry.operation == "download_file"] == [
        False
    ]


# The folder


@pytest.fixture
def folder(tmp_path: Path) -> PictureFolder:
    return PictureFolder(tmp_path / "pictures", most_bytes=10_000)


def keep(folder: PictureFolder, number: int, *, age: float = 0.0) -> PictureKey:
    key = PictureKey(f"3c90c3cc-0d44-4b50-8888-{number:012d}", "last")
    path = folder.place(CONN, key, "-256.jpg")
    path.write_bytes(b"\xff\xd8\xff" * 500)
    os.utime(path, (time.time() - age,) * 2)
    return key


def test_a_folder_keeps_what_was_asked_for_last(folder: PictureFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_picture_folder, "_PUTS", 10)
    keys = [keep(folder, number, age=100 - number) for number in range(9)]
    assert folder.get(CONN, keys[0], 256) is not None  # which makes it the newest
    keep(folder, 9)
    there = [bool(folder.get(CONN, key, 256)) for key in keys]
    assert there[0]
    assert not any(there[1:4])
    assert there[-1]
    assert sum(path.stat().st_size for path in folder.root.rglob("*.jpg")) <= 10_000


def test_pictures_of_two_connections_are_not_mixed(folder: PictureFolder) -> None:
    key = keep(folder, 1)
    assert isinstance(folder.get(CONN, key, 256), Picture)
    assert folder.get("another", key, 256) is None


def test_a_folder_that_somebody_else_has_made_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    mine = private_folder()
    assert mine == private_folder()
    assert mine.stat().st_mode & 0o077 == 0
    mine.chmod(0o777)
    other = private_folder()
    assert other != mine
    mine.rmdir()
    mine.symlink_to("/tmp")
    assert private_folder() not in {mine, other}
