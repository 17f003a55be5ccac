"""What an error says about money: two fields, and the one place that makes a sentence of them.

A worker, a triggerer and a web page hand an error on as text alone, so the text has to hold all of
it: what became of the bill, what a retry would do, and what the reader can do.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from renderjuice_provider.api.models import Job


class Bill(StrEnum):
    """What has happened to the money when an error is raised."""

    NOTHING_SPENT = "nothing spent"
    """Nothing was ordered that costs anything: a bad argument, an upload that failed."""
    NOTHING_ORDERED = "nothing ordered"
    """There is a job, or may be one, and nobody has ordered its render."""
    NOTHING_RENDERED = "nothing rendered"
    """The job is over, and never rendered: it failed in validation, or was cancelled before."""
    BILLED = "billed"
    """The job is over; what it rendered until then is billed."""
    BILLED_IF_RENDERED = "billed if rendered"
    """The job is over, and whether it has rendered anything is not known."""
    KEPT = "paid and kept"
    """The job is over; its outputs are paid, and are kept at Renderjuice."""
    RUNNING = "running"
    """The job was left running, as was wished, and costs money."""
    MAY_RUN = "may be running"
    """The job should have stopped, or may have started, and nobody knows: it may cost money."""
    LEFT_ALONE = "left alone"
    """Nothing was done about the job: whatever it costs, it goes on to cost."""
    LEFT_AS_IT_IS = "left as it is"
    """The job renders, or has rendered, for somebody else, and was not touched."""
    UNCHANGED = "unchanged"
    """A question, or an order that certainly changed no job and no bill."""
    UNKNOWN = "unknown"


class RetryEffect(StrEnum):
    """What a retry of the same task, or of the same call, would do."""

    REATTACHES = "re-attaches"
    READS_AGAIN = "reads the job again"
    STOPS_AGAIN = "tries again to stop the job"
    NEW_JOB = "starts a new job"
    """It costs again."""
    REPEATS = "repeats harmlessly"
    """It may help, and costs nothing."""
    AFTER_CORRECTION = "helps once corrected"
    """It fails in the same way until a person has corrected something."""
    CANNOT_HELP = "cannot help"
    UNKNOWN = "unknown"


_OPEN = frozenset({Bill.KEPT, Bill.RUNNING, Bill.MAY_RUN, Bill.LEFT_ALONE})
"""The reader can do something about these at once, so the next step follows them and not the
retry."""
_BILLS = {
    Bill.NOTHING_SPENT: "Nothing was spent",
    Bill.NOTHING_ORDERED: "Nothing is rendering and nothing was spent",
    Bill.NOTHING_RENDERED: "Nothing is running; nothing was rendered, so nothing is billed",
    Bill.BILLED: "Nothing is running; what was rendered is billed",
    Bill.BILLED_IF_RENDERED: "Nothing is running; what was rendered, if anything, is billed",
    Bill.KEPT: "The render is paid and kept",
    Bill.RUNNING: "The job was left running",
    Bill.MAY_RUN: "The job may be running, and costs money",
    Bill.LEFT_ALONE: "Nothing was started or stopped. The job was left alone",
    Bill.LEFT_AS_IT_IS: "The job was left as it is; what it renders is billed",
    Bill.UNCHANGED: "No job was changed",
    Bill.UNKNOWN: "What this costs is not known",
}
_RETRIES = {
    RetryEffect.REATTACHES: "a retry re-attaches to it",
    RetryEffect.READS_AGAIN: "a retry reads it again",
    RetryEffect.STOPS_AGAIN: "a retry tries again to stop it",
    RetryEffect.NEW_JOB: "a retry starts a new job",
    RetryEffect.REPEATS: "a retry repeats this and costs nothing",
    RetryEffect.AFTER_CORRECTION: "a retry fails alike until this is corrected",
    RetryEffect.CANNOT_HELP: "a retry cannot help",
    RetryEffect.UNKNOWN: "what a retry would do is not known",
}


class Money(TypedDict, total=False):
    """What an error is made with, beside its message."""

    bill: Bill
    retry: RetryEffect
    next_step: str
    """What the reader can do, in words that follow a colon."""
    normalized_seconds: float | None
    """What is billed, where Renderjuice says it."""
    job_id: str
    """The job that it is about."""


def sentence(
    bill: Bill, retry: RetryEffect, next_step: str = "", normalized_seconds: float | None = None, job_id: str = ""
) -> str:
    """The end of an error's message; for the arguments see `Money`."""
    money, then = _BILLS[bill], _RETRIES[retry]
    if bill is Bill.BILLED and normalized_seconds:
        money = f"Nothing is running; {normalized_seconds:g} normalized seconds are billed"
    if bill in _OPEN:
        text = f"{money}: {next_step}; {then}." if next_step else f"{money}: {then}."
    else:
        then = then[0].upper() + then[1:]
        text = f"{money}. {then}: {next_step}." if next_step else f"{money}. {then}."
    return f"{text} (job {job_id})" if job_id else text


def bill_of(job: Job, *, render_ordered: bool | None = None) -> Bill:
    """What a job that is over has cost. A cost that nobody knows is never said to be nothing.

    Args:
        job: as last read.
        render_ordered: whether its render was ordered; None where the caller does not know. A job
            that failed in validation has rendered nothing.
    """
    if job.normalized_seconds:
        return Bill.BILLED
    if job.requested_config is not None or job.final_config is not None:
        render_ordered = True
    if job.normalized_seconds == 0 or render_ordered is False:
        return Bill.NOTHING_RENDERED
    return Bill.BILLED if render_ordered else Bill.BILLED_IF_RENDERED
