"""Nothing that the asynchronous client does with files holds up the event loop."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api import scene_file
from renderjuice_provider.api._beside import beside_the_loop
from renderjuice_provider.api._download import download
from renderjuice_provider.api._flow import Call, Response
from renderjuice_provider.api.client import AsyncRenderjuiceClient
from renderjuice_provider.api.errors import RenderjuiceTransferError
from renderjuice_provider.lifecycle.job_poller import JobPoller
from renderjuice_provider.lifecycle.poll_round import poll_round
from tests.support.both_clients import completed, connect, files_below
from tests.support.flow_driver import Nowhere, drive, operations_of
from tests.support.http_server import JOB_ID, Reply, a_job, answer, serving

SLOW = 0.6


class SlowPath(type(Path())):
    """A file on a disk that thinks before it opens, and answers nothing quickly."""

    def open(self, *args, **kwargs):
        time.sleep(SLOW)
        return super().open(*args, **kwargs)

    def stat(self, *args, **kwargs):
        time.sleep(SLOW / 3)
        return super().stat(*args, **kwargs)


async def longest_gap(work):
    """The longest time between two turns of the loop during `work`, and the time of `work`."""
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


MANY = 100_000
TURN = 0.05
"""Seconds that the loop may be held up by an answer, however long it is."""


def many_jobs():
    jobs = [
        {"id": str(uuid.UUID(int=number)), "status": "rendering", "createdAt": "2026-01-02T03:04:05Z"}
        for number in range(MANY)
    ]
    return {"jobs": jobs, "pagination": {"page": 1, "totalPages": 1}}


def many_outputs():
    outputs = [{"url": f"http://127.0.0.1:1/{number}?sig=x", "fileName": f"{number:06d}.png"} for number in range(MANY)]
    return {"frames": [output["url"] for output in outputs], "frameOutputs": outputs, "compositeNodes": []}


async def all_jobs(client, _):
    return [job.id async for job in client.list_jobs()]


async def seen_job(client, _):
    waits = [JobPoller(str(uuid.UUID(int=n)), "completed", poll_interval=1, started=0, deadline=9e9) for n in range(40)]
    for flow in poll_round(client.operations, waits):
        await client.run(flow)


async def planned_download(client, folder):
    with pytest.raises(RenderjuiceTransferError):
        await client.download_outputs(JOB_ID, folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("value", "work"),
    [(many_jobs, all_jobs), (many_jobs, seen_job), (many_outputs, planned_download)],
    ids=["a list", "a poll", "a download"],
)
def test_a_hundred_thousand_of_anything_do_not_hold_up_the_loop(tmp_path, value, work):
    long_answer = json.dumps(value()).encode()

    def reply(request):
        return (
            Reply(200, long_answer)
            if "downloads" in request.path or "?" in request.path
            else answer(a_job("completed"))
        )

    async def gap(url):
        async with AsyncRenderjuiceClient("RJ-x", url, max_attempts=1) as client:
            await client.get_job(JOB_ID)
            return await longest_gap(work(client, tmp_path))

    gc.collect()
    gc.disable()  # its turns grow with all that this process holds, which has nothing to do with an answer
    try:
        with serving(reply) as server:
            gaps = []
            while len(gaps) < 5 and not any(longest < TURN for longest in gaps):
                gaps.append(asyncio.run(gap(server.url))[0])
    finally:
        gc.enable()
    assert min(gaps) < TURN  # the best of some: other processes hold up the loop, too


@contextmanager
def walked_objects() -> Iterator[list[int]]:
    """How many more objects the garbage collector knows, each time it starts, than at first.

    Its full runs stop every thread for a time that grows with them.
    """
    gc.collect()
    counts, before = [], len(gc.get_objects())

    def count(phase: str, _: object) -> None:
        if phase == "start":
            counts.append(len(gc.get_objects()) - before)

    gc.callbacks.append(count)
    try:
        yield counts
        gc.collect()
    finally:
        gc.callbacks.remove(count)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["frameOutputs", "compositeNodeOutputs", "frames"])
def test_outputs_give_the_garbage_collector_no_work_however_many_they_are(kind):
    many = MANY // 5
    files = [f"http://127.0.0.1:1/{number:06d}.png?sig=x" for number in range(many)]
    listed = files if kind == "frames" else [{"url": url, "fileName": url[19:29], "view": "left"} for url in files]
    answers = {True: json.dumps({kind: listed}).encode(), False: json.dumps(a_job("completed")).encode()}
    refusals = []

    def reply(step):
        if isinstance(step, Call):
            return Response(200, body=answers["download" in step.path])
        refusals.append(step)
        return Response(403)  # expired, so that fresh URLs are asked for

    with walked_objects() as counts, pytest.raises(RenderjuiceTransferError, match=f"{many} outputs"):
        drive(download(operations_of(), JOB_ID, Nowhere()), reply)

    assert len(refusals) == 4
    assert max(counts) < many // 20
