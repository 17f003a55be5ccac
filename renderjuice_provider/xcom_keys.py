"""The keys of XComs under which a task publishes what is known before it returns."""

from __future__ import annotations

JOB_ID = "renderjuice_job_id"
"""The id of the task's job, from the moment that there is one: `XComArg(render, key=JOB_ID)` in a
DAG file, or `ti.xcom_pull(task_ids="render", key=JOB_ID)` in a task. A render that fails, or is
still running, has it too."""
