"""What a task does for a render, by the class of its operator."""

from __future__ import annotations

from enum import StrEnum

__all__ = [
    "PREPARES",
    "RENDERS",
    "Role",
    "role_of",
]


class Role(StrEnum):
    """A task's part in a render."""

    UPLOAD = "upload"
    CREATE = "create"
    VALIDATE = "validate"
    RENDER = "render"
    """Renders a job that another task has made."""
    FRAMES = "frames"
    """Renders what a folder of frames lacks, in jobs of its own or beginning with a given one."""
    RUN = "run"
    """All of it, from the upload on, in a job of its own."""
    WAIT = "wait"
    """The sensor."""
    CANCEL = "cancel"
    DOWNLOAD = "download"
    COMPOSITE = "composite"
    DELIVER = "deliver"
    OTHER = "other"


RENDERS = frozenset({Role.RENDER, Role.FRAMES, Role.RUN})
"""What costs money, and what a row is made around."""
PREPARES = (Role.UPLOAD, Role.CREATE, Role.VALIDATE)
_OPERATORS = {
    "RenderjuiceUploadOperator": Role.UPLOAD,
    "RenderjuiceCreateJobOperator": Role.CREATE,
    "RenderjuiceValidateJobOperator": Role.VALIDATE,
    "RenderjuiceRenderJobOperator": Role.RENDER,
    "RenderjuiceRenderFramesOperator": Role.FRAMES,
    "RenderjuiceRunJobOperator": Role.RUN,
    "RenderjuiceJobSensor": Role.WAIT,
    "RenderjuiceCancelJobOperator": Role.CANCEL,
    "RenderjuiceDownloadOperator": Role.DOWNLOAD,
}
_BY_NAME = {
    "composite": Role.COMPOSITE,
    "comp": Role.COMPOSITE,
    "deliver": Role.DELIVER,
    "delivery": Role.DELIVER,
    "publish": Role.DELIVER,
}
"""Tasks that come after a render are a studio's own: only their names say what they do."""


def role_of(operator: str, task_id: str = "", *, has_job: bool = False) -> Role:
    """The role of a task.

    Args:
        operator: the name of its class.
        task_id: of it; for tasks that are not ours its last part may say it.
        has_job: whether it has published a job: a studio's own subclass does so, too.
    """
    if operator in _OPERATORS:
        return _OPERATORS[operator]
    if has_job:
        return Role.RUN
    return _BY_NAME.get(task_id.rpartition(".")[2], Role.OTHER)
