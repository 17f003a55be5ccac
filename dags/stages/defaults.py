"""What the DAGs have in common: places, the pool, and how tasks are retried."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from renderjuice_provider.api.errors import RenderjuiceInputError, RenderjuiceJobError

DELIVERIES = os.environ.get("RENDERJUICE_DELIVERIES", "/srv/renderjuice/deliveries")
"""Where deliveries and summaries go. All workers have to reach it: a shared folder, or any
ObjectStoragePath URL."""
WORK = os.environ.get("RENDERJUICE_WORK", "/srv/renderjuice/work")
"""Where rendered frames wait for compositing; likewise."""
POLL_INTERVAL = float(os.environ.get("RENDERJUICE_POLL_INTERVAL", "30"))
"""Seconds between two looks at a job."""
POOL = os.environ.get("RENDERJUICE_POOL", "default_pool")
"""Where renders take their turn. Airflow's own pool is there in every Airflow, and does not limit
them: a render is deferred for as long as it runs, and that pool does not count deferred tasks. To
cap how many run at once, and are paid at once, make one that does: `airflow pools set renderjuice 8
"Renders at once" --include-deferred`, and set `RENDERJUICE_POOL=renderjuice`."""


def pool_note() -> str:
    """What to know when renders stay scheduled: no task may ask Airflow whether a pool exists. Empty for Airflow's own pool."""
    if POOL == "default_pool":
        return ""
    return (
        f"Renders take their turn in the pool {POOL} (RENDERJUICE_POOL). Should they stay scheduled, it is full or does not "
        f'exist; to make it: airflow pools set {POOL} 8 "Renders at once" --include-deferred'
    )


def task_defaults() -> dict[str, Any]:
    """For `default_args`: two more tries after a minute, but none where the same would fail, and cost, again.

    A render that failed would be paid again, and a scene that is no scene stays none. Everything
    else (a worker that died, a network that was down) is worth a retry, which takes up what runs.
    Before Airflow 3.3 tasks cannot tell errors apart, and forget what they started: there are no
    retries then.

    What is begun goes before what is not (`weight_rule`): else Airflow would upload all shots
    before it rendered the first.
    """
    defaults: dict[str, Any] = {"poll_interval": POLL_INTERVAL, "weight_rule": "upstream"}
    try:
        from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule
    except ImportError:
        return defaults | {"retries": 0}
    hopeless = RetryRule(
        exception=[RenderjuiceJobError, RenderjuiceInputError],
        action=RetryAction.FAIL,
        reason="it would fail, and cost, again",
    )
    policy = ExceptionRetryPolicy(rules=[hopeless])
    return defaults | {"retries": 2, "retry_delay": timedelta(minutes=1), "retry_policy": policy}
