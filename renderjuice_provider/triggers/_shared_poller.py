"""One poll loop per connection, shared by all triggers in this triggerer.

A trigger subscribes with its job poller. Whenever a poll is due, one round
(`renderjuice_provider.lifecycle.poll_round`) also serves all those whose poll would soon be due, so
that hundreds of renders cost a handful of requests per poll interval. What a poll means is decided
for each job by itself, by its own job poller.

Where Renderjuice's events arrive, an event has its job polled at once, and renders are polled but
rarely otherwise: all together, since a round for all costs hardly more than one for a few.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass

from renderjuice_provider.api.client import AsyncRenderjuiceClient
from renderjuice_provider.api.errors import RenderjuiceConnectionError, RenderjuiceError, RenderjuiceInputError
from renderjuice_provider.api.redact import redact
from renderjuice_provider.compat import AirflowNotFoundException
from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from renderjuice_provider.lifecycle.job_poller import Done, JobPoller, PollAgain, PollDecision
from renderjuice_provider.lifecycle.outcome import Ending, Outcome
from renderjuice_provider.lifecycle.poll_round import poll_round
from renderjuice_provider.triggers._inbox_reader import InboxReader
from renderjuice_provider.triggers._poll_figures import PollFigures

_LATE = 5.0
"""Seconds for which polls that are due let those with a hint go first."""
_NOT_FOUND = 3
"""Times in a row that Airflow must say that a connection does not exist: it says the same when its
database cannot be reached."""


@dataclass(frozen=True)
class Pace:
    """How soon the jobs of a connection may be polled, for all alike. Times are monotonic.

    Attributes:
        silent_until: before this, no request may be sent.
        interval: seconds between two polls of jobs whose event will come; 0 if no event will.
        began: where these intervals begin, the same for all.
    """

    silent_until: float
    interval: float
    began: float

    def next_poll(self, after: float) -> float:
        """When the jobs whose event will come are polled next, all in one round."""
        return after + self.interval - (after - self.began) % self.interval


class Subscription:
    """One trigger's place in a shared poller.

    Args:
        job_poller: decides after each poll of the trigger's job.
        first: when the first poll is due.

    Attributes:
        decisions: those that the trigger has yet to read, which end its wait or are to be logged;
            or the error with which polling failed.
        was_running: whether a poll has found the job on its way to being completed.
        has_hint: whether an event about the job has come since its last poll began.
    """

    def __init__(self, job_poller: JobPoller, first: PollAgain) -> None:
        self.job_poller = job_poller
        self.decisions: asyncio.Queue[PollDecision | BaseException] = asyncio.Queue()
        self.was_running = False
        self._had_hint = False
        self.begin_poll()
        self.schedule(first)
        self._not_before = self._earliest

    def begin_poll(self) -> None:
        """What comes from now on is about another poll: this one may read the job too early."""
        self.has_hint = self._is_urgent = False

    def schedule(self, decision: PollAgain) -> None:
        """Set when the next poll is due."""
        self._polled = time.monotonic()
        self._deadline = self._polled + self.job_poller.deadline - time.time()
        self._due = self._polled + decision.pause
        self._earliest = self._due - decision.slack
        self.was_running = self.was_running or decision.awaits_event
        # An event that has come does not come again, should it have been ahead of the job.
        self._awaits_event = decision.awaits_event and not self._had_hint
        if self._is_urgent:
            self.hasten()

    def hasten(self) -> None:
        """Poll the job at once, but not before its first poll may be."""
        self._is_urgent = True
        self._due = self._earliest = min(self._earliest, max(time.monotonic(), self._not_before))
        self._awaits_event = False

    def hint(self) -> None:
        """Poll the job at once: an event about it has come."""
        self.hasten()
        self.has_hint = self._had_hint = True

    def due(self, pace: Pace) -> float:
        """When a poll is due: at the deadline in any case."""
        return self._not_in_silence(self._rare(pace) or self._due, pace)

    def earliest(self, pace: Pace) -> float:
        """When this job may join a poll round that happens anyway."""
        return self._not_in_silence(self._rare(pace) or self._earliest, pace)

    def _rare(self, pace: Pace) -> float:
        """When the next poll is due of a job whose event will come; 0 for any other."""
        if not self._awaits_event or self._due - self._polled > pace.interval:
            return 0.0
        return pace.next_poll(self._polled)

    def _not_in_silence(self, moment: float, pace: Pace) -> float:
        return min(max(moment, pace.silent_until), self._deadline)


class SharedPoller:
    """Polls the jobs of all its subscriptions.

    It belongs to one event loop, and ends with its last subscription.

    Args:
        renderjuice_conn_id: the connection whose jobs it polls.

    Attributes:
        is_over: whether it takes no more subscriptions.
    """

    def __init__(self, renderjuice_conn_id: str) -> None:
        self._hook = RenderjuiceHook(renderjuice_conn_id)
        self._client: AsyncRenderjuiceClient | None = None
        self._reconnect = False
        self._not_found = 0
        self._subscriptions: set[Subscription] = set()
        self._silent_until = float("-inf")
        self._began = time.monotonic()
        self._changed = asyncio.Event()
        self.is_over = False
        self._inbox = InboxReader(renderjuice_conn_id, self._on_news)
        # Not in the context of the trigger that happens to come first: its log is for its own job.
        self._figures = PollFigures(renderjuice_conn_id)
        self._loop = asyncio.create_task(self._poll_for_ever(), context=Context())
        self._reading = asyncio.create_task(self._inbox.read_for_ever(), context=Context())

    async def watch(self, job_poller: JobPoller, first: PollAgain, log: Callable[[str], None]) -> Outcome:
        """Poll a job until its poller is done; `log` gets each line for the task's log."""
        subscription = Subscription(job_poller, first)
        if self._inbox.arrivals.has_come(job_poller.job_id):
            subscription.hint()
        self._subscriptions.add(subscription)
        self._changed.set()
        try:
            while True:
                decision = await subscription.decisions.get()
                if isinstance(decision, BaseException):
                    raise decision
                if decision.log_line:
                    log(decision.log_line)
                if isinstance(decision, Done):
                    return decision.outcome
        finally:
            self._subscriptions.discard(subscription)
            self._changed.set()
            if not self._subscriptions:
                self.is_over = True
                self._figures.send(0)
                self._loop.cancel()
                self._reading.cancel()
                await asyncio.wait([self._loop, self._reading])

    async def _poll_for_ever(self) -> None:
        try:
            await asyncio.to_thread(self._figures.send, len(self._subscriptions))  # the first of a process reads files
            while True:
                await self._poll(await self._next())
        except BaseException as error:  # noqa: BLE001 - a trigger that waits must get it, or it waits for ever
            self.is_over = True
            for subscription in list(self._subscriptions):
                self._deliver(subscription, error)
        finally:
            await self._close()

    async def _next(self) -> list[Subscription]:
        """Wait until a poll is due. All the subscriptions that it is to serve.

        Jobs with a hint are served by themselves: most others are still running, and would be
        polled once more for each that is not. While many renders end, there may be hints all the
        time; so others that have been due for a while have their turn, by themselves, too.
        """
        while (due := self._first_due(pace := self._pace())) > time.monotonic():
            self._changed.clear()
            self._figures.send(len(self._subscriptions))
            with suppress(TimeoutError):
                async with asyncio.timeout(due - time.monotonic()):
                    await self._changed.wait()
        now = time.monotonic()
        hinted = [found for found in self._subscriptions if found.has_hint and found.due(pace) <= now]
        others = [found for found in self._subscriptions.difference(hinted) if found.earliest(pace) <= now]
        are_late = any(found.due(pace) < now - _LATE for found in others)
        return others if are_late else hinted or others

    def _first_due(self, pace: Pace) -> float:
        return min((found.due(pace) for found in self._subscriptions), default=float("inf"))

    def _pace(self) -> Pace:
        return Pace(self._silent_until, self._inbox.poll_interval(), self._began)

    def _on_news(self, job_ids: frozenset[str] | None) -> None:
        """Poll these jobs at once, all for None; and see again when a poll is due."""
        for subscription in self._subscriptions:
            if job_ids is None:
                subscription.hasten()
            elif subscription.job_poller.job_id.lower() in job_ids:
                subscription.hint()
        self._changed.set()

    async def _poll(self, subscriptions: Sequence[Subscription]) -> None:
        by_job_poller = {subscription.job_poller: subscription for subscription in subscriptions}
        try:
            client = self._client = self._client or await self._open()
            are_completed = all(subscription.has_hint for subscription in subscriptions)
            for subscription in subscriptions:
                subscription.begin_poll()
            for flow in poll_round(client.operations, list(by_job_poller), are_completed=are_completed):
                for job_poller, decision in await client.run(flow):
                    self._deliver(by_job_poller[job_poller], decision)
        except RenderjuiceError as error:  # there is no client
            for subscription in subscriptions:
                self._deliver(subscription, subscription.job_poller.on_error(error, time.time()))
        except Exception as error:  # noqa: BLE001 - only the trigger that it is about may fail
            if len(subscriptions) == 1:
                self._deliver(subscriptions[0], error)
                return
            for subscription in self._subscriptions.intersection(subscriptions):
                await self._poll([subscription])
        if self._reconnect:
            await self._close()

    def _deliver(self, subscription: Subscription, decision: PollDecision | BaseException) -> None:
        # To wake a trigger that has nothing to log costs more than its part of the poll.
        if not isinstance(decision, PollAgain) or decision.log_line:
            subscription.decisions.put_nowait(decision)
        if not isinstance(decision, BaseException):
            self._figures.add(decision)
        if isinstance(decision, PollAgain):
            subscription.schedule(decision)
            self._silent_until = max(self._silent_until, time.monotonic() + decision.retry_after)
            return
        self._subscriptions.discard(subscription)
        if isinstance(decision, Done) and decision.outcome.ending is Ending.REFUSED:
            self._reconnect = True
        if isinstance(decision, Done) and decision.outcome.ending is Ending.REACHED and subscription.was_running:
            self._inbox.arrivals.on_completed(subscription.job_poller.job_id, time.time())

    async def _open(self) -> AsyncRenderjuiceClient:
        try:
            client = await self._hook.get_async_client()
        except RenderjuiceError:
            raise
        except Exception as error:
            self._not_found += isinstance(error, AirflowNotFoundException)
            if self._not_found >= _NOT_FOUND:
                raise RenderjuiceInputError(str(error)) from None
            what = f"Airflow did not give the connection {self._hook.renderjuice_conn_id!r}: {type(error).__name__}"
            raise RenderjuiceConnectionError(redact(f"{what}: {error}"), sent=False) from error
        self._not_found = 0
        return client

    async def _close(self) -> None:
        """The next poll asks Airflow for the connection again: its key may have been changed."""
        client, self._client, self._reconnect = self._client, None, False
        if client:
            await client.close()


_SHARED_POLLERS: dict[tuple[asyncio.AbstractEventLoop, str], SharedPoller] = {}


def shared_poller(renderjuice_conn_id: str) -> SharedPoller:
    """The shared poller of this connection on the running event loop."""
    for key in [key for key, found in _SHARED_POLLERS.items() if found.is_over or key[0].is_closed()]:
        _SHARED_POLLERS.pop(key, None)
    key = (asyncio.get_running_loop(), renderjuice_conn_id)
    if key not in _SHARED_POLLERS:
        _SHARED_POLLERS[key] = SharedPoller(renderjuice_conn_id)
    return _SHARED_POLLERS[key]
