"""Triggers that share a poller: one round for all; each has its own log, end, and errors."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from contextvars import ContextVar

import pytest

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.compat import AirflowNotFoundException
from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from renderjuice_provider.lifecycle.poll_round import FEW
from renderjuice_provider.triggers import _shared_poller, renderjuice
from renderjuice_provider.triggers.renderjuice import RenderjuiceJobTrigger
from tests.support.runner import CONFIG, connect

MANY = FEW + 12


@pytest.fixture
def jobs(emulator, tmp_path):
    """Renders that take for ever."""
    scene = write_scene(tmp_path / "slow.blend", frame_end=3, seconds_per_frame=1e6)
    with RenderjuiceHook().client as client:
        found = [client.create_job(client.upload(scene).slug).id for _ in range(MANY)]
        for job_id in found:
            client.validate_job(job_id)
        for job_id in found:
            while client.get_job(job_id).status != "validated":
                time.sleep(0.01)
            client.start_render(job_id, CONFIG)
        while any(client.get_job(job_id).status != "rendering" for job_id in found):
            time.sleep(0.01)
    return found


def a_trigger(job_id, **arguments):
    now = time.time()
    times = {"poll_interval": 0.2, "started": now, "deadline": now + 60}
    return RenderjuiceJobTrigger(
        **{"renderjuice_conn_id": "renderjuice_default", "job_id": job_id, "target": "completed"} | times | arguments
    )


async def payload(trigger):
    async with asyncio.timeout(30):
        return (await anext(trigger.run())).payload


@contextlib.asynccontextmanager
async def waiting(*triggers):
    """The triggers at work, as the triggerer runs them: a task each."""
    tasks = [asyncio.create_task(payload(trigger)) for trigger in triggers]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.01)  # a connection that was aborted is closed by the loop, a moment later


async def until_polled(emulator, operation, times=1):
    wanted = emulator.ledger.count(operation) + times
    async with asyncio.timeout(30):
        while emulator.ledger.count(operation) < wanted:  # noqa: ASYNC110 - the ledger belongs to another thread
            await asyncio.sleep(0.005)


async def until_in_step(emulator):
    """Wait until each round polls all.

    A trigger that came late joins the rounds of the others by and by.
    """
    async with asyncio.timeout(30):
        while [entry.operation for entry in emulator.ledger.entries[-4:]] != ["list_jobs", "list_progress"] * 2:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def cancel(job_id):
    with RenderjuiceHook().client as client:
        client.cancel_job(job_id)


def test_hundreds_of_triggers_cost_what_one_poll_round_costs(emulator, jobs):
    async def work():
        async with waiting(*map(a_trigger, jobs)):
            await until_in_step(emulator)
            before = len(emulator.ledger.entries)
            await until_polled(emulator, "list_progress", 5)
            return len(emulator.ledger.entries) - before

    assert asyncio.run(work()) <= 5 * 2 + 1


def test_each_trigger_fires_for_its_own_job(emulator, jobs):
    async def work():
        async with waiting(*map(a_trigger, jobs)) as tasks:
            await until_polled(emulator, "list_progress")
            await asyncio.to_thread(cancel, jobs[3])
            event = await tasks[3]
            assert sum(task.done() for task in tasks) == 1
            return event

    event = asyncio.run(work())
    assert (event["job_id"], event["ending"], event["status"]) == (jobs[3], "over", "canceled")


def test_each_log_is_about_its_own_job_alone(emulator, jobs):
    lines = {}

    class Logging(RenderjuiceJobTrigger):
        @property
        def log(self):
            return type("Log", (), {"info": lambda _, line: lines.setdefault(self.job_id, []).append(line)})()

    async def work():
        triggers = [a_trigger(job_id) for job_id in jobs]
        for trigger in triggers:
            trigger.__class__ = Logging
        async with waiting(*triggers):
            await until_polled(emulator, "list_progress", 2)

    asyncio.run(work())
    assert set(lines) == set(jobs)
    assert all(job_id in line for job_id, logged in lines.items() for line in logged)


def test_a_trigger_that_leaves_does_not_end_the_others(emulator, jobs):
    async def work():
        async with waiting(*map(a_trigger, jobs[:3])) as tasks:
            await until_polled(emulator, "get_job")
            tasks[0].cancel()
            await until_polled(emulator, "get_job", 4)
            return [task.done() for task in tasks[1:]]

    assert asyncio.run(work()) == [False, False]


def test_without_subscriptions_nothing_is_polled(emulator, jobs):
    async def work():
        async with waiting(a_trigger(jobs[0], poll_interval=0.02)):
            await until_polled(emulator, "get_job")
        before = len(emulator.ledger.entries)
        await asyncio.sleep(0.2)
        assert len(asyncio.all_tasks()) == 1
        return len(emulator.ledger.entries) - before

    assert asyncio.run(work()) <= 1


def test_a_trigger_that_comes_after_the_last_one_left_is_served(emulator, jobs):
    async def work():
        for _ in range(3):
            async with waiting(a_trigger(jobs[0], poll_interval=0.02)):
                await until_polled(emulator, "get_job", 2)

    asyncio.run(work())


def test_a_short_interval_is_not_made_longer_by_the_others(emulator, jobs):
    async def work():
        async with waiting(a_trigger(jobs[0], poll_interval=300), a_trigger(jobs[1], poll_interval=0.05)):
            await asyncio.wait_for(until_polled(emulator, "get_job", 5), 10)  # else it waits for five minutes

    asyncio.run(work())


def test_a_trigger_that_arrives_between_two_polls_is_not_kept_waiting(emulator, jobs):
    async def work():
        async with waiting(a_trigger(jobs[0], poll_interval=300)):
            await asyncio.sleep(0.05)
            await asyncio.to_thread(cancel, jobs[1])
            return await asyncio.wait_for(payload(a_trigger(jobs[1], poll_interval=0.05)), 10)

    assert asyncio.run(work())["status"] == "canceled"


def test_every_connection_has_its_own_poller(emulator, jobs, monkeypatch):
    wrong = {"conn_type": "renderjuice", "host": emulator.base_url, "password": "RJ-wrong"}
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps(wrong))

    async def work():
        async with waiting(a_trigger(jobs[0]), a_trigger(jobs[1], renderjuice_conn_id="other")) as tasks:
            event = await tasks[1]
            return event, tasks[0].done()

    event, other_done = asyncio.run(work())
    assert (event["ending"], other_done) == ("refused", False)


def test_a_key_that_was_changed_serves_the_next_trigger(emulator, jobs, monkeypatch):
    async def work():
        connect(monkeypatch, host=emulator.base_url, password="RJ-expired")
        monkeypatch.setattr(renderjuice, "FIRST_POLL", 60)
        async with waiting(a_trigger(jobs[1])) as [patient]:  # it keeps the shared poller alive
            await asyncio.sleep(0.05)
            monkeypatch.setattr(renderjuice, "FIRST_POLL", 0)
            assert (await payload(a_trigger(jobs[0])))["ending"] == "refused"
            connect(monkeypatch, host=emulator.base_url, password=emulator.api_key)
            async with waiting(a_trigger(jobs[2])) as [last]:
                await until_polled(emulator, "get_job", 2)
                return last.done(), patient.done()

    assert asyncio.run(work()) == (False, False)


def test_an_airflow_that_cannot_give_the_connection_is_waited_out(emulator, jobs, monkeypatch):
    get_connection = RenderjuiceHook.aget_connection
    calls = []

    async def troubled(conn_id):
        calls.append(conn_id)
        if len(calls) < 3:
            raise AirflowNotFoundException("The conn_id isn't defined")  # what Airflow says when its database is away
        return await get_connection(conn_id)

    monkeypatch.setattr(RenderjuiceHook, "aget_connection", staticmethod(troubled))
    cancel(jobs[0])
    event = asyncio.run(payload(a_trigger(jobs[0], poll_interval=0.02)))
    assert (event["status"], len(calls)) == ("canceled", 3)


def test_a_connection_that_does_not_exist_ends_the_wait_soon():
    trigger = a_trigger("00000000-0000-4000-8000-000000000000", renderjuice_conn_id="nowhere", poll_interval=0.02)
    event = asyncio.run(payload(trigger))
    assert event["ending"] == "refused"
    assert "nowhere" in event["message"]


class EndOfTheWorldError(BaseException):
    """As when a process ends."""


def test_a_poller_that_breaks_leaves_no_trigger_waiting_for_ever(emulator, jobs, monkeypatch):
    def broken(*_, **__):
        raise EndOfTheWorldError

    monkeypatch.setattr(_shared_poller, "poll_round", broken)

    async def work():
        async with waiting(a_trigger(jobs[0]), a_trigger(jobs[1], poll_interval=300)) as tasks:
            return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 10)

    assert [type(result) for result in asyncio.run(work())] == [EndOfTheWorldError] * 2


def test_a_mistake_about_one_job_does_not_end_the_other_waits(emulator, jobs, monkeypatch):
    poll_round = _shared_poller.poll_round  # type: ignore[attr-defined]

    def mistaken(operations, job_pollers, **more):
        if any(job_poller.job_id == jobs[0] for job_poller in job_pollers):
            raise ZeroDivisionError
        return poll_round(operations, job_pollers, **more)

    monkeypatch.setattr(_shared_poller, "poll_round", mistaken)

    async def work():
        async with waiting(*map(a_trigger, jobs[:4])) as tasks:
            await asyncio.wait(tasks[:1], timeout=10)
            await until_polled(emulator, "get_job", 4)
            return tasks[0].exception(), [task.done() for task in tasks[1:]]

    error, others = asyncio.run(work())
    assert isinstance(error, ZeroDivisionError)
    assert others == [False] * 3


def test_a_retry_after_that_one_job_meets_is_obeyed_for_all(emulator, jobs):
    emulator.faults.add("get_job", "429 retry-after=1")

    async def work():
        async with waiting(a_trigger(jobs[0], poll_interval=0.02)):
            await until_polled(emulator, "get_job")
            before = len(emulator.ledger.entries)
            async with waiting(*map(a_trigger, jobs[1:3])):
                await asyncio.sleep(0.5)
                in_silence = len(emulator.ledger.entries) - before
                await until_polled(emulator, "get_job", 3)
                return in_silence

    assert asyncio.run(work()) == 0


def test_an_outage_costs_a_few_requests_an_interval_for_as_long_as_it_lasts(emulator, jobs):
    for operation in ("list_jobs", "get_job"):
        emulator.faults.add(operation, *["503"] * 10_000)

    async def work():
        async with waiting(*map(a_trigger, jobs)):
            await asyncio.sleep(1.5)

    before = len(emulator.ledger.entries)
    asyncio.run(work())
    assert 5 <= len(emulator.ledger.entries) - before <= 5 * 1.5 / 0.2
    emulator.faults.clear()


def test_a_poll_round_runs_in_the_context_of_no_trigger(emulator, jobs, monkeypatch):
    whose: ContextVar[str] = ContextVar("whose", default="nobody's")
    poll_round, seen = _shared_poller.poll_round, []  # type: ignore[attr-defined]

    def noting(*arguments, **more):
        seen.append(whose.get())
        return poll_round(*arguments, **more)

    monkeypatch.setattr(_shared_poller, "poll_round", noting)

    async def work():
        whose.set("the first one's")
        async with waiting(a_trigger(jobs[0])):
            await until_polled(emulator, "get_job")

    asyncio.run(work())
    assert set(seen) == {"nobody's"}


def test_a_deadline_that_passes_while_airflow_is_silent_is_kept(monkeypatch):
    async def silent(conn_id):
        raise RuntimeError("database is locked")

    monkeypatch.setattr(RenderjuiceHook, "aget_connection", staticmethod(silent))
    trigger = a_trigger("00000000-0000-4000-8000-000000000000", poll_interval=0.02, deadline=time.time() + 0.2)
    assert asyncio.run(payload(trigger))["ending"] == "timed_out"


def test_a_trigger_that_comes_while_a_poller_breaks_is_served_by_another(emulator, jobs, monkeypatch):
    poll_round, late = _shared_poller.poll_round, []  # type: ignore[attr-defined]
    cancel(jobs[1])

    def broken(*_, **__):
        monkeypatch.setattr(_shared_poller, "poll_round", poll_round)
        late.append(asyncio.create_task(payload(a_trigger(jobs[1], poll_interval=0.02))))
        raise EndOfTheWorldError

    monkeypatch.setattr(_shared_poller, "poll_round", broken)

    async def work():
        with pytest.raises(EndOfTheWorldError):
            await payload(a_trigger(jobs[0], poll_interval=0.02))
        return await late[0]

    assert asyncio.run(work())["status"] == "canceled"
