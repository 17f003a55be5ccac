"""What the arguments of the sensor mean, and when they can be checked."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from renderjuice_provider._arguments import is_unknown
from renderjuice_provider._deferral import DEFAULT_POLL_INTERVAL, seconds
from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.api.models import JobStatus


def airflow_reads_this() -> bool:
    """Whether this process reads DAGs for Airflow. `dag.test()` has no supervisor."""
    runner = sys.modules.get("airflow.sdk.execution_time.task_runner")
    return type(getattr(runner, "SUPERVISOR_COMMS", None)).__name__ == "CommsDecoder"


def check_target(status: Any) -> None:
    """Refuse a status that jobs never have: the sensor would wait until its timeout.

    Raises:
        RenderjuiceInputError: naming the statuses that jobs have.
    """
    known = [str(status) for status in JobStatus]
    if status not in known:
        raise RenderjuiceInputError(f"target_status: no job becomes {status!r}. It is one of {', '.join(known)}.")


def interval_of(ours: Any, airflows: Any, defaults: Mapping[str, Any]) -> Any:
    """The interval that the author means: the task's before `default_args`, ours before Airflow's.

    Raises:
        RenderjuiceInputError: when the task has both, and they differ.
    """
    if airflows is None or ours is None:
        return next((value for value in (ours, airflows) if value is not None), DEFAULT_POLL_INTERVAL)
    if "poke_interval" in defaults and defaults["poke_interval"] is airflows:
        return ours
    if "poll_interval" in defaults and defaults["poll_interval"] is ours:
        return airflows
    if is_unknown(ours) or is_unknown(airflows) or seconds(ours, "poll_interval") != seconds(airflows, "poke_interval"):
        raise RenderjuiceInputError(
            f"poll_interval={ours!r} and poke_interval={airflows!r} mean the same and differ: keep poll_interval."
        )
    return ours
