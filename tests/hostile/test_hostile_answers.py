"""What `make hostile` does to a real Airflow, in one event loop.

Hostile waits and an innocent one, side by side.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from proofs.chaos.leaks import find
from proofs.hostile import answers, plan
from proofs.hostile.server import HostileServer
from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api.client import RenderjuiceClient
from renderjuice_provider.triggers import renderjuice

GROUPS = ("passing", "ending", "late")
_LONGEST_EVENT = 10_000
"""Bytes."""


def a_trigger(wait: plan.Wait, timeout: float, poll_interval: float = 0.02) -> renderjuice.RenderjuiceJobTrigger:
    now = time.time()
    return renderjuice.RenderjuiceJobTrigger(
        renderjuice_conn_id=wait.task["renderjuice_conn_id"],
        job_id=wait.job_id,
        target="completed",
        poll_interval=poll_interval,
        started=now,
        deadline=now + timeout,
    )


async def fire(trigger: renderjuice.RenderjuiceJobTrigger) -> dict[str, Any]:
    async for event in trigger.run():
        return dict(event.payload)
    raise AssertionError("the trigger ended without an event")


@pytest.fixture
def waits() -> dict[str, list[plan.Wait]]:
    return plan.waits()


@pytest.fixture
def server(waits, monkeypatch):
    monkeypatch.setattr(renderjuice, "FIRST_POLL", 0.0)
    turns = {wait.job_id: wait.kinds for group in waits.values() for wait in group}
    stays = {wait.job_id for group in ("ending", "late") for wait in waits[group]}
    with HostileServer(turns, stays=stays) as server:
        for name in plan.CONNECTIONS:
            host = f"http://127.0.0.1:{server.port}/api/external/v1"
            fields = {"conn_type": "renderjuice", "host": host, "password": answers.KEY, "extra": {"timeout": 0.5}}
            monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(fields))
        yield server


@pytest.mark.slow
def test_no_answer_ends_a_triggerer_disturbs_a_neighbour_or_brings_a_secret_out(
    waits, server, renderjuice_emulator, tmp_path, monkeypatch, caplog
):
    emulator = renderjuice_emulator
    fields = {"conn_type": "renderjuice", "host": emulator.base_url, "password": emulator.api_key}
    monkeypatch.setenv(f"AIRFLOW_CONN_{plan.INNOCENT.upper()}", json.dumps(fields))
    with RenderjuiceClient(emulator.api_key, emulator.base_url) as client:
        scene = write_scene(tmp_path / "shot.blend", frame_end=100_000, seconds_per_frame=100)
        job = client.validate_job(client.create_job(client.upload(scene).slug).id)
        while client.get_job(job.id).status != "validated":
            time.sleep(0.01)
        client.start_render(job.id, {"colorManagementPreset": "default"})

    async def all_of_them() -> list[Any]:
        innocent = asyncio.create_task(fire(a_trigger(plan.innocent(job.id, 0), 300, poll_interval=1)))
        hostile = [fire(a_trigger(wait, 3.0 if name == "late" else 120)) for name in GROUPS for wait in waits[name]]
        events = await asyncio.gather(*hostile, return_exceptions=True)
        assert not innocent.done()
        with RenderjuiceClient(emulator.api_key, emulator.base_url) as client:
            await asyncio.to_thread(client.cancel_job, job.id)
        return [await innocent, *events]

    caplog.set_level("DEBUG")
    innocent, *events = asyncio.run(all_of_them())
    assert (innocent["ending"], innocent["status"]) == ("over", "canceled")
    texts = [json.dumps(event, allow_nan=False, ensure_ascii=False).encode() for event in events]
    assert max(map(len, texts)) < _LONGEST_EVENT
    assert not any(b"\0" in text or b"\\u0000" in text for text in texts)
    endings = iter(event["ending"] for event in events)
    found = {name: {next(endings) for _ in waits[name]} for name in GROUPS}
    assert found == {"passing": {"reached"}, "ending": {"over", "refused"}, "late": {"timed_out"}}
    planned = {kind for name in GROUPS for wait in waits[name] for kind, _ in wait.kinds}
    assert planned <= server.served.keys()
    assert find([("events", b"\n".join(texts)), ("log", caplog.text.encode(errors="replace"))], answers.SECRETS) == []


def test_there_are_enough_kinds_of_answers():
    kinds = [answers.PASSING, answers.ENDING, answers.LATE, answers.FOUND, answers.ASIDE]
    assert sum(map(len, kinds)) >= 60
    assert len(set().union(*kinds)) == sum(map(len, kinds))
