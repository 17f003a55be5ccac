"""What operators and the sensor share about waiting."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from renderjuice_provider._arguments import above_zero, truth
from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.compat import conf

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context

    from renderjuice_provider.triggers.renderjuice import RenderjuiceJobTrigger

DEFAULT_POLL_INTERVAL = 30.0
"""Seconds. Renders take minutes to hours, and Renderjuice asks for few polls."""
BACKSTOP = 300.0
"""Seconds after the trigger's own deadline at which Airflow ends the deferral: only if the trigger
itself is stuck."""
_VARIABLE = "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE"


def deferrable_by_default() -> bool:
    """True, unless `[operators] default_deferrable` was set to false.

    Airflow writes `default_deferrable = false` into every airflow.cfg that it generates, so a false
    in that file says nothing of what anyone wants; one in the environment does.
    """
    return conf.getboolean("operators", "default_deferrable", fallback=True) or not os.environ.get(_VARIABLE)


def is_deferrable(value: Any) -> bool:
    """Whether a task waits in the triggerer.

    What its author says, and by default what the installation says.
    """
    return deferrable_by_default() if value is None else truth(value, "deferrable")


def seconds(value: float | timedelta, name: str) -> float:
    """`value` in seconds; a text of a number is one, since templates render to text.

    Raises:
        RenderjuiceInputError: unless it is above zero.
    """
    found = above_zero(value.total_seconds() if isinstance(value, timedelta) else value)
    if found is None:
        raise RenderjuiceInputError(f"{name} must be a number of seconds above 0, or a timedelta; got {value!r}.")
    return found


def try_ends(task: BaseOperator, context: Context) -> float | None:
    """When the `execution_timeout` ends this try, in seconds since the epoch; None without one.

    Airflow keeps `execution_timeout`, which counts for each try by itself, on the worker only, and
    forgets it for a deferred task.
    """
    if task.execution_timeout is None:
        return None
    began = getattr(context.get("ti"), "start_date", None)
    return (began.timestamp() if began else time.time()) + task.execution_timeout.total_seconds()


def job_trigger(**arguments: Any) -> RenderjuiceJobTrigger:
    """The trigger, imported only by the tasks that defer and not wherever a DAG file is read."""
    from renderjuice_provider.triggers.renderjuice import RenderjuiceJobTrigger

    return RenderjuiceJobTrigger(**arguments)
