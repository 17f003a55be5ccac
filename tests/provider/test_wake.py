"""An event has its job polled at once; where events arrive, renders are polled but rarely.

What an event, a lost one or a false one changes is when a job is polled, and never the outcome.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import time

import pytest
from airflow.sdk import Variable

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from renderjuice_provider.lifecycle import events
from renderjuice_provider.lifecycle.inbox import (
    MOST_EVENTS,
    MOST_NEWEST,
    RENDER_COMPLETE,
    Inbox,
    newest_variable_of,
    variable_of,
)
from renderjuice_provider.lifecycle.job_poller import JobPoller, PollAgain
from renderjuice_provider.triggers import _inbox_reader, _shared_poller, renderjuice
from renderjuice_provider.triggers._shared_poller import Pace, Subscription
from tests.provider.test_shared_poller import MANY, a_trigger, cancel, jobs, payload, until_polled, waiting
from tests.support.runner import CONFIG, connect

__all__ = ["jobs"]
ANOTHER = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
NEVER = 3600.0
"""A poll interval that no test waits for: what is polled before is polled for another reason."""


class Mailbox:
    """The Variables with the inbox and its newest events, as the receiver writes them."""

    def __init__(self, monkeypatch, conn_id="renderjuice_default"):
        self._monkeypatch = monkeypatch
        self._names = [f"AIRFLOW_VAR_{key(conn_id).upper()}" for key in (variable_of, newest_variable_of)]
        self.inbox = Inbox()

    def receive(self, *job_ids, ago=0.0):
        self.inbox = self.inbox.add([(job_id, RENDER_COMPLETE) for job_id in job_ids], time.time() - ago)
        self.write(self.inbox.serialize(), self.inbox.newest().serialize())

    def write(self, text, newest=None):
        for name, written in zip(self._names, [text, text if newest is None else newest], strict=True):
            self._monkeypatch.setenv(name, written)


@pytest.fixture
def mailbox(emulator, monkeypatch):
    """An inbox without events, of a connection with a secret."""
    monkeypatch.setattr(_inbox_reader, "READ_EVERY", 0.02)
    extra = {"webhook_secret": "whsec"}
    connect(monkeypatch, host=emulator.base_url, password=emulator.api_key, extra=extra)
    mailbox = Mailbox(monkeypatch)
    mailbox.receive()
    return mailbox


@pytest.fixture
def reads(monkeypatch):
    """The Variables that were read."""
    get, keys = Variable.get, []

    def noting(key, **more):
        keys.append(key)
        return get(key, **more)

    monkeypatch.setattr(Variable, "get", noting)
    return keys


def short_renders(folder, count):
    """Jobs that are completed about two seconds after the last one has begun to render."""
    scene = write_scene(folder / "short.blend", frame_end=3, seconds_per_frame=500)
    with RenderjuiceHook().client as client:
        slug = client.upload(scene).slug
        found = [client.create_job(slug).id for _ in range(count)]
        for job_id in found:
            client.validate_job(job_id)
        for job_id in found:
            while client.get_job(job_id).status != "validated":
                time.sleep(0.01)
            client.start_render(job_id, CONFIG)
    return found


async def until_read(reads, times=2):
    wanted = len(reads) + times
    async with asyncio.timeout(30):
        while len(reads) < wanted:  # noqa: ASYNC110 - a list has no event
            await asyncio.sleep(0.005)


def test_an_event_ends_the_wait_for_its_job_at_once(emulator, jobs, mailbox):
    async def work():
        async with waiting(a_trigger(jobs[0], poll_interval=NEVER), a_trigger(jobs[1], poll_interval=NEVER)) as tasks:
            await asyncio.sleep(0.1)
            await asyncio.to_thread(cancel, jobs[0])
            mailbox.receive(jobs[0])
            return await tasks[0], tasks[1].done()

    before = emulator.ledger.count("get_job")
    event, other_done = asyncio.run(work())
    assert (event["status"], other_done) == ("canceled", False)
    assert emulator.ledger.count("get_job") == before + 1
    assert emulator.ledger.count("list_jobs") == 0


def test_many_events_at_once_cost_a_list_and_not_a_request_each(emulator, jobs, mailbox, reads, tmp_path):
    found = short_renders(tmp_path, MANY)

    async def work():
        async with waiting(*(a_trigger(job_id, poll_interval=NEVER) for job_id in found)) as tasks:
            await until_read(reads)
            while any(emulator.jobs[job_id].status != "completed" for job_id in found):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            before = len(emulator.ledger.entries)
            mailbox.receive(*found)
            events = await asyncio.gather(*tasks)
            return {event["ending"] for event in events}, len(emulator.ledger.entries) - before

    assert asyncio.run(work()) == ({"reached"}, 1)


def test_an_event_that_came_before_the_task_was_deferred_is_found(jobs, mailbox, reads):
    cancel(jobs[0])
    mailbox.receive(jobs[0])

    async def work():
        async with waiting(a_trigger(jobs[1], poll_interval=NEVER)):
            await until_read(reads)
            return await payload(a_trigger(jobs[0], poll_interval=NEVER))

    assert asyncio.run(work())["status"] == "canceled"


def test_even_an_event_waits_for_the_first_poll_that_airflow_can_bear(emulator, jobs, mailbox, reads, monkeypatch):
    monkeypatch.setattr(renderjuice, "FIRST_POLL", 0.5)
    cancel(jobs[0])
    mailbox.receive(jobs[0])
    began = time.monotonic()
    assert asyncio.run(payload(a_trigger(jobs[0], poll_interval=NEVER)))["status"] == "canceled"
    assert time.monotonic() - began >= 0.5


def test_an_event_that_is_ahead_of_its_job_or_false_changes_no_outcome(emulator, jobs, mailbox):
    async def work():
        async with waiting(a_trigger(jobs[0], poll_interval=0.2)) as [task]:
            mailbox.receive(jobs[0])
            await until_polled(emulator, "get_job", 3)  # it is polled on, as without events
            assert not task.done()
            await asyncio.to_thread(cancel, jobs[0])
            return await task

    assert asyncio.run(work())["status"] == "canceled"


def test_others_are_polled_although_events_come_faster_than_polls_are_answered(emulator, jobs, mailbox, monkeypatch):
    monkeypatch.setattr(_shared_poller, "_LATE", 0.2)
    emulator.faults.add("get_job", *["stall 0.1"] * 1000)

    async def busy():
        for number in itertools.count():
            mailbox.inbox = mailbox.inbox.add([(jobs[1], f"event {number}")], time.time())
            mailbox.write(mailbox.inbox.serialize())
            await asyncio.sleep(0.02)

    async def work():
        async with waiting(a_trigger(jobs[1], poll_interval=NEVER)) as [other]:
            events = asyncio.create_task(busy())
            await until_polled(emulator, "get_job", 3)
            try:
                event = await payload(a_trigger(jobs[0], poll_interval=0.05, deadline=time.time() + 0.5))
            finally:
                events.cancel()
            return event["ending"], other.done()

    assert asyncio.run(work()) == ("timed_out", False)


def test_events_of_other_jobs_poll_nothing(emulator, jobs, mailbox, reads):
    async def work():
        async with waiting(a_trigger(jobs[0], poll_interval=NEVER)):
            await until_read(reads)
            mailbox.receive(ANOTHER)
            await until_read(reads)

    before = emulator.ledger.count("get_job")
    asyncio.run(work())
    assert emulator.ledger.count("get_job") == before


def test_when_more_events_came_than_are_kept_every_job_is_polled(emulator, jobs, mailbox, reads):
    async def work():
        async with waiting(*(a_trigger(job_id, poll_interval=NEVER) for job_id in jobs)) as tasks:
            await until_read(reads)
            await asyncio.to_thread(cancel, jobs[4])
            mailbox.receive(jobs[4], *map(str, range(MOST_EVENTS + 1)))
            return await tasks[4]

    assert asyncio.run(work())["status"] == "canceled"


def test_a_few_new_events_are_read_without_the_whole_inbox(jobs, mailbox, reads):
    mailbox.receive(*map(str, range(MOST_EVENTS)))
    small = newest_variable_of("renderjuice_default")

    async def work():
        async with waiting(a_trigger(jobs[0], poll_interval=NEVER), a_trigger(jobs[1], poll_interval=NEVER)) as tasks:
            await until_read(reads, 3)
            first, whole_reads = list(reads), reads.count(variable_of("renderjuice_default"))
            await asyncio.to_thread(cancel, jobs[0])
            mailbox.receive(*map(str, range(MOST_EVENTS, MOST_EVENTS + MOST_NEWEST - 2)), jobs[0])
            event = await tasks[0]
            return event["status"], first[:2], whole_reads, reads.count(variable_of("renderjuice_default"))

    assert asyncio.run(work()) == ("canceled", [small, variable_of("renderjuice_default")], 1, 1)


def test_where_more_came_than_the_small_variable_holds_the_whole_inbox_is_read(emulator, jobs, mailbox, reads):
    async def work():
        async with waiting(*(a_trigger(job_id, poll_interval=NEVER) for job_id in jobs[:2])) as tasks:
            await until_read(reads)
            await asyncio.to_thread(cancel, jobs[0])
            before = emulator.ledger.count("get_job")
            mailbox.receive(jobs[0], *map(str, range(MOST_NEWEST)))
            event = await tasks[0]
            return event["status"], emulator.ledger.count("get_job") - before

    assert asyncio.run(work()) == ("canceled", 1), "only the job of the event is polled"


def test_a_retry_after_is_obeyed_although_an_event_came(emulator, jobs, mailbox, reads):
    emulator.faults.add("get_job", "429 retry-after=1")

    async def work():
        async with waiting(a_trigger(jobs[0], poll_interval=0.02)):
            await until_polled(emulator, "get_job")
            before = emulator.ledger.count("get_job")
            mailbox.receive(jobs[0])
            await until_read(reads, 5)
            return emulator.ledger.count("get_job") - before

    assert asyncio.run(work()) == 0


def test_where_events_arrive_renders_are_polled_rarely(emulator, jobs, mailbox, reads):
    mailbox.receive(ANOTHER)

    async def work():
        async with waiting(*(a_trigger(job_id, poll_interval=0.05) for job_id in jobs[:3])):
            await until_polled(emulator, "get_job", 3)
            before = emulator.ledger.count("get_job")
            await asyncio.sleep(0.5)  # ten poll intervals
            return emulator.ledger.count("get_job") - before

    assert asyncio.run(work()) <= 3


def test_hundreds_of_renders_whose_events_will_come_are_polled_in_one_round(emulator, jobs, mailbox, monkeypatch):
    extra = {"webhook_secret": "whsec", "webhook_poll_interval": 1}
    connect(monkeypatch, host=emulator.base_url, password=emulator.api_key, extra=extra)
    mailbox.receive(ANOTHER)

    async def work():
        async with waiting(*(a_trigger(job_id, poll_interval=0.05) for job_id in jobs)):
            await until_polled(emulator, "list_progress", 2)
            before = len(emulator.ledger.entries)
            await until_polled(emulator, "list_progress", 3)
            return len(emulator.ledger.entries) - before

    assert asyncio.run(work()) <= 3 * 2 + 1


@pytest.mark.parametrize("target", ["canceled", "validated"])
def test_what_no_event_reports_is_polled_as_ever(emulator, scene, mailbox, target):
    mailbox.receive(ANOTHER)
    with RenderjuiceHook().client as client:
        job_id = client.create_job(client.upload(scene).slug).id

    async def work():
        async with waiting(a_trigger(job_id, poll_interval=0.05, target=target)):
            await asyncio.wait_for(until_polled(emulator, "get_job", 5), 30)

    asyncio.run(work())


def test_polls_that_fail_are_repeated_as_ever(emulator, jobs, mailbox):
    mailbox.receive(ANOTHER)
    emulator.faults.add("get_job", *["503"] * 3)

    async def work():
        async with waiting(a_trigger(jobs[0], poll_interval=0.05)):
            await asyncio.wait_for(until_polled(emulator, "get_job", 4), 30)

    asyncio.run(work())


def test_the_deadline_is_kept_where_events_arrive(jobs, mailbox):
    mailbox.receive(ANOTHER)
    trigger = a_trigger(jobs[0], poll_interval=0.05, deadline=time.time() + 0.5)
    assert asyncio.run(payload(trigger))["ending"] == "timed_out"


def test_when_an_event_is_missing_renders_are_polled_as_ever(emulator, jobs, mailbox, monkeypatch, tmp_path):
    extra = {"webhook_secret": "whsec", "webhook_poll_interval": 1}
    connect(monkeypatch, host=emulator.base_url, password=emulator.api_key, extra=extra)
    monkeypatch.setattr(events, "PATIENCE", 0.3)
    mailbox.receive(ANOTHER)
    (job_id,) = short_renders(tmp_path, 1)

    async def work():
        renders = [job_id, *jobs[:2]]
        async with waiting(*(a_trigger(job_id, poll_interval=0.05) for job_id in renders)) as [ends, *others]:
            assert (await ends)["ending"] == "reached"
            # Once a second, that would take twenty seconds.
            await asyncio.wait_for(until_polled(emulator, "get_job", 40), 15)
            return [task.done() for task in others]

    assert asyncio.run(work()) == [False, False]


@pytest.mark.parametrize("text", ["", "no JSON", "[]", '{"count": "many", "events": [[1]]}', '{"count": 1e999}'])
def test_an_inbox_that_makes_no_sense_costs_nothing(emulator, jobs, mailbox, reads, text):
    mailbox.write(text)

    async def work():
        async with waiting(a_trigger(jobs[0], poll_interval=0.05)) as [task]:
            await until_read(reads)
            await asyncio.wait_for(until_polled(emulator, "get_job", 3), 30)
            await asyncio.to_thread(cancel, jobs[0])
            return await task

    assert asyncio.run(work())["status"] == "canceled"


def test_an_airflow_that_does_not_give_the_inbox_is_asked_less_and_less_and_polls_go_on(
    emulator, jobs, mailbox, monkeypatch
):
    asked = []

    def broken(key, **_):
        asked.append(time.monotonic())
        raise RuntimeError("database is locked")

    monkeypatch.setattr(Variable, "get", broken)

    async def work():
        async with waiting(a_trigger(jobs[0], poll_interval=0.05)):
            await asyncio.wait_for(until_polled(emulator, "get_job", 20), 30)

    asyncio.run(work())
    pauses = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert len(asked) < 20
    assert pauses[-1] == max(pauses)


def test_without_a_secret_no_inbox_is_read(emulator, jobs, reads):
    async def work():
        async with waiting(a_trigger(jobs[0], poll_interval=0.05)):
            await until_polled(emulator, "get_job", 3)

    asyncio.run(work())
    assert reads == []


def test_a_secret_that_is_set_while_renders_wait_is_noticed(emulator, jobs, reads, monkeypatch):
    monkeypatch.setattr(_inbox_reader, "_LOOK_UP_EVERY", 0.05)

    async def work():
        async with waiting(a_trigger(jobs[0], poll_interval=NEVER)):
            await asyncio.sleep(0.1)
            assert reads == []
            extra = {"webhook_secret": "whsec"}
            connect(monkeypatch, host=emulator.base_url, password=emulator.api_key, extra=extra)
            await until_read(reads)

    asyncio.run(work())


def test_an_airflow_that_does_not_give_the_connection_is_asked_again(jobs, mailbox, reads, monkeypatch):
    get_connection, asked = RenderjuiceHook.aget_connection, []

    async def troubled(conn_id):
        asked.append(conn_id)
        if len(asked) == 1:
            raise RuntimeError("database is locked")
        return await get_connection(conn_id)

    monkeypatch.setattr(_inbox_reader, "_LOOK_UP_AGAIN", 0.02)
    monkeypatch.setattr(RenderjuiceHook, "aget_connection", staticmethod(troubled))

    async def work():
        async with waiting(a_trigger(jobs[0], poll_interval=NEVER)):
            await until_read(reads)

    asyncio.run(work())


def test_a_read_that_has_begun_is_not_cancelled_with_the_last_wait(emulator, jobs, mailbox, monkeypatch):
    get, done = Variable.get, []

    def slow(key, **more):
        time.sleep(0.2)
        done.append(get(key, **more))
        return done[-1]

    monkeypatch.setattr(Variable, "get", slow)

    async def work():
        async with waiting(a_trigger(jobs[0], poll_interval=NEVER)):
            await asyncio.sleep(0.1)
        [read] = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        await read
        assert done

    asyncio.run(work())


def test_a_read_that_took_long_does_not_keep_an_event_waiting_for_long(emulator, jobs, mailbox, monkeypatch):
    monkeypatch.setattr(_inbox_reader, "_SLOWEST", 0.1)
    get, begun = Variable.get, []

    def slow_at_first(key, **more):
        begun.append(time.monotonic())
        time.sleep(1 if len(begun) == 1 else 0)
        return get(key, **more)

    monkeypatch.setattr(Variable, "get", slow_at_first)

    async def work():
        async with waiting(a_trigger(jobs[0], poll_interval=NEVER)):
            await until_read(begun, 3)

    asyncio.run(work())
    assert begun[1] - begun[0] < 4  # five, if it were four times as long as the read


def test_every_connection_has_its_own_inbox(emulator, jobs, mailbox, reads, monkeypatch):
    extra = {"webhook_secret": "another"}
    other = {"conn_type": "renderjuice", "host": emulator.base_url, "password": emulator.api_key, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps(other))
    others = Mailbox(monkeypatch, "other")

    async def work():
        mine = a_trigger(jobs[0], poll_interval=NEVER)
        theirs = a_trigger(jobs[0], poll_interval=NEVER, renderjuice_conn_id="other")
        async with waiting(mine, theirs) as tasks:
            await asyncio.to_thread(cancel, jobs[0])
            others.receive(jobs[0])
            await tasks[1]
            return tasks[0].done()

    assert asyncio.run(work()) is False


def test_a_connection_whose_inbox_airflow_would_take_for_a_secret_is_only_polled(
    emulator, jobs, reads, monkeypatch, caplog
):
    extra = {"webhook_secret": "whsec"}
    fields = {"conn_type": "renderjuice", "host": emulator.base_url, "password": emulator.api_key, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_FARM_TOKEN", json.dumps(fields))

    async def work():
        async with waiting(a_trigger(jobs[0], poll_interval=0.05, renderjuice_conn_id="farm_token")):
            await until_polled(emulator, "get_job", 3)

    with caplog.at_level(logging.WARNING):
        asyncio.run(work())
    assert reads == []
    assert "its events are not read" in caplog.text
    assert "whsec" not in caplog.text


def test_a_wrong_poll_interval_of_the_connection_is_refused_with_a_sentence(emulator, jobs, monkeypatch):
    extra = {"webhook_secret": "whsec", "webhook_poll_interval": "seldom"}
    connect(monkeypatch, host=emulator.base_url, password=emulator.api_key, extra=extra)
    event = asyncio.run(payload(a_trigger(jobs[0], poll_interval=0.02)))
    assert event["ending"] == "refused"
    assert "webhook_poll_interval" in event["message"]


def a_subscription(poll_interval=30.0, deadline=NEVER, target="completed"):
    now = time.time()
    job_poller = JobPoller(
        ANOTHER, target, poll_interval=poll_interval, started=now, deadline=now + deadline, jitter=lambda: 1.0
    )
    subscription = Subscription(job_poller, PollAgain(0))
    subscription.schedule(PollAgain(poll_interval, slack=poll_interval / 2, awaits_event=target == "completed"))
    return subscription


def a_pace(interval, **more):
    return Pace(**{"silent_until": float("-inf"), "interval": interval, "began": time.monotonic() - 100} | more)


@pytest.mark.parametrize(
    ("poll_interval", "interval", "due"),
    [(30, 0, 30), (30, 300, 200), (30, 120, 20), (600, 300, 600), (300, 300, 200)],
)
def test_rare_polls_come_together_and_a_longer_interval_of_the_task_stays(poll_interval, interval, due):
    subscription = a_subscription(poll_interval)
    assert subscription.due(a_pace(interval)) - time.monotonic() == pytest.approx(due, abs=1)


def test_rare_polls_join_no_other_round():
    subscription, pace = a_subscription(), a_pace(300)
    assert subscription.earliest(pace) == subscription.due(pace)
    assert subscription.earliest(a_pace(0)) < subscription.due(a_pace(0))


def test_no_job_is_polled_more_rarely_than_the_interval_says():
    for began in range(0, 900, 7):
        subscription = a_subscription()
        wait = subscription.due(a_pace(300, began=time.monotonic() - began)) - time.monotonic()
        assert -1 <= wait <= 300


def test_rare_polls_keep_the_deadline_and_the_silence():
    assert a_subscription(deadline=40).due(a_pace(300)) - time.monotonic() == pytest.approx(40, abs=1)
    silence = a_pace(300, silent_until=time.monotonic() + 250)
    assert a_subscription().due(silence) == silence.silent_until


@pytest.mark.parametrize("news", [Subscription.hint, Subscription.hasten])
def test_an_event_that_comes_while_its_job_is_polled_makes_another_poll(news):
    subscription = a_subscription()
    subscription.begin_poll()
    news(subscription)
    subscription.schedule(PollAgain(30, awaits_event=True))
    assert subscription.due(a_pace(300)) <= time.monotonic()
    subscription.begin_poll()
    subscription.schedule(PollAgain(30, awaits_event=True))
    assert subscription.due(a_pace(300)) - time.monotonic() > 20


def test_a_job_that_had_an_event_is_not_polled_rarely_again():
    subscription = a_subscription()
    subscription.hint()
    assert subscription.due(a_pace(300)) <= time.monotonic()
    subscription.begin_poll()
    subscription.schedule(PollAgain(30, awaits_event=True))
    assert subscription.due(a_pace(300)) - time.monotonic() == pytest.approx(30, abs=1)
