"""Airflow's metrics, as the API server has set them up."""

from __future__ import annotations

from collections.abc import Mapping

REFUSED = "renderjuice.webhooks.refused"
"""Requests that were not taken, with the tag `reason`."""
NOTED = "renderjuice.webhooks.noted"
"""Events that are in an inbox; doubles are not counted."""


def count(name: str, tags: Mapping[str, str] | None = None, by: int = 1) -> None:
    """Add to one of Airflow's counters; nothing happens where Airflow has no metrics."""
    try:
        # The core's, not the SDK's: from 3.3 on the API server initializes the core's alone.
        from airflow.observability.stats import Stats
    except ImportError:  # before Airflow 3.2
        from airflow.stats import Stats  # type: ignore[assignment]
    Stats.incr(name, count=by, tags=dict(tags or {}))
