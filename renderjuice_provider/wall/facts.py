"""What is known of rows before anything is decided: from Airflow's tables, and from Renderjuice.

`TaskFacts` and `RowFacts` are read by SQL, `JobFacts` and `Look` come from the farm's side. Rows
are made of both in `renderjuice_provider.wall.rows`, and actions are planned from them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from renderjuice_provider.wall.models import Act, Connection, Done, Frame, Money, Plan, RowState, WantedAction
from renderjuice_provider.wall.roles import Role

if TYPE_CHECKING:
    from fastapi import Request

__all__ = [
    "Farm",
    "JobFacts",
    "Left",
    "Look",
    "Picture",
    "Rate",
    "RowFacts",
    "Steer",
    "TaskFacts",
]


@dataclass(frozen=True)
class Left:
    """What a task leaves for people, as the XCom `xcom_keys.REASON`.

    Attributes:
        state: `failed`, `rejected`, `stopped` or `skipped`: what became of the row by it; or
            `waiting`.
        reason: why, in one line.
        next_step: what to do about it; may be empty.
    """

    state: RowState
    reason: str
    next_step: str = ""


@dataclass(frozen=True)
class TaskFacts:
    """A task instance of a row.

    Attributes:
        id: Airflow's UUID of the task instance.
        dag_id: of its run.
        run_id: of its run.
        task_id: of it.
        map_index: -1 where it is not mapped.
        operator: the name of its class, also of a mapped one.
        role: what it does for the render.
        state: Airflow's; None before it is scheduled.
        try_number: of its newest try.
        max_tries: after how many there is no other; a user's clear raises it.
        started: when its newest try began.
        ended: when that ended.
        label: of a mapped task (`map_index_template`).
        job_id: the newest job that it has published or waits for, or was given as an argument.
        conn_id: its Airflow connection; empty where its operator has none.
        fields: its template fields: rendered, as long as Airflow keeps them; else what the DAG file
            says, without what is a template there.
        config: the render configuration that it orders; empty where it is not known.
        results: its XComs that a row is made of, by key.
        jobs: all jobs that it is known to have ordered, and what each is billed; None: not known.
        left: what it has left to be read by people: why it failed, was skipped, or waits.
        quote: what it has left about the shot's cost: `xcom_keys.QUOTE`; empty where there is none.
    """

    id: str
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    operator: str
    role: Role
    state: str | None
    try_number: int = 0
    max_tries: int = 0
    started: datetime | None = None
    ended: datetime | None = None
    label: str | None = None
    job_id: str | None = None
    conn_id: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    results: Mapping[str, Any] = field(default_factory=dict)
    jobs: Mapping[str, float | None] = field(default_factory=dict)
    left: Left | None = None
    quote: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RowFacts:
    """The tasks of a row, and its run.

    Attributes:
        id: as in `Row`.
        dag_id: of the run.
        run_id: of the run.
        run_state: Airflow's state of the run.
        run_after: when the run was due.
        conf: the run's parameters: the defaults of its DAG, with those that it was started with.
        note: of the run.
        tasks: in the order of the DAG, those of Renderjuice and those that come after them.
        is_shot: whether the whole run is the row.
        heart: the task that the row is made around; empty of a shot.
    """

    id: str
    dag_id: str
    run_id: str
    run_state: str
    run_after: datetime | None = None
    conf: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    tasks: tuple[TaskFacts, ...] = ()
    is_shot: bool = False
    heart: str = ""

    @property
    def job_ids(self) -> tuple[str, ...]:
        """Its jobs, each once, also those of earlier rounds."""
        return tuple(dict.fromkeys(job for task in self.tasks for job in (*task.jobs, task.job_id) if job))

    @property
    def jobs(self) -> dict[str, str]:
        """The connection of each of its jobs."""
        return {job: task.conn_id for task in self.tasks for job in (*task.jobs, task.job_id) if job and task.conn_id}


@dataclass(frozen=True)
class Rate:
    """What a normalized hour costs on a connection.

    Attributes:
        per_hour: the price.
        currency: ISO 4217.
    """

    per_hour: float
    currency: str

    def money(self, normalized_seconds: float) -> Money:
        """What so much rendering costs."""
        return Money(amount=round(normalized_seconds / 3600 * self.per_hour, 4), currency=self.currency)


@dataclass(frozen=True)
class JobFacts:
    """What Renderjuice says of a job, and what was seen of it over time.

    Attributes:
        job_id: of it.
        status: Renderjuice's word, which may be new.
        frames_total: by its counters, as the following.
        frames_done: how many are rendered.
        frames_failed: how many are not, and will not be.
        frame_times: seconds between its newest frames, as they were seen: a few, the newest last.
        normalized_seconds: what it is billed until now.
        queue_seconds: how long it has waited for a machine until now; None before it is ordered.
        rendering_since: when it was first seen to render.
        last_sign: when a counter or its status last moved.
        ended: when it was over.
        reason: why it failed, in Renderjuice's words; else empty.
        picture: the key of its newest picture.
        config: the configuration that it renders with, where Renderjuice says so.
    """

    job_id: str
    status: str
    frames_total: int | None = None
    frames_done: int | None = None
    frames_failed: int = 0
    frame_times: tuple[float, ...] = ()
    normalized_seconds: float | None = None
    queue_seconds: float | None = None
    rendering_since: datetime | None = None
    last_sign: datetime | None = None
    ended: datetime | None = None
    reason: str = ""
    picture: str | None = None
    config: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Look:
    """What is known of the farm at a moment.

    Attributes:
        jobs: by id. A job that nobody has read yet is not in it.
        connections: one for each that was asked for.
        rates: of the connections that have one.
    """

    jobs: Mapping[str, JobFacts] = field(default_factory=dict)
    connections: tuple[Connection, ...] = ()
    rates: Mapping[str, Rate] = field(default_factory=dict)


@dataclass(frozen=True)
class Picture:
    """A picture to send.

    Attributes:
        content: its bytes.
        media_type: `image/jpeg`, `image/png` or `image/webp`.
        etag: of these bytes, without quotes.
    """

    content: bytes
    media_type: str
    etag: str


class Farm(Protocol):
    """Renderjuice, as the wall sees it: a look is shared by everybody who watches."""

    async def look(self, jobs: Mapping[str, Collection[str]], over: Collection[str] = ()) -> Look:
        """What is known of jobs. Answers at once with what there is, and has it made newer.

        Args:
            jobs: by connection, those of the rows that are shown; a connection may have none yet.
            over: of these, jobs whose tasks are over: they are read once and kept.
        """
        ...

    async def frames(self, conn_id: str, job_ids: Collection[str]) -> list[Frame]:
        """The frames of jobs, for a contact sheet, by name. `Frame.picture` is a farm's key.

        A key begins with the job's id and a dot, and is safe in a URL.
        """
        ...

    async def picture(self, conn_id: str, key: str, size: int) -> Picture | None:
        """A picture, at most `size` pixels wide and high; None when there is none."""
        ...


class Steer(Protocol):
    """What people do to rows, by Airflow's own API and with their own rights.

    The rows are those of the request that the user may see, as they are now.
    """

    async def plan(
        self, request: Request, user: Any, wanted: WantedAction, rows: Sequence[RowFacts], look: Look
    ) -> Plan:
        """What an action would do, and what it would cost."""
        ...

    async def act(self, request: Request, user: Any, wanted: Act, rows: Sequence[RowFacts], look: Look) -> Done | Plan:
        """Do it; or, when it would not be what the user has confirmed, the plan as it is now."""
        ...
