"""What the DAGs have in common: places, the pool, and how tasks are retried."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from renderjuice_provider.api.errors import RenderjuiceInputError, RenderjuiceJobError

DELIVERIES = os.environ.get("RENDERJUICE_DELIVERIES", "/srv/renderjuice/deliveries")
"""Where deliveries and summaries go: a folder that all workers share, or any ObjectStoragePath
URL."""
WORK = os.environ.get("RENDERJUICE_WORK", "/srv/renderjuice/work")
"""Where rendered frames wait for compositing; the same kinds of places."""
SHOT_LIST = os.environ.get("RENDERJUICE_SHOT_LIST", str(Path(__file__).parents[1] / "shots.yaml"))
"""The shot list; the same kinds of places."""
TIMEZONE = "Europe/Berlin"
"""In which a night is a night."""
QUALITIES = ("auto", "economical", "final")
CONNECTION = "renderjuice_default"
"""The Airflow connection to Renderjuice."""
SHOT_DAG = "renderjuice_shot"
"""The DAG of which the nightly starts a run for each shot."""
POLL_INTERVAL = float(os.environ.get("RENDERJUICE_POLL_INTERVAL", "30"))
"""Seconds between two polls of a job."""
POOL = os.environ.get("RENDERJUICE_POOL", "default_pool")
"""The pool of the renders. Airflow's default pool does not limit them: a render is deferred while
it runs, and that pool does not count deferred tasks. To limit how many run, and are paid, at once,
make a pool that counts them: `airflow pools set renderjuice 8 "Renders at once"
--include-deferred`, and set `RENDERJUICE_POOL=renderjuice`."""


def pool_note() -> str:
    """A hint for the log, in case renders stay scheduled; empty for Airflow's default pool.

    A task cannot ask Airflow whether a pool exists.
    """
    if POOL == "default_pool":
        return ""
    return (
        f"Renders take their turn in the pool {POOL} (RENDERJUICE_POOL). Should they stay scheduled, it is full or does not "
        f'exist; to make it: airflow pools set {POOL} 8 "Renders at once" --include-deferred'
    )


def task_defaults() -> dict[str, Any]:
    """For `default_args`: two retries, a minute apart, but none where it would fail and cost again.

    A failed render would be paid again, and an invalid scene stays invalid. After everything else
    (a worker that died, a network that was down) a retry continues with the running job. Before
    Airflow 3.3 tasks do not distinguish errors, and forget what they started, so there are no
    retries.

    Shots that have started go first (`weight_rule`). Else Airflow would upload all shots before it
    rendered the first.
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
