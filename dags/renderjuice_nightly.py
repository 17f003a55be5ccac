"""Every night: a run of `renderjuice_shot` for each shot that is new or has changed.

A shot that is rejected or fails does not stop the others, and `report` always runs. To start the
failed shots of a night again, trigger this with `failed_only` and its date: only what is missing is
rendered. How it works: docs/pipelines.md.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param
from stages.alerts import late, reported
from stages.compat import CronTriggerTimetable
from stages.defaults import POLL_INTERVAL, SHOT_DAG, TIMEZONE, task_defaults
from stages.night import plan, report
from stages.params import params
from stages.start_shot import StartShotOperator

with DAG(
    "renderjuice_nightly",
    # After unpausing, it waits for the next night: a render costs money, so a switch starts none.
    schedule=CronTriggerTimetable("0 22 * * *", timezone=TIMEZONE, run_immediately=timedelta(0)),
    catchup=False,
    max_active_runs=1,
    deadline=late(),
    tags=["renderjuice"],
    doc_md=__doc__,
    default_args=task_defaults(),
    params={
        **params("shot_list", "destination", "work", "date"),
        "shots": Param([], type="array", items={"type": "string"}, description="Only these shots; all when empty"),
        "failed_only": Param(
            default=False, type="boolean", description="Only the shots that failed that night: go on where they stopped"
        ),
        **params("quality"),
        "ceiling": Param(
            None,
            type=["null", "number", "string"],
            description='What the night may cost: normalized seconds, or money such as "120 EUR"; empty for any amount',
        ),
        **params("ask_above"),
        "dry_run": Param(default=False, type="boolean", description="Only report what would be rendered"),
    },
):
    shots = StartShotOperator.partial(
        task_id="shot",
        trigger_dag_id=SHOT_DAG,
        map_index_template="{{ task.conf['shot'] }}",
        poke_interval=POLL_INTERVAL,
        weight_rule="absolute",
        priority_weight=0,  # the tasks of shots that have started go first
    ).expand_kwargs(plan())
    shots >> report.override(**reported())()
