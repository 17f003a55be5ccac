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
from stages.defaults import DELIVERIES, POLL_INTERVAL, QUALITIES, SHOT_DAG, SHOT_LIST, TIMEZONE, WORK, task_defaults
from stages.night import plan, report
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
        "shot_list": Param(SHOT_LIST, type="string", description="The shot list: a path, or any ObjectStoragePath URL"),
        "destination": Param(
            DELIVERIES,
            type="string",
            description="Where deliveries and summaries go: a folder that all workers share, or any ObjectStoragePath URL",
        ),
        "work": Param(WORK, type="string", description="Where rendered frames wait for compositing: likewise"),
        "date": Param(
            None, type=["null", "string"], format="date", description="The night; by default that of the start"
        ),
        "shots": Param([], type="array", items={"type": "string"}, description="Only these shots; all when empty"),
        "failed_only": Param(
            default=False, type="boolean", description="Only the shots that failed that night: go on where they stopped"
        ),
        "quality": Param("auto", type="string", enum=[*QUALITIES], description="auto: by shot"),
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
