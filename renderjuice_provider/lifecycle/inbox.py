"""The noted events of a connection: what Renderjuice has sent about its jobs, newest last.

Pure. The receiver keeps it as JSON in an Airflow Variable, where every API server and triggerer
finds it, and where people see whether events arrive:

    {"version": 1, "count": 2, "last": 1764230400.5,
     "events": [[1, "<job id>", "onRenderComplete", 1764230390.0], ...],
     "pending": [[2, "<job id>"], ...]}

Triggerers read a second Variable, of the same form, which holds the newest 20 events alone: once a
second, 500 events would cost them more than all their polls.

An event is a hint to poll its job. So it is worth little: only the newest are kept, one that is
missed costs a longer wait for the next poll, and damage is read as far as it makes sense. No URL
and no secret is in it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeGuard

RENDER_COMPLETE = "onRenderComplete"
"""The only event that Renderjuice sends so far; that of a render that failed is planned."""
MOST_EVENTS = 500
MOST_NEWEST = 20
"""Events of the Variable for triggerers: when more come within a second, they read all."""
MOST_PENDING = 10_000
"""Twice what a studio gets when every render of a large night ends within one minute."""
_VERSION = 1
_KEY = "renderjuice_webhooks_"
_NEWEST_KEY = "renderjuice_newest_"
_LONGEST_NAME = 100
_END_OF_TIME = 1e12


def variable_of(renderjuice_conn_id: str) -> str:
    """Key of the Airflow Variable that holds the inbox of a connection."""
    return _KEY + renderjuice_conn_id


def newest_variable_of(renderjuice_conn_id: str) -> str:
    """Key of the Airflow Variable that holds the newest events of a connection, for triggerers."""
    return _NEWEST_KEY + renderjuice_conn_id


class InboxFullError(Exception):
    """As many completed jobs wait for their asset events as there is room for."""


class Event(NamedTuple):
    """One event, as it was noted.

    Attributes:
        number: its place among all events of the connection, from 1.
        job_id: the job it is about.
        event: its name, such as `onRenderComplete`.
        received: seconds since the epoch.
    """

    number: int
    job_id: str
    event: str
    received: float


class Pending(NamedTuple):
    """A job whose completion Renderjuice reported, and that has no asset event yet."""

    number: int
    job_id: str


@dataclass(frozen=True)
class Inbox:
    """The noted events of one connection.

    Attributes:
        count: how many were ever noted; it never goes back unless someone deletes the Variable.
        last: when the newest was received, in seconds since the epoch; 0 without any.
        events: the newest 500, newest last.
        pending: the jobs whose asset event is not made yet, oldest first, at most 10,000.
    """

    count: int = 0
    last: float = 0.0
    events: tuple[Event, ...] = ()
    pending: tuple[Pending, ...] = ()

    @classmethod
    def parse(cls, text: str | None) -> Inbox:
        """The inbox in a Variable's text; an empty one for none, and for what is no inbox.

        Whatever of it makes sense is kept: rows that do not are left out, and what a later version
        adds to the text or to a row is not read.
        """
        try:
            content = json.loads(text or "{}")
        except (ValueError, RecursionError):
            content = None
        content = content if isinstance(content, dict) else {}
        events = sorted(event for row in _rows(content.get("events")) if (event := _event(row)))
        pending = sorted(job for row in _rows(content.get("pending")) if (job := _pending(row)))
        count, last = content.get("count"), content.get("last")
        numbers = [event.number for event in events] + [job.number for job in pending]
        return cls(
            count=max([count if _is_number(count) else 0, *numbers]),
            last=max([*(event.received for event in events[-1:]), last if _is_moment(last) else 0.0]),
            events=tuple(events[-MOST_EVENTS:]),
            pending=tuple(pending[-MOST_PENDING:]),
        )

    def serialize(self) -> str:
        """The text of the Variable: compact, since each group of events writes it."""
        content = {
            "version": _VERSION,
            "count": self.count,
            "last": self.last,
            "events": self.events,
            "pending": self.pending,
        }
        return json.dumps(content, separators=(",", ":"))

    def add(self, events: Iterable[tuple[str, str]], now: float, *, is_wanted: bool = True) -> Inbox:
        """The inbox with these events, each a job id and the event's name; itself if none is new.

        The same event about the same job is noted once, as long as it is among the newest or still
        pending; where no asset events are wanted, no job becomes it.

        Raises:
            InboxFullError: with these, too many jobs would be pending. The events are to be sent
                again later: no asset event may be lost.
        """
        known = {(event.job_id, event.event) for event in self.events}
        known |= {(job.job_id, RENDER_COMPLETE) for job in self.pending}
        new: list[Event] = []
        for job_id, given in events:
            name = given[:_LONGEST_NAME]
            if (job_id, name) not in known:
                known.add((job_id, name))
                new.append(Event(self.count + len(new) + 1, job_id, name, round(now, 3)))
        if not new:
            return self
        completed = [Pending(event.number, event.job_id) for event in new if event.event == RENDER_COMPLETE]
        pending = completed if is_wanted else []
        if pending and len(self.pending) + len(pending) > MOST_PENDING:
            raise InboxFullError(f"{len(self.pending):,} completed jobs wait for their asset events")
        return Inbox(
            count=new[-1].number,
            last=new[-1].received,
            events=(*self.events, *new)[-MOST_EVENTS:],
            pending=(*self.pending, *pending),
        )

    def since(self, count: int) -> frozenset[str] | None:
        """The jobs of the events after the first `count` ones.

        None where they are not all known: more came than are kept, or someone deleted the Variable
        and counting began again. Any job may be among them then.
        """
        later = [event.job_id for event in self.events if event.number > count]
        return frozenset(later) if len(later) == self.count - count else None

    def newest(self) -> Inbox:
        """What triggerers read: the newest events alone."""
        return replace(self, events=self.events[-MOST_NEWEST:], pending=())

    def followed_by(self, newest: Inbox) -> Inbox | None:
        """The events of this inbox and of a later `newest`; None where one between is not known."""
        later = [event for event in newest.events if event.number > self.count]
        # Without our last one someone deleted them, and counting may have got as far again.
        is_continued = not self.events or self.events[-1] in newest.events
        if len(later) != newest.count - self.count or not is_continued:
            return None
        return replace(newest, events=(*self.events, *later)[-MOST_EVENTS:])

    def without_pending(self, numbers: Collection[int]) -> Inbox:
        """The inbox without these pending jobs, named by their events' numbers."""
        return replace(self, pending=tuple(job for job in self.pending if job.number not in numbers))


def _rows(value: Any) -> list[Any]:
    return [row for row in value if isinstance(row, list)] if isinstance(value, list) else []


# Plain tests: an inbox has hundreds of rows, and is read while events wait.
def _event(row: list[Any]) -> Event | None:
    if len(row) < len(Event._fields):
        return None
    number, job_id, event, received = row[: len(Event._fields)]
    named = type(job_id) is str and type(event) is str
    return Event(number, job_id, event, received) if named and _is_number(number) and _is_moment(received) else None


def _pending(row: list[Any]) -> Pending | None:
    if len(row) < len(Pending._fields):
        return None
    number, job_id = row[: len(Pending._fields)]
    return Pending(number, job_id) if type(job_id) is str and _is_number(number) else None


def _is_number(value: Any) -> TypeGuard[int]:
    return type(value) is int and value > 0


def _is_moment(value: Any) -> TypeGuard[float]:
    return type(value) in {int, float} and 0 <= value < _END_OF_TIME  # nor is NaN between them
