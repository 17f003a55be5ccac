"""What the DAGs have in common: places, the pool, and how tasks are retried."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

DELIVERIES = os.environ.get("RENDERJUICE_DELIVERIES") or "/srv/renderjuice/deliveries"
"""Where deliveries and summaries go: a folder that all workers share, or any ObjectStoragePath
URL."""
WORK = os.environ.get("RENDERJUICE_WORK") or "/srv/renderjuice/work"
"""Where rendered frames wait for compositing; the same kinds of places."""
SHOT_LIST = os.environ.get("RENDERJUICE_SHOT_LIST") or str(Path(__file__).parents[1] / "shots.yaml")
"""The shot list; the same kinds of places."""
TIMEZONE = "Europe/Berlin"
"""In which a night is a night."""
QUALITIES = ("auto", "economical", "final")
ONE_LAYER = "base"
"""The layer's name in a shot of one scene."""
CONNECTION = "renderjuice_default"
"""The Airflow connection to Renderjuice."""
SHOT_DAG = "renderjuice_shot"
"""The DAG of which the nightly starts a run for each shot."""
POLL_INTERVAL = float(os.environ.get("RENDERJUICE_POLL_INTERVAL") or "30")
"""Seconds between two polls of a job."""
ANSWER_HOURS = float(os.environ.get("RENDERJUICE_ANSWER_HOURS") or "3")
"""Hours in which somebody has to answer whether a shot may be rendered, or it is held."""
POOL = os.environ.get("RENDERJUICE_POOL") or "default_pool"
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
    """For `default_args`: a retry where it helps, and none where it would fail and cost again.

    See `RenderjuiceRetryPolicy`: what is full, away or not paid is waited for; after a worker that
    died, a retry a minute later continues with the running job. Before Airflow 3.3 tasks do not
    distinguish errors, and forget what they started, so there are no retries.

    Shots that have started go first (`weight_rule`). Else Airflow would upload all shots before it
    rendered the first.
    """
    defaults: dict[str, Any] = {"poll_interval": POLL_INTERVAL, "weight_rule": "upstream"}
    try:
        from renderjuice_provider.retry_policy import RenderjuiceRetryPolicy
    except ImportError:
        return defaults | {"retries": 0}
    # Where Airflow cannot reschedule, each wait is a retry: four make about an hour.
    return defaults | {"retries": 4, "retry_delay": timedelta(minutes=1), "retry_policy": RenderjuiceRetryPolicy()}


def render_defaults() -> dict[str, Any]:
    """For the task `render`: its tries, and what is done about a render that is stuck."""
    from stages.stuck import stuck_defaults

    return round_defaults() | stuck_defaults()


def round_defaults() -> dict[str, Any]:
    """For the task `render`: before Airflow 3.3, a round of its rendering is a try.

    A retry then orders only the frames that are still missing: the folder knows its jobs. It comes
    soon, as a round does: Airflow's own delay is five minutes.
    """
    return {"retries": 2, "retry_delay": timedelta(seconds=15)} if task_defaults()["retries"] == 0 else {}
