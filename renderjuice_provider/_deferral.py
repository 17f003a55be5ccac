"""What operators and the sensor share about waiting."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from renderjuice_provider._arguments import truth
from renderjuice_provider.api import _lenient as lenient
from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.compat import conf

if TYPE_CHECKING:
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
    number = value.total_seconds() if isinstance(value, timedelta) else value
    found = None if lenient.is_template(number) else lenient.number(number)
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not 0 < found < float("inf"):
        raise RenderjuiceInputError(f"{name} must be a number of seconds above 0, or a timedelta; got {value!r}.")
    return float(found)


def earlier_deadline(task: Any, context: Any, deadline: float, limit: str = "timeout") -> tuple[float, str]:
    """The earlier of a deadline and the task's `execution_timeout`, and the argument that sets it.

    Airflow keeps `execution_timeout`, which counts for each try by itself, on the worker only, and
    forgets it for a deferred task.

    Args:
        task: the running task.
        context: of it.
        deadline: in seconds since the epoch.
        limit: the argument that set `deadline`.
    """
    if task.execution_timeout is None:
        return deadline, limit
    began = getattr(context.get("ti"), "start_date", None)
    end = (began.timestamp() if began else time.time()) + task.execution_timeout.total_seconds()
    return (end, "execution_timeout") if end < deadline else (deadline, limit)


def job_trigger(**arguments: Any) -> RenderjuiceJobTrigger:
    """The trigger, imported only by the tasks that defer and not wherever a DAG file is read."""
    from renderjuice_provider.triggers.renderjuice import RenderjuiceJobTrigger

    return RenderjuiceJobTrigger(**arguments)
