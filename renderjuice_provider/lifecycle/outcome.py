"""How a wait ended: what a trigger tells the worker, in a form that survives an upgrade and holds no secret."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from renderjuice_provider.api.errors import RenderjuiceEventError
from renderjuice_provider.api.redact import story

_Text = Annotated[str, BeforeValidator(lambda value: story(value) if isinstance(value, str) else value)]
"""A triggerer ends, with all its waits, when its database takes an event for no text; so no outcome holds one that is none."""


class Ending(StrEnum):
    """The ways in which a wait ends."""

    REACHED = "reached"
    OVER = "over"
    """The job ended in another way than the one that was waited for."""
    TIMED_OUT = "timed_out"
    """Our deadline passed; `stopped` says what became of the job."""
    REFUSED = "refused"
    """Renderjuice will not tell us about the job: a wrong key, an unknown job."""


class Outcome(BaseModel):
    """The end of one wait. Only ids, words and numbers: events are logged in full, and stored in clear."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, use_enum_values=False)

    version: Literal[1] = 1
    ending: Ending = Field(strict=False)
    job_id: _Text = Field(min_length=1)
    status: _Text | None = None
    """The job's status when last seen; None when it was never seen."""
    message: _Text = ""
    started: float
    """When the wait began, in seconds since the epoch."""
    deadline: float
    limit: _Text = "timeout"
    """The argument that set the deadline: `timeout`, or Airflow's `execution_timeout` where that ends earlier."""
    stopped: bool | None = None
    """After a time-out: whether the job was cancelled and is over. None when nobody has tried."""

    def to_event(self) -> dict[str, Any]:
        """As JSON values, for a trigger event; checked again, since a changed copy is not."""
        return type(self).model_validate(self.model_dump()).model_dump(mode="json")

    @classmethod
    def from_event(cls, event: Any) -> Outcome:
        """The outcome in `event`.

        Raises:
            RenderjuiceEventError: when there is none: an event that is not understood must never pass for a success.
        """
        try:
            return cls.model_validate(event)
        except ValidationError as error:
            fields = ", ".join(sorted({".".join(map(str, detail["loc"])) or "all of it" for detail in error.errors()}))
            raise RenderjuiceEventError(
                f"The task was resumed with an event that is not ours or not whole ({fields})"
            ) from None
