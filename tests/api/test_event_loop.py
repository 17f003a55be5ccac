"""Nothing that the asynchronous client does with files holds up the event loop, however slow the disk is."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest
from clients import completed, connect, files_below

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api import scene_file
from renderjuice_provider.api.client import AsyncRenderjuiceClient
from renderjuice_provider.api.part import beside_the_loop

SLOW = 0.6


class SlowPath(type(Path())):
    """A file on a disk that thinks before it opens, and tells nothing quickly."""

    def open(self, *args, **kwargs):
        time.sleep(SLOW)
        return super().open(*args, **kwargs)

    def stat(self, *args, **kwargs):
        time.sleep(SLOW / 3)
        return super().stat(*args, **kwargs)


async def longest_gap(work):
    """The longest time that the loop took from one turn to the next while `work` was done, and that time in all."""
    gaps = []

    async def tick():
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.005)
            gaps.append(time.monotonic() - before)

    ticking = asyncio.ensure_future(tick())
    await work
    ticking.cancel()
    return max(gaps), sum(gaps)


def test_checking_and_reading_a_scene_do_not_block_the_loop(emulator, tmp_path):
    scene = SlowPath(write_scene(tmp_path / "shot.blend", size=4 * scene_file.CHUNK))

    async def work():
        async with AsyncRenderjuiceClient(emulator.api_key, emulator.base_url) as client:
            await client.create_upload("warm.blend", "blend")
            return await longest_gap(client.upload(scene))

    longest, total = asyncio.run(work())
    assert total > 2 * SLOW
    assert longest < SLOW


def test_writing_outputs_does_not_block_the_loop(emulator, tmp_path, monkeypatch):
    blocking = connect("blocking", emulator)
    job = completed(blocking, tmp_path)
    blocking.close()
    monkeypatch.setattr(os, "fsync", lambda _: time.sleep(SLOW))
    monkeypatch.setattr(type(Path()), "replace", _slow(type(Path()).replace))

    async def work():
        async with AsyncRenderjuiceClient(emulator.api_key, emulator.base_url) as client:
            await client.get_job(job.id)
            return await longest_gap(client.download_outputs(job.id, tmp_path / "out"))

    longest, total = asyncio.run(work())
    assert total > 2 * SLOW
    assert longest < SLOW


def _slow(work):
    def slow(*arguments):
        time.sleep(SLOW)
        return work(*arguments)

    return slow


@pytest.mark.parametrize("cancels", [0, 1, 2])
def test_who_is_cancelled_once_or_twice_still_waits_for_the_disk(cancels):
    done = []

    async def work():
        writing = asyncio.ensure_future(beside_the_loop(lambda: time.sleep(SLOW) or done.append(True)))
        for _ in range(cancels):
            await asyncio.sleep(0.01)
            writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        assert writing.cancelled() == bool(cancels)
        assert done

    asyncio.run(work())


@pytest.mark.parametrize("when", [0.02, 0.1, 0.3])
def test_a_cancelled_download_leaves_no_piece_behind(emulator, tmp_path, when):
    blocking = connect("blocking", emulator)
    job = completed(blocking, tmp_path)
    blocking.close()
    emulator.faults.add("download_file", "ok", "stall-after 0.5", "stall-after 0.5")

    async def work():
        async with AsyncRenderjuiceClient(emulator.api_key, emulator.base_url) as client:
            await client.get_job(job.id)
            download = asyncio.ensure_future(client.download_outputs(job.id, tmp_path / "out"))
            await asyncio.sleep(when)
            download.cancel()
            with pytest.raises(asyncio.CancelledError):
                await download

    asyncio.run(work())
    emulator.faults.clear()
    assert files_below(tmp_path / "out") <= {f"frames/000{number}.png" for number in (1, 2, 3)}
