"""What this provider adds to Airflow's own statistics and traces; docs/metrics.md lists it.

Airflow has two of each kind of statistics, and sets up one in each process: the SDK's on workers,
the core's in the API server and the triggerer. What is not set up takes everything and sends
nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

JOBS_ENDED = "renderjuice.jobs.ended"
"""Jobs whose end a task has waited for, with the tag `end`: a status, `timed_out` or `killed`."""
KILLED = "killed"
NORMALIZED_SECONDS = "renderjuice.normalized_seconds"
"""What those jobs are billed, in seconds."""
UNKNOWN_COST = "renderjuice.jobs.unknown_cost"
"""Those of them of which Renderjuice does not say it. It is never counted as 0 seconds."""
FRAMES_DELIVERED = "renderjuice.frames.delivered"
"""Frames that are there after a render."""
FRAMES_MISSING = "renderjuice.frames.missing"
"""Frames that were ordered and are not."""
QUEUE_DURATION = "renderjuice.job.queue_duration"
"""Milliseconds for which a wait found its job ready to render, and not rendering yet."""
POLLS = "renderjuice.polls"
"""Polls of single jobs, with the tag `response`: `ok`, the status of a refusal, or what it was."""
OPEN_WAITS = "renderjuice.waits.open"
"""Deferred tasks that a triggerer waits for, with the tag `hostname`."""
WEBHOOKS_REFUSED = "renderjuice.webhooks.refused"
"""Requests that were not taken, with the tag `reason`."""
WEBHOOKS_NOTED = "renderjuice.webhooks.noted"
"""Events that are in an inbox; doubles are not counted."""

log = logging.getLogger(__name__)
Tags = Mapping[str, str]


class Metrics:
    """Airflow's statistics in this kind of process. No metric that fails fails anything else.

    Args:
        find: gives Airflow's own object, which has `incr`, `gauge` and `timing`. It is asked each
            time: a process may set up another one.
    """

    def __init__(self, find: Callable[[], Any]) -> None:
        self._find = find

    def count(self, name: str, tags: Tags | None = None, by: float = 1) -> None:
        """Add to a counter."""
        self._send("incr", name, by, tags)

    def gauge(self, name: str, value: float, tags: Tags | None = None) -> None:
        """Set a value that goes up and down."""
        self._send("gauge", name, value, tags)

    def duration(self, name: str, seconds: float, tags: Tags | None = None) -> None:
        """Note how long something took; Airflow's unit is the millisecond."""
        self._send("timing", name, 1000 * seconds, tags)

    def _send(self, kind: str, name: str, value: float, tags: Tags | None) -> None:
        try:
            getattr(self._find(), kind)(name, value, tags=dict(tags or {}))
        except Exception as error:  # noqa: BLE001 - a figure is not worth failing for
            log.debug("The metric %s was not sent: %s", name, type(error).__name__)


def _of_tasks() -> Any:
    try:
        from airflow.sdk.observability.stats import Stats
    except ImportError:  # before Airflow 3.2 there is one kind
        from airflow.stats import Stats
    return Stats


def _of_servers() -> Any:
    try:
        from airflow.observability.stats import Stats
    except ImportError:
        from airflow.stats import Stats  # type: ignore[assignment]
    return Stats


ON_WORKERS = Metrics(_of_tasks)
ON_SERVERS = Metrics(_of_servers)
"""In the API server and the triggerer."""


def annotate(attributes: Mapping[str, str | float | bool], event: str = "") -> None:
    """Add to the span that Airflow has opened for this task or trigger; nothing without one.

    Args:
        attributes: of the span, or of the event.
        event: the name of something that has happened now; "" to describe the span itself.
    """
    try:
        from opentelemetry import trace
    except ImportError:  # it comes with Airflow, which need not stay so
        return
    span = trace.get_current_span()
    if event:
        span.add_event(event, dict(attributes))
    else:
        span.set_attributes(dict(attributes))
