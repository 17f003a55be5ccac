"""Whether Renderjuice's events can be relied on, so that renders need to be polled but rarely.

Pure: it is given what was read, and the time. An event is a hint: it says when to poll a job, never
what became of it. So nothing is lost where events do not arrive, as long as jobs are polled in
time; whether they do arrive shows by itself:

- an event has come within the last day, and the inbox is read as it should be;
- since then, no job was found to be completed by a poll without its event coming within a minute.

The first event that comes in time restores what a lost one has cost.
"""

from __future__ import annotations

from renderjuice_provider.lifecycle.inbox import Event, Inbox

FRESH = 24 * 3600.0
"""Seconds for which an event proves that others will come: nights are a day apart."""
PATIENCE = 60.0
"""Seconds in which the event of a completed job must have come, and in which the inbox must have
been read. Renderjuice sends an event again when it was not taken, and that takes a while."""
_MOST_AWAITED = 1000
"""Completed jobs without an event that are remembered, to know a late one when it comes."""


class Arrivals:
    """What is known of the events of one connection. All times are in seconds since the epoch."""

    def __init__(self) -> None:
        self._count: int | None = None
        self._newest: Event | None = None
        self._job_ids: frozenset[str] = frozenset()
        self._read = self._arrived = self._lost = float("-inf")
        self._awaited: dict[str, float] = {}
        """Jobs that a poll found to be completed before their event came, and when."""

    def on_inbox(self, inbox: Inbox, now: float) -> frozenset[str] | None:
        """Take note of an inbox that was read.

        Returns:
            The jobs, in lower case, whose events are new; at first all that it holds. None where
            any job may be among them.
        """
        # Without it someone deleted the Variable, and counting may have got as far again.
        is_continued = self._newest is None or self._newest in inbox.events
        new = inbox.since(self._count) if self._count is not None and is_continued else None
        is_first, self._count, self._read = self._count is None, inbox.count, now
        self._newest = inbox.events[-1] if inbox.events else None
        self._job_ids = frozenset(event.job_id.lower() for event in inbox.events)
        if is_first:
            self._arrived = min(inbox.last, now)  # the clock of the machine that noted it may be ahead
            return self._job_ids
        new = None if new is None else frozenset(map(str.lower, new))
        came = self._job_ids if new is None else new
        late = {job_id for job_id in came if now - self._awaited.pop(job_id, now) > PATIENCE}
        if came - late:
            self._arrived = now
        return new

    def on_completed(self, job_id: str, now: float) -> None:
        """Take note of a job that a poll found to be completed, and that was not before."""
        if not self.has_come(job_id):
            self._awaited[job_id.lower()] = now
            if len(self._awaited) > _MOST_AWAITED:
                self._awaited.pop(next(iter(self._awaited)))

    def has_come(self, job_id: str) -> bool:
        """Whether an event about this job is among the newest."""
        return job_id.lower() in self._job_ids

    def are_proven(self, now: float) -> bool:
        """Whether the event of a render that completes may be relied on."""
        missed = (found + PATIENCE for found in self._awaited.values())
        self._lost = max([self._lost, *(moment for moment in missed if moment < now)])
        return now - self._read <= PATIENCE and self._lost < self._arrived and now - self._arrived <= FRESH
