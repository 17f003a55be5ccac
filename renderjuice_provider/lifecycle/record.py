"""What a task orders, and what it writes down about it for its next try.

The record is written before anything is ordered and again as soon as there is a job, and always
before a render is paid for. It never holds a try number: all tries of one task instance are about
the same work.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from renderjuice_provider.api.config import check_render_config
from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.api.models import JobStatus
from renderjuice_provider.api.redact import storable
from renderjuice_provider.lifecycle.order import picture
from renderjuice_provider.lifecycle.stuck import Patience

OnClear = Literal["reattach", "resubmit"]
FINGERPRINT: Final = frozenset({"job_id", "render_config", "content", "source"})
"""The fields of an `Order` by which a task recognizes its own work.

Two tries are about the same work if they agree in these; if not, the job of the earlier try is
stopped, and the later one pays for its own. So a field belongs here only if another value means
other pixels: the job or the scene (by its bytes; by its place once the file is gone), and of the
render configuration what `renderjuice_provider.api.config` does not list as `CHANGES_NO_PIXEL`.

Everything else stays out. A priority that somebody raises between two tries must not stop a render
and pay for it twice: it holds for the next job, and a job under way keeps what it was ordered with.
Likewise for notes, hardware, time-outs and the connection's name.
"""


@dataclass(frozen=True)
class Order:
    """What one task orders. What must hold for a retry to go on with a job: see `FINGERPRINT`.

    Attributes:
        goal: `validated` or `completed`: where the job is to be in the end.
        timeout: seconds from the start of the work to the deadline.
        job_id: the job that the order is about; None where the order makes a job of its own.
        slug: of an upload of the scene, to make jobs of; None where the order uploads it.
        render_config: as the task has it; read with `config`.
        scene: the path of the scene to upload; None where the order is about a given job.
        content: fingerprint of the scene's bytes; None where there is no scene, or none any more.
        source: where the scene lies, as text.
        account: the connection's id and the base URL. It is not part of the fingerprint: a key sees
            only the jobs of its own account, so a job that can be read is ours.
        wait: whether to wait for the goal, or only until the last order is given.
        on_clear: what a user's clear means: `reattach` goes on with the job, `resubmit` stops it
            and starts again.
        replaces_job: whether a job of its own that is over without success is replaced by a new
            one, which costs again.
        cancel_on_kill: whether a kill cancels the job.
        cancel_on_timeout: whether the deadline does.
        most: normalized seconds that may be spent, by all jobs of the task; None for any number.
        patience: how long a job may go without a new frame; None for as long as it likes.
        spent: what earlier jobs of the task have cost; None for one whose cost is not known.
        try_ends: when Airflow's `execution_timeout` ends this try, in seconds since the epoch; None
            without one.
        name: what the artist calls it, for messages.
    """

    goal: JobStatus
    timeout: float
    job_id: str | None = None
    slug: str | None = None
    render_config: Any = None
    scene: Any = None
    content: str | None = None
    source: str | None = None
    account: tuple[str, str] = ("", "")
    wait: bool = True
    on_clear: OnClear = "reattach"
    replaces_job: bool = True
    cancel_on_kill: bool = False
    cancel_on_timeout: bool = False
    most: float | None = None
    patience: Patience | None = None
    spent: tuple[float | None, ...] = ()
    try_ends: float | None = None
    name: str = "The job"

    @property
    def makes_its_job(self) -> bool:
        """Whether the order creates its job, and a new one where the old one cannot succeed."""
        return self.job_id is None

    @property
    def renders(self) -> bool:
        """Whether it orders a render, which costs money."""
        return self.goal is JobStatus.COMPLETED

    @property
    def left(self) -> float | None:
        """Normalized seconds that the next job may spend; None for any number.

        A cost that is not known may have been all of them.
        """
        if self.most is None:
            return None
        return 0.0 if None in self.spent else self.most - sum(seconds or 0.0 for seconds in self.spent)

    @property
    def is_spent(self) -> bool:
        """Whether nothing more may be spent."""
        return self.left is not None and self.left <= 0

    @property
    def config(self) -> dict[str, Any]:
        """The render configuration as JSON.

        Raises:
            RenderjuiceInputError: if it cannot be right.
        """
        return check_render_config(self.render_config).to_json()

    def check(self) -> None:
        """Refuse what cannot be right, before anything is sent.

        Raises:
            RenderjuiceInputError: for a render configuration that cannot be right, and a ceiling
                that nobody would hold.
        """
        if self.renders:
            check_render_config(self.render_config)
        if self.most is not None and not self.wait:
            raise RenderjuiceInputError(
                "max_normalized_seconds needs wait=True: a job that nobody watches is not stopped."
            )

    @property
    def mark(self) -> str:
        """Fingerprint of what decides on pixels, but for the scene."""
        return fingerprint(self.job_id, picture(self.config))

    @property
    def former_mark(self) -> str:
        """The mark in records of version 0.1.0: with the path, all fields, and the connection."""
        return fingerprint(self.job_id or self.source, self.config, *self.account)


class JobRecord(BaseModel):
    """One order of one task instance.

    Attributes:
        work: fingerprint of what was ordered: `Order.mark`.
        content: fingerprint of the scene's bytes; None where the order is about a given job.
        source: where that scene lay.
        slug: the uploaded scene, once it is uploaded.
        job_id: the job, once there is one.
        started: when the work began, in seconds since the epoch.
        deadline: when it is given up, likewise. A retry does not prolong it.
        max_tries: Airflow's own limit at that time. A retry leaves it alone, a user's clear raises
            it: so the two can be distinguished.
        spent: normalized seconds of each earlier job of this work, since a user's clear; None where
            Renderjuice does not say.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Literal[1] = 1
    work: str
    content: str | None = None
    source: str | None = None
    slug: str | None = None
    job_id: str | None = None
    started: float
    deadline: float
    max_tries: int = 0
    spent: tuple[float | None, ...] = ()

    @classmethod
    def read(cls, stored: Any) -> Self | None:
        """A stored record; None when there is none, or this version does not understand it."""
        try:
            return cls.model_validate(stored)
        except ValidationError:
            return None

    @classmethod
    def of(cls, order: Order, now: float, max_tries: int) -> Self:
        """The record of new work."""
        return cls(
            work=order.mark,
            content=order.content,
            source=order.source,
            job_id=order.job_id,
            started=now,
            deadline=now + order.timeout,
            max_tries=max_tries,
        )

    def is_about(self, order: Order) -> bool:
        """Whether this is the record of the same work.

        A scene that is gone by now counts as unchanged: it was uploaded.
        """
        if self.work == order.former_mark:
            return order.content is None or self.content == order.content
        same_scene = self._same_source(order) if order.content is None else self.content == order.content
        return self.work == order.mark and same_scene

    def _same_source(self, order: Order) -> bool:
        """As far as a record may say where a scene lay."""
        return bool(storable(self.source) == storable(order.source))

    def was_cleared(self, max_tries: int) -> bool:
        """Whether a user has cleared the task since this was written."""
        return max_tries != self.max_tries

    def extended(self, now: float, timeout: float, max_tries: int) -> JobRecord:
        """For another try: the same deadline while it lies ahead, a new one after.

        A user's clear allows as much again to be spent.
        """
        changes: dict[str, Any] = {} if now < self.deadline else {"started": now, "deadline": now + timeout}
        if self.was_cleared(max_tries):
            changes["spent"] = ()
        return self.model_copy(update=changes | {"max_tries": max_tries})


def fingerprint(*parts: Any) -> str:
    """A short name for JSON values: the same for the same values, whatever the order of keys."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
