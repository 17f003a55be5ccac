"""The trigger of an asset's watcher: one event for each render that completes."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from airflow.models.asset import AssetDagRunQueue
from airflow.triggers.base import BaseEventTrigger

from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from renderjuice_provider.triggers import _completed
from renderjuice_provider.triggers.renderjuice import RenderjuiceCompletedTrigger
from tests.support.both_clients import completed


class Store:
    """The state store of one asset, as Airflow 3.3 gives it to a watcher's trigger."""

    def __init__(self):
        self.values = {}
        self.fails = 0

    async def aget(self, key, default=None):
        self._fail()
        return json.loads(self.values.get(key, json.dumps(default)))

    async def aset(self, key, value):
        self._fail()
        self.values[key] = json.dumps(value)

    def _fail(self):
        if self.fails:
            self.fails -= 1
            raise RuntimeError("the database is away")


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch):
    monkeypatch.setattr(_completed, "_SHORTEST_PAUSE", 0.0)
    monkeypatch.setattr(_completed, "_LONGEST_PAUSE", 0.05)


@pytest.fixture
def render(emulator, tmp_path):
    with RenderjuiceHook().client as client:
        yield lambda: completed(client, tmp_path).id


@asynccontextmanager
async def running(store=None):
    """A trigger that runs as in a triggerer, and what it has fired so far."""
    trigger, said = again(RenderjuiceCompletedTrigger(poll_interval=0.02)), []
    trigger.asset_state_store = store

    async def listen():
        async for event in trigger.run():
            said.append(json.loads(json.dumps(event.payload)))  # noqa: PERF401 - each as it comes

    task = asyncio.create_task(listen())
    try:
        yield said
        assert not task.done(), "a watcher goes on"
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def again(trigger):
    """As the triggerer makes it of what is stored."""
    path, arguments = trigger.serialize()
    assert path == "renderjuice_provider.triggers.renderjuice.RenderjuiceCompletedTrigger"
    return RenderjuiceCompletedTrigger(**json.loads(json.dumps(arguments)))


async def listed(emulator, times=2):
    """Wait until it has listed the jobs some more times."""
    goal = emulator.ledger.count("list_jobs") + times
    async with asyncio.timeout(20):
        while emulator.ledger.count("list_jobs") < goal:  # noqa: ASYNC110 - another thread counts
            await asyncio.sleep(0.01)


async def test_it_fires_once_for_each_render_that_completes_and_not_for_what_was_there(emulator, render):
    await asyncio.to_thread(render)
    async with running() as said:
        await listed(emulator)
        first = await asyncio.to_thread(render)
        await listed(emulator)
        second = await asyncio.to_thread(render)
        await listed(emulator)
    assert [event["job_id"] for event in said] == [first, second]
    assert said[0] | {"normalized_seconds": 0} == {
        "job_id": first,
        "shot": None,
        "scene": "shot.blend",
        "normalized_seconds": 0,
        "event": "onRenderComplete",
    }


async def test_what_completes_while_no_triggerer_runs_is_said_by_the_next_one(emulator, render):
    store = Store()
    async with running(store) as said:
        await listed(emulator)
    meanwhile = await asyncio.to_thread(render)
    async with running(store) as later:
        await listed(emulator, 3)
    async with running(store) as last:
        await listed(emulator)
    assert (said, [event["job_id"] for event in later], last) == ([], [meanwhile], [])


@pytest.mark.parametrize("may", [True, False])
async def test_the_last_of_several_comes_again_where_a_run_may_lack_the_others(emulator, render, monkeypatch, may):
    monkeypatch.setattr(_completed, "_may_leave_events_out", lambda: may)
    monkeypatch.setattr(_completed, "SETTLED", 0.2)
    store = Store()
    async with running(store):
        await listed(emulator)
    jobs = [await asyncio.to_thread(render) for _ in range(3)]
    async with running(store) as said:
        await listed(emulator, 3)
        assert len(said) == 3
        await asyncio.sleep(0.5)
        await listed(emulator, 3)
    said = [event["job_id"] for event in said]
    assert (sorted(said[:3]), said[3:]) == (sorted(jobs), said[2:3] if may else [])


def test_before_airflow_3_4_a_run_may_lack_events():
    assert _completed._may_leave_events_out() is not hasattr(AssetDagRunQueue, "asset_event_id")


async def test_without_a_store_it_begins_where_it_starts(emulator, render):
    async with running():
        await listed(emulator)
    await asyncio.to_thread(render)
    async with running() as said:
        await listed(emulator)
    assert said == []


async def test_trouble_is_waited_out_and_nothing_is_lost(emulator, render, capsys):
    store = Store()
    async with running(store) as said:
        await listed(emulator)
        emulator.faults.add("list_jobs", "401")
        emulator.faults.add("list_jobs", "403")
        store.fails = 2
        job_id = await asyncio.to_thread(render)
        await listed(emulator, 5)
    assert [event["job_id"] for event in said] == [job_id]
    assert emulator.faults.left() == {}
    assert "cannot be listed" in capsys.readouterr().out


async def test_a_store_that_cannot_be_read_at_first_makes_nothing_new_old(emulator, render):
    store = Store()
    async with running(store):
        await listed(emulator)
    job_id = await asyncio.to_thread(render)
    store.fails = 1
    async with running(store) as said:
        await listed(emulator)
    assert [event["job_id"] for event in said] == [job_id]


async def test_a_store_of_several_assets_is_done_without(emulator, render, capsys):
    class Several(Store):
        async def aget(self, key, default=None):
            raise ValueError("Task has 2 concrete inlets and outlets")

    async with running(Several()) as said:
        await listed(emulator)
        job_id = await asyncio.to_thread(render)
        await listed(emulator)
    assert [event["job_id"] for event in said] == [job_id]
    assert "use one asset" in capsys.readouterr().out


async def test_a_connection_that_comes_later_is_waited_for(emulator, render, monkeypatch):
    connection = json.dumps({"conn_type": "renderjuice", "host": emulator.base_url, "password": emulator.api_key})
    await asyncio.to_thread(render)
    monkeypatch.setenv("AIRFLOW_CONN_RENDERJUICE_DEFAULT", json.dumps({"conn_type": "renderjuice"}))
    async with running() as said:
        await asyncio.sleep(0.2)
        monkeypatch.setenv("AIRFLOW_CONN_RENDERJUICE_DEFAULT", connection)
        await listed(emulator)
    assert said == []


def test_what_is_stored_of_it_is_a_name_and_a_number():
    _, arguments = RenderjuiceCompletedTrigger(renderjuice_conn_id="studio_b").serialize()
    assert arguments == {"renderjuice_conn_id": "studio_b", "poll_interval": 60.0}
    assert issubclass(RenderjuiceCompletedTrigger, BaseEventTrigger)


def test_it_waits_longer_and_longer_but_never_too_long_for_a_list(monkeypatch):
    monkeypatch.setattr(_completed, "_LONGEST_PAUSE", 600.0)
    trigger, pauses = RenderjuiceCompletedTrigger(), []
    for trigger._failures in range(8):
        pauses.append(trigger._pause())
    assert pauses[:4] == [60, 120, 240, 480]
    assert pauses[-1] == 600
