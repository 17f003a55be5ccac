"""What an error means for the money of a task that already has a job."""

from __future__ import annotations

from renderjuice_provider.api._money import bill_of
from renderjuice_provider.api.errors import Bill, RenderjuiceError, RetryEffect
from renderjuice_provider.api.models import RENDER_STARTED, Job, JobStatus

_ABOUT_THE_CALL = frozenset({Bill.UNCHANGED, Bill.NOTHING_SPENT, Bill.UNKNOWN})
"""What an error says as long as nobody knows which job it is about."""
_CLEAR = {JobStatus.CREATED, JobStatus.VALIDATING, JobStatus.VALIDATED, *RENDER_STARTED}
"""Of a job in any other status nobody knows whether its render was ordered."""


def leaves(error: RenderjuiceError, job: Job | None, job_id: str = "") -> RenderjuiceError:
    """`error`, which now says what goes on although the task has failed: nobody stopped its job.

    Args:
        error: of a call, or of an argument. One that speaks of a job already is left as it is.
        job: of the task, as last read; None where it was not read.
        job_id: its id, where that is known without it.
    """
    job_id = job.id if job else job_id
    if error.bill not in _ABOUT_THE_CALL or not job_id:
        return error
    again: RetryEffect = error.retry if error.retry is RetryEffect.AFTER_CORRECTION else RetryEffect.READS_AGAIN
    if job is None or job.status not in _CLEAR:
        return error.settle(bill=Bill.LEFT_ALONE, retry=again, job_id=job_id)
    if job.status not in RENDER_STARTED:
        return error.settle(bill=Bill.NOTHING_ORDERED, retry=again, job_id=job_id)
    if job.is_over:
        bill = Bill.KEPT if job.status == JobStatus.COMPLETED else bill_of(job)
        return error.settle(bill=bill, retry=again, job_id=job_id, normalized_seconds=job.normalized_seconds)
    if again is RetryEffect.READS_AGAIN:
        again = RetryEffect.REATTACHES
    return error.settle(bill=Bill.RUNNING, retry=again, job_id=job_id)
