"""How a job ends without success, as errors, and what it has cost then."""

from __future__ import annotations

from renderjuice_provider.api.errors import RenderjuiceJobError
from renderjuice_provider.api.models import Job


class JobOverError(RenderjuiceJobError):
    """The job is over and was no success, and the same job cannot succeed any more."""


class OtherOrderError(JobOverError):
    """The job renders, or has rendered, another configuration than is ordered."""


def bill(job: Job, *, renders: bool) -> str:
    """What a job that is over has cost, for messages.

    Args:
        job: as last read.
        renders: whether the task orders renders at all.
    """
    if job.normalized_seconds:
        return f"{job.normalized_seconds:g} normalized seconds are billed"
    if job.normalized_seconds == 0 or not renders:
        return "nothing was rendered, so nothing is billed"
    ordered = job.requested_config is not None or job.final_config is not None
    return "what was rendered is billed" if ordered else "what was rendered, if anything, is billed"
