"""A night as Airflow tasks: the plan before its shots, and the summary after them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from airflow.sdk import task

from renderjuice_provider.api.redact import redact, storable
from renderjuice_provider.xcom_keys import JOB_ID
from stages.compat import AirflowFailException
from stages.defaults import pool_note
from stages.refusals import check_map_length, no_use_to_retry

CONNECTION = "renderjuice_default"
_log = logging.getLogger(__name__)


# Before the shots


@task(task_id="plan")
def plan_night(*, layers: Iterable[str], timezone: str, **context: Any) -> list[dict[str, Any]]:
    """Read the shot list. Returns the arguments of the mapped group: a row for each shot.

    On a dry run there are none.
    """
    from stages import planning

    params, ti = context["params"], context["ti"]
    night = params["date"] or planning.night_of(context["dag_run"].run_after, timezone)
    with no_use_to_retry():
        try:
            planned = _plan(params, night)
        except ValueError as error:
            if not params["dry_run"]:
                raise
            _log.warning("%s", error)
            planned = {"night": night, "orders": [], "entries": [], "refused": str(error)}
    if params["dry_run"]:
        planned |= {"orders": [], "would_render": [order["shot"] for order in planned["orders"]]}
    planned = storable(planned, most=float("inf"), urls=False)
    ti.xcom_push("night", planned)
    return _rows(ti, layers, [{"order": order, "files": order["files"]} for order in planned["orders"]])


def _plan(params: Mapping[str, Any], night: str) -> dict[str, Any]:
    from stages import planning
    from stages.shot_list import load_shot_list

    shots, problems = load_shot_list(params["shot_list"])
    for problem in problems:
        _log.error("%s, %s", redact(params["shot_list"]), redact(str(problem)))
    planned = planning.plan_night(shots, problems, params, night)
    check_map_length(
        len(planned["orders"]), "shots", "start this DAG once for each part of the list, by its param `shots`"
    )
    return planned


@task(task_id="plan")
def plan_repairs(*, layers: Iterable[str], renderjuice_conn_id: str, **context: Any) -> list[dict[str, Any]]:
    """Fetch what the night's failed jobs left. Returns a row for each shot that can be repaired."""
    from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
    from stages import rerender
    from stages.storage import storage

    params, ti = context["params"], context["ti"]

    def salvage(job_id: str, folder: str) -> None:
        RenderjuiceHook(renderjuice_conn_id).client.download_outputs(job_id, storage(folder))

    with no_use_to_retry():
        planned = rerender.plan_repairs(params["destination"], params["date"], params["shots"], salvage)
        planned = storable(planned, most=float("inf"), urls=False)
        repairs = planned["repairs"]
        check_map_length(len(repairs), "shots", "start this DAG once for each part of them, by its param `shots`")
    ti.xcom_push("night", planned | {"orders": [repair["order"] for repair in repairs]})
    rows = []
    for repair in repairs:
        configs = repair["configs"]
        files = {layer: file for layer, file in repair["order"]["files"].items() if configs[layer]}
        more = {f"{layer}_config": configs.get(layer) for layer in layers}
        rows.append({"order": repair["order"], "files": files, "decision": repair["decision"], **more})
    return _rows(ti, layers, rows)


def _rows(ti: Any, layers: Iterable[str], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add columns for each layer: inside a mapped group, its arguments cannot be taken apart."""
    if rows and (note := pool_note()):
        _log.info(note)
    ti.xcom_push("names", [row["order"]["shot"] for row in rows])
    for row in rows:
        files = row.pop("files")
        row |= {f"{layer}_file": files.get(layer) for layer in layers}
        row |= {f"{layer}_folder": f"{row['order']['work']}/{layer}" for layer in layers}
    return rows


# After the shots


@task(trigger_rule="all_done")
def summarize(renderjuice_conn_id: str = CONNECTION, **context: Any) -> dict[str, Any]:
    """Report what became of each shot, and fail if one failed: the run is red, and on-call sees it.

    Rejected shots leave the run green. The summary says why, for the artists to fix them. A dry run
    leaves it green, too.
    """
    decisions = _pull(context["ti"], "decide", "decision")
    jobs = {each["shot"]: list(each["jobs"].values()) for each in decisions if each["branch"] != "reject"}
    return _summarize(context, decisions, jobs, renderjuice_conn_id)


@task(trigger_rule="all_done", task_id="summarize")
def summarize_repairs(renderjuice_conn_id: str = CONNECTION, **context: Any) -> dict[str, Any]:
    """`summarize` for repairs.

    New jobs replace the failed ones; the next repair starts from them.
    """
    ti = context["ti"]
    decisions, jobs = [], {}
    for index, repair in enumerate((_planned(ti) or {}).get("repairs", ())):
        started = {
            layer: ti.xcom_pull(task_ids=f"shot.{layer}.render", key=JOB_ID, map_indexes=index)
            for layer, config in repair["configs"].items()
            if config
        }
        now = {layer: job for layer, job in started.items() if job}
        decision = repair["decision"]
        decisions.append(decision | {"jobs": decision["jobs"] | now})
        jobs[decision["shot"]] = list(now.values())
    return _summarize(context, decisions, jobs, renderjuice_conn_id)


def _summarize(
    context: Any, decisions: list[dict[str, Any]], jobs: dict[str, list[str]], renderjuice_conn_id: str
) -> dict[str, Any]:
    from stages import summary
    from stages.spending import job_outcomes

    ti, params = context["ti"], context["params"]
    planned = _planned(ti)
    if planned is None:
        raise AirflowFailException("Nothing was planned; the log of `plan` says why")
    states = ti.get_task_states(dag_id=ti.dag_id, task_group_id="shot", run_ids=[ti.run_id]).get(ti.run_id, {})
    xcoms = {
        "decisions": decisions,
        "rejections": _pull(ti, "reject"),
        "deliveries": _pull(ti, "deliver"),
        "failures": _pull(ti, "", "failure"),
    }
    outcomes = job_outcomes(jobs, _pull(ti, "render"), renderjuice_conn_id)
    entries = planned["entries"] + summary.entries_of(planned["orders"], states, xcoms, outcomes)
    found = summary.report(
        planned["night"], entries, dry_run=planned.get("would_render"), refused=planned.get("refused")
    )
    _log.info("\n%s", summary.as_text(found))
    if params.get("dry_run"):
        return found
    with no_use_to_retry():
        found["summary"] = summary.keep(params["destination"], planned["night"], entries)
    ti.xcom_push("return_value", found)
    if found["failed"]:
        raise AirflowFailException(summary.alarm(found))
    return found


def _planned(ti: Any) -> dict[str, Any] | None:
    found: dict[str, Any] | None = ti.xcom_pull(task_ids="plan", key="night", map_indexes=-1)
    return found


def _pull(ti: Any, stage: str, key: str = "return_value") -> list[Any]:
    """XComs of the tasks whose name begins with `stage`, of all shots, in any order."""
    ids = [
        task_id
        for task_id in ti.task.dag.task_ids
        if task_id.startswith("shot.") and task_id.rpartition(".")[2].startswith(stage)
    ]
    return [value for value in ti.xcom_pull(task_ids=ids, key=key) or [] if value] if ids else []
