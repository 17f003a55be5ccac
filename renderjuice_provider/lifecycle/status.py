"""What to do next with a job, from its status alone.

The status decides, not what an earlier try remembers: a first try, a retry and a worker after a
crash all ask the same question and go on from where the job really is. Source: the job-lifecycle
page, allowed actions by status.
"""

from __future__ import annotations

from enum import Enum

from renderjuice_provider.api.models import RENDER_STARTED, VALIDATION_OVER, JobStatus


class Action(Enum):
    """One step towards a validated or a rendered job."""

    VALIDATE = "validate"
    RENDER = "render"
    WAIT_FOR_VALIDATION = "wait for validation"
    WAIT_FOR_RENDER = "wait for the render"
    DONE = "done"
    GIVE_UP = "over without success"


_UNSUCCESSFUL = frozenset({JobStatus.FAILED, JobStatus.CANCELED})
_ON_THE_WAY = (
    JobStatus.CREATED,
    JobStatus.VALIDATING,
    JobStatus.VALIDATED,
    JobStatus.BOOTING,
    JobStatus.RENDERING,
    JobStatus.FINALIZING,
    JobStatus.COMPLETED,
)


def action_to_validated(status: str) -> Action:
    """The next step when validation is all that is wanted."""
    if status == JobStatus.CREATED:
        return Action.VALIDATE
    if status in _UNSUCCESSFUL:
        return Action.GIVE_UP
    return Action.DONE if status in VALIDATION_OVER else Action.WAIT_FOR_VALIDATION


def action_to_rendered(status: str) -> Action:
    """The next step when finished frames are wanted.

    A status that we do not know, or that does not say how far the job is (`suspended`,
    `debugging`), is waited out until it is one that does.
    """
    step = action_to_validated(status)
    if step is not Action.DONE:
        return step
    if status == JobStatus.COMPLETED:
        return Action.DONE
    return Action.WAIT_FOR_RENDER if status in RENDER_STARTED else Action.RENDER


def has_reached(status: str, target: str) -> bool:
    """Whether a wait for `target` is over in success.

    Polling misses states, so anything further along the way counts.
    """
    if status == target:
        return True
    if status in _ON_THE_WAY and target in _ON_THE_WAY:
        return _ON_THE_WAY.index(JobStatus(status)) > _ON_THE_WAY.index(JobStatus(target))
    return False
