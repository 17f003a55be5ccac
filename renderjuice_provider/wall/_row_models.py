"""Rows, and the night that they make; see `renderjuice_provider.wall.models`."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel


class RowState(StrEnum):
    """What a row is doing, or what became of it."""

    WAITING = "waiting"
    UPLOADING = "uploading"
    VALIDATING = "validating"
    QUEUED = "queued"
    RENDERING = "rendering"
    FINISHING = "finishing"
    COMPOSITING = "compositing"
    DELIVERING = "delivering"
    DELIVERED = "delivered"
    RENDERED = "rendered"
    FAILED = "failed"
    REJECTED = "rejected"
    STOPPED = "stopped"
    SKIPPED = "skipped"


OVER = frozenset(
    {
        RowState.DELIVERED,
        RowState.RENDERED,
        RowState.FAILED,
        RowState.REJECTED,
        RowState.STOPPED,
        RowState.SKIPPED,
    }
)
"""States in which nothing happens any more unless a person acts."""
STAGES = ("uploaded", "validated", "rendered", "composited", "delivered")
"""The stages of a row in their order; a row has those that its tasks lead to."""
StageState = Literal["waiting", "running", "done", "failed", "skipped"]


class Action(StrEnum):
    """What a person does to rows."""

    STOP = "stop"
    AGAIN = "again"
    MISSING = "missing"
    TAKE_UP = "take_up"
    SETTINGS = "settings"


class Money(BaseModel, frozen=True):
    """An amount by the connection's rate.

    Attributes:
        amount: normalized hours times the rate.
        currency: ISO 4217, such as `EUR`.
    """

    amount: float
    currency: str


class Allowed(BaseModel, frozen=True):
    """What something may cost, or is expected to.

    Attributes:
        normalized_seconds: as Renderjuice bills them.
        money: of these; None without a rate, or with several.
    """

    normalized_seconds: float
    money: Money | None = None


class Connection(BaseModel, frozen=True):
    """Whether Renderjuice answers for a connection, and how old what it said is.

    Attributes:
        connection: the id of the Airflow connection.
        answers: whether the newest request was answered.
        age: seconds since the newest response; None before the first.
        error: what is wrong, and what to do, in a sentence.
    """

    connection: str
    answers: bool
    age: float | None = None
    error: str | None = None


class Expected(BaseModel, frozen=True):
    """When the last row that is under way will probably be over."""

    likely: datetime
    earliest: datetime
    latest: datetime


class Remaining(BaseModel, frozen=True):
    """Seconds until a row is rendered: most probably, at least and at most."""

    likely: float
    least: float
    most: float


class Total(BaseModel, frozen=True):
    """The whole night.

    Attributes:
        rows: how many rows there are.
        by_state: how many of each state; states that no row has are left out.
        frames_done: of all rows.
        frames_total: of all rows, as far as their frames are counted.
        normalized_seconds: of all jobs whose cost is known.
        jobs_of_unknown_cost: how many it does not include.
        money: of `normalized_seconds`; None without a rate, or with rates in several currencies.
        quote: what the rows were expected to cost; None where none was quoted.
        ceiling: what the night may cost; None without one, or with several.
        expected_end: when the last row ends; None when none is under way, or nothing is known.
    """

    rows: int = 0
    by_state: dict[RowState, int] = {}
    frames_done: int = 0
    frames_total: int = 0
    normalized_seconds: float = 0.0
    jobs_of_unknown_cost: int = 0
    money: Money | None = None
    quote: Allowed | None = None
    ceiling: Allowed | None = None
    expected_end: Expected | None = None


class Layer(BaseModel, frozen=True):
    """A scene of a shot, rendered as a job of its own.

    Attributes:
        name: its label.
        state: as that of a row.
        job_id: its newest job.
        frames_done: by Renderjuice's counters.
        frames_total: likewise.
    """

    name: str
    state: RowState
    job_id: str | None = None
    frames_done: int | None = None
    frames_total: int | None = None


class Stage(BaseModel, frozen=True):
    """A part of a row's way.

    Attributes:
        name: one of `STAGES`.
        state: of it.
        task_id: the task to open for it.
        map_index: of that task; -1 where it is not mapped.
    """

    name: str
    state: StageState
    task_id: str
    map_index: int = -1


class Frames(BaseModel, frozen=True):
    """How many frames a row has."""

    total: int
    done: int
    failed: int = 0


class Links(BaseModel, frozen=True):
    """Pages of Airflow, relative to `document.baseURI`.

    Attributes:
        task: the task to open.
        log: of that task's newest try.
        run: the DAG run.
        delivery: the row's delivery, where it can be opened.
    """

    task: str
    log: str
    run: str
    delivery: str | None = None


class Row(BaseModel, frozen=True):
    """One shot, or one task that renders.

    Attributes:
        id: opaque, stable and safe in a URL.
        dag_id: of the run.
        run_id: of the run.
        task_id: the task to open.
        map_index: of that task; -1 where it is not mapped.
        name: what the artist calls it.
        sequence: that the shot belongs to.
        layers: of a shot.
        state: what it is doing, or what became of it.
        stages: in their order.
        frames: counted by Renderjuice.
        started: when its first task began.
        ended: when its last task ended; None while it is not over.
        elapsed: seconds from the first to the second, or until now.
        remaining: until it is rendered.
        queue_seconds: how long its jobs have waited for a machine, in all.
        normalized_seconds: what its jobs are billed, as far as that is known.
        money: of `normalized_seconds`; None without a rate.
        quote: what it was expected to cost; None where it was not quoted.
        share: what of the night's ceiling it may spend; None while it has none.
        last_sign: when something last moved.
        reason: of a failure or a rejection, in one line; else empty.
        next_step: what to do about it; else empty.
        picture: the key of its last picture.
        links: pages about it.
        can: the actions that its state allows; a plan says whether the user may.
    """

    id: str
    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1
    name: str
    sequence: str | None = None
    layers: list[Layer] = []
    state: RowState
    stages: list[Stage] = []
    frames: Frames | None = None
    started: datetime | None = None
    ended: datetime | None = None
    elapsed: float | None = None
    remaining: Remaining | None = None
    queue_seconds: float | None = None
    normalized_seconds: float | None = None
    money: Money | None = None
    quote: Allowed | None = None
    share: Allowed | None = None
    last_sign: datetime | None = None
    reason: str = ""
    next_step: str = ""
    picture: str | None = None
    links: Links
    can: list[Action] = []


class Night(BaseModel, frozen=True):
    """`GET /renderjuice/wall/night`.

    Attributes:
        now: the server's clock.
        rows: the newest first.
        more: whether there were more rows than are shown.
        farms: one for each connection that the rows use.
        total: of the rows.
    """

    now: datetime
    rows: list[Row]
    more: bool = False
    farms: list[Connection] = []
    total: Total = Total()
