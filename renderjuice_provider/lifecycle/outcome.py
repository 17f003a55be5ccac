"""How a wait ended: what a trigger reports to the worker.

It survives an upgrade between the two, and holds no secret.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from renderjuice_provider.api.errors import RenderjuiceEventError
from renderjuice_provider.api.redact import story

_Text = Annotated[str, BeforeValidator(lambda value: story(value) if isinstance(value, str) else value)]
"""Text that every database can store: an event that cannot be stored would end the triggerer, and
all its waits."""


class Ending(StrEnum):
    """How a wait can end."""

    REACHED = "reached"
    OVER = "over"
    """The job ended, but not in the status that was waited for."""
    TIMED_OUT = "timed_out"
    """The deadline passed. `Outcome.stopped` says whether the job was cancelled."""
    AT_CEILING = "at_ceiling"
    """The job has spent what it may. `Outcome.stopped` says whether it was cancelled."""
    STUCK = "stuck"
    """No new frame came for too long. `Outcome.stopped` says whether the job was cancelled."""
    REFUSED = "refused"
    """Renderjuice refused to say: the key is wrong, or the job is unknown."""


class Outcome(BaseModel):
    """The end of one wait: ids, words and numbers only, since Airflow logs and shows events."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, use_enum_values=False)

    version: Literal[1] = 1
    ending: Ending = Field(strict=False)
    job_id: _Text = Field(min_length=1)
    status: _Text | None = None
    """The job's status when it was last read; None when it never was."""
    message: _Text = ""
    started: float
    """When the wait began, in seconds since the epoch."""
    deadline: float
    limit: _Text = "timeout"
    """The argument that set the deadline: `timeout`, or Airflow's `execution_timeout` if that ends
    earlier."""
    stopped: bool | None = None
    """After a time-out, at the ceiling, or of a stuck job: whether it was cancelled and is over;
    None when that was not tried."""
    stuck: _Text = ""
    """That the job was stuck during the wait, however it ended; empty when it was not."""

    def to_event(self) -> dict[str, Any]:
        """As JSON values, for a trigger event; validated, since `model_copy` does not do it."""
        return type(self).model_validate(self.model_dump()).model_dump(mode="json")

    @classmethod
    def from_event(cls, event: Any) -> Outcome:
        """The outcome that `event` holds.

        Raises:
            RenderjuiceEventError: when it holds none: what is not understood is never a success.
        """
        try:
            return cls.model_validate(event)
        except ValidationError as error:
            fields = ", ".join(sorted({".".join(map(str, detail["loc"])) or "all of it" for detail in error.errors()}))
            raise RenderjuiceEventError(
                f"The task was resumed with an event that is not ours or not complete ({fields})"
            ) from None
