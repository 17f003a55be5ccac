"""Rendering a scene: from the order book to the outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from renderjuice.fetching import Fetching
from renderjuice.order_book import Booked, OrderBook, locked
from renderjuice.output import when
from renderjuice.walks import Quiet, Seen
from renderjuice_provider.api._flow import Flow, RunInThread
from renderjuice_provider.api._operations import Operations
from renderjuice_provider.api.errors import Bill, RenderjuiceError, RetryEffect
from renderjuice_provider.api.models import Job
from renderjuice_provider.api.scene_file import SceneFile, content_fingerprint
from renderjuice_provider.lifecycle.course import Course, Past
from renderjuice_provider.lifecycle.outcome import Outcome
from renderjuice_provider.lifecycle.record import Order
from renderjuice_provider.lifecycle.unfinished import leaves


class Renders:
    """Renders a scene, or a validated job: from the order book to the outputs.

    Args:
        order: what is ordered, without the fingerprint of its scene.
        book: of the orders of this machine.
        operations: of the client that performs this.
        again: whether to render also what was rendered already, which costs again.
        fetching: what to do with the outputs; None to leave them.
        say: gets what a person should know.
    """

    def __init__(
        self,
        order: Order,
        book: OrderBook,
        operations: Operations,
        *,
        again: bool,
        fetching: Fetching | None,
        say: Callable[[str], None],
    ) -> None:
        self.seen = Seen(order.name)
        self._order = order
        self._book = book
        self._operations = operations
        self._again = again
        self.fetching = fetching
        self._log = Spoken(order.name, say)
        self._open = ExitStack()
        self._booked: Booked

    def begin(self) -> Flow[Job]:
        """See `Walk`."""
        yield from RunInThread(self._look_up)
        return (yield from self._to_the_end(self._course().run()))

    def resumed(self, outcome: Outcome, waited_for: Mapping[str, Any]) -> Flow[Job]:
        """See `Walk`."""
        return self._to_the_end(self._course().resumed(outcome, waited_for))

    def _to_the_end(self, course: Flow[Job]) -> Flow[Job]:
        try:
            job = yield from course
        except RenderjuiceError as error:
            raise self._worded(error) from None
        if self.fetching is not None and job.is_over:
            yield from self.fetching.fetch(self._operations, job, self.seen)
        return job

    def save(self, record: Mapping[str, Any]) -> None:
        """See `Walk`."""
        self._booked = replace(self._booked, record=dict(record))
        self._booked.save()

    def end(self) -> None:
        """See `Walk`."""
        self._open.close()

    def _look_up(self) -> None:
        """The order in the book: what is there is taken up."""
        order, content = self._order, self._order.job_id or ""
        self.seen.doing = "checking"
        if order.scene is not None:
            content = content_fingerprint(order.scene) or SceneFile.check(order.scene).name  # says what is wrong
            order = self._order = replace(order, content=content)
        place = self._book.place(order.mark, content)
        self._open.enter_context(locked(place))
        now = self._operations.now().timestamp()
        self._booked = self._book.open(place, Path(order.source or content), order.name, order.config, now)
        tries = (self._booked.record or {}).get("max_tries", 0)
        self._tries = tries + 1 if self._again else tries  # another number is a clear: see `JobRecord`
        if self._again:
            self._order = replace(order, on_clear="resubmit")
        elif self._booked.job_id:
            self._log.info("ordered %s as job %s: taking it up", when(self._booked.ordered_at), self._booked.job_id)

    def _course(self) -> Course:
        past = Past(self._booked.record, is_kept=True, max_tries=self._tries)
        return Course(self._order, past, self._operations, self._log)

    def _worded(self, error: RenderjuiceError) -> RenderjuiceError:
        """The same error for a person at a terminal: what is running, and which command helps."""
        job = self.seen.job
        error = leaves(error, job, self._booked.job_id or "")
        if error.bill in {Bill.RUNNING, Bill.MAY_RUN, Bill.LEFT_ALONE} and error.job_id:
            return error.settle(next_step=f"`renderjuice cancel {error.job_id}` stops it")
        if error.retry is RetryEffect.NEW_JOB:
            return error.settle(next_step="give the same command again")
        return error


class Spoken(Quiet):
    """A log that a person reads."""

    def __init__(self, name: str, say: Callable[[str], None]) -> None:
        self._name = name
        self._say = say

    def info(self, text: str, *arguments: Any) -> None:
        """Say it, but for what its name says already."""
        line = text % arguments
        if line != f"The scene is {self._name}.blend":
            self._say(f"{self._name}: {line}")

    warning = info
