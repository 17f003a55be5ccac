"""What a kill means for the job of the task that is killed: cancel it, or leave it to the next try.

Airflow also ends a process although its task goes on: when it takes the process for dead and
gives the task to another, and when a user clears the task. Cancelling then would throw away a
render that the next try takes up; leaving a job that no try will take up would cost money until
somebody notices. `TABLE` decides between the two. Its rows are read from above, and the first
that fits counts; what a row does not name may be anything.

The trigger of a deferred task asks the same table. It knows the task's state and nothing else,
and what it does not know stands at its default: there is a next try, and it finds the job.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final

GONE = "gone"
"""Not a state of Airflow's: neither the task instance nor its DAG run exists any more. Somebody
deleted the DAG, or the run."""
DELETED = "deleted"
"""Not one either: the task instance was deleted, its DAG run was not. Airflow may create the task
instance again, and then it looks for its job."""
ENDED = frozenset({"failed", "success", "skipped", "upstream_failed", "removed", GONE})
"""The states of a task instance that no process goes on with."""
NOT_ASKED = "not asked"
"""Airflow has not been asked for the state yet."""
NO_ANSWER = "no answer"
"""Airflow was asked for the state and did not say."""


class Decision(Enum):
    """What to do with the job of a task that is killed."""

    CANCEL = "cancel"
    LEAVE = "leave"
    ASK = "ask Airflow for the state, then decide again"


@dataclass(frozen=True)
class Kill:
    """What is known about a kill.

    Attributes:
        state: of the task instance in Airflow's database; or GONE, DELETED, NOT_ASKED, NO_ANSWER.
        tries_left: whether Airflow would start another try by itself.
        on_clear: what a clear means, `reattach` or `resubmit`: see `RenderjuiceRunJobOperator`.
        findable: whether the next try finds this job; before Airflow 3.3 it finds none.
        timed_out: whether Airflow ends the task for its `execution_timeout`.
        in_process: whether scheduler, worker and triggerer are one process, as in `dag.test()`.
        wanted: whether the author wants a cancel: `cancel_on_timeout` after a time-out, else
            `cancel_on_kill`.
    """

    state: str = NOT_ASKED
    tries_left: bool = True
    on_clear: str = "reattach"
    findable: bool = True
    timed_out: bool = False
    in_process: bool = False
    wanted: bool = True


@dataclass(frozen=True, eq=False)
class Row:
    """One line of the table.

    Attributes:
        decision: what to do.
        why: one clause, for people.
        when: values that attributes of `Kill` must have; a set means one of these.
        warning: what the task's log must say, since the job may run on unseen; "" for nothing.
    """

    decision: Decision
    why: str
    when: Mapping[str, Any] = field(default_factory=dict)
    warning: str = ""

    def fits(self, kill: Kill) -> bool:
        """Whether the kill is one of these."""
        return all(
            getattr(kill, name) in value if isinstance(value, frozenset) else getattr(kill, name) == value
            for name, value in self.when.items()
        )


_NO_STATE = frozenset({"running", NO_ANSWER})
"""Airflow does not say that the task ended, so whether a try is left decides. Airflow takes tasks
for dead when it is overloaded, and then it may not answer in time either."""

TABLE: Final = (
    Row(Decision.LEAVE, "the author wants no cancel", {"wanted": False}),
    Row(Decision.CANCEL, "its time is up", {"timed_out": True}),
    Row(Decision.CANCEL, "the next try would not find it", {"findable": False}),
    Row(Decision.CANCEL, "there is no other process that could take it up", {"in_process": True}),
    Row(Decision.ASK, "the state decides", {"state": NOT_ASKED}),
    Row(Decision.CANCEL, "the task has ended", {"state": ENDED}),
    Row(
        Decision.LEAVE,
        "Airflow may create the task instance again",
        {"state": DELETED},
        "The task instance was deleted, its DAG run was not: if Airflow creates it again, it takes its job up",
    ),
    # The next try recognizes a clear by `max_tries`, which Airflow raises; but for a task that
    # was running Airflow may lose that, and then nobody would stop the job.
    Row(Decision.CANCEL, "a clear is to render again", {"state": "restarting", "on_clear": "resubmit"}),
    Row(Decision.CANCEL, "no try is left that could take it up", {"state": _NO_STATE, "tries_left": False}),
    Row(
        Decision.LEAVE,
        "the next try takes it up",
        {"state": NO_ANSWER},
        "Airflow does not say what becomes of this task; a next try takes its job up",
    ),
    Row(Decision.LEAVE, "the task goes on without this process"),
)


def decide(kill: Kill) -> Row:
    """The first row of the table that fits."""
    return next(row for row in TABLE if row.fits(kill))


def with_state(kill: Kill, state: str | None) -> Kill:
    """The same kill, once Airflow was asked; None when it did not answer."""
    return replace(kill, state=NO_ANSWER if state is None else state)


def may_stop_at_deadline(state: str | None, waits_until: float | None, deadline: float) -> bool:
    """Whether a trigger whose deadline has passed may stop the job.

    A trigger may outlive its deferral: its triggerer stalled, and meanwhile the task was tried
    again or cleared, and waits for the same job until a later deadline.

    Args:
        state: of the task instance; None in a trigger that has none.
        waits_until: the deadline that the task instance has now, in seconds since the epoch; None
            where it does not say.
        deadline: of the trigger, likewise.
    """
    has_moved_on = waits_until is not None and waits_until > deadline
    return (state in {None, "deferred"} or state in ENDED) and not has_moved_on
