"""The keys of XComs under which a task publishes what is known before it returns."""

from __future__ import annotations

JOB_ID = "renderjuice_job_id"
"""The id of the task's job, from the moment that there is one: `XComArg(render, key=JOB_ID)` in a
DAG file, or `ti.xcom_pull(task_ids="render", key=JOB_ID)` in a task. A render that fails, or is
still running, has it too."""
CONFIG = "renderjuice_config"
"""The render configuration that the task orders: a dict in the API's own words. Airflow keeps
rendered templates of a task's newest runs only."""
REASON = "renderjuice_reason"
"""Why a task failed, or why its shot was rejected or skipped, for the render wall: a dict of
`state` (`failed`, `rejected`, `stopped` or `skipped`), `reason` and `next_step`, one line each. Our
operators leave it when they fail; any task may."""
QUOTE = "renderjuice_quote"
"""What a shot will probably cost, and what it may: a dict of `likely`, `least`, `most`, `source`
(`history` or `probe`), `share` (None while it waits for one) and the night's `ceiling`, in
normalized seconds."""
