"""A night as Airflow tasks: the plan before its shots, and the report after them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from airflow.sdk import task

from renderjuice_provider.api.redact import redact, storable
from stages.compat import AirflowFailException
from stages.defaults import CONNECTION, SHOT_DAG, TIMEZONE
from stages.refusals import check_map_length, no_use_to_retry

_FOR_A_SHOT = ("shot_list", "destination", "work")
_log = logging.getLogger(__name__)


@task
def plan(**context: Any) -> list[dict[str, Any]]:
    """Read the shot list. Returns a row for each shot that is to have a run; none on a dry run."""
    from stages import orders

    params, ti = context["params"], context["ti"]
    night = params["date"] or orders.night_of(context["dag_run"].run_after, TIMEZONE)
    with no_use_to_retry():
        try:
            planned = _plan(params, night, ti.run_id)
        except ValueError as error:
            if not params["dry_run"]:
                ti.xcom_push("refused", redact(str(error), longest=1000))  # for `report`
                raise
            _log.warning("%s", error)
            planned = {"night": night, "shots": [], "entries": [], "refused": str(error)}
    if params["dry_run"]:
        planned |= {"shots": [], "would_render": [shot["order"]["shot"] for shot in planned["shots"]]}
    else:
        with no_use_to_retry():
            _begin_shares(planned, params, ti)
    planned = storable(planned, most=float("inf"), urls=False)
    ti.xcom_push("night", planned)
    return [_row(shot, params) for shot in planned["shots"]]


def _plan(params: Mapping[str, Any], night: str, run_id: str) -> dict[str, Any]:
    from stages import planning
    from stages.asking import amount
    from stages.shot_list import load_shot_list
    from stages.storage import check_places

    if not params["dry_run"]:
        check_places(params)
    for name in ("ceiling", "ask_above"):
        amount(params.get(name), name)
    shots, problems = load_shot_list(params["shot_list"])
    for problem in problems:
        _log.error("%s, %s", redact(params["shot_list"]), redact(str(problem)))
    planned = planning.plan_night(shots, problems, params, night, run_id)
    check_map_length(
        len(planned["shots"]), "shots", "start this DAG once for each part of the list, by its param `shots`"
    )
    return planned


def _begin_shares(planned: Mapping[str, Any], params: Mapping[str, Any], ti: Any) -> None:
    """Begin the log of the night's shares, where it has a ceiling, or had one before."""
    from stages import share_log, sharing
    from stages.asking import amount

    folder = share_log.folder_of(params["destination"], planned["night"])
    before = share_log.read(folder)
    ceiling = amount(params.get("ceiling"), "ceiling") or (before and before.ceiling)
    if ceiling:
        sharing.begin(folder, ceiling, planned["shots"], {"dag_id": ti.dag_id, "run_id": ti.run_id})


def _row(shot: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    order = shot["order"]
    conf = {name: params[name] for name in _FOR_A_SHOT}
    conf |= {"shot": order["shot"], "date": order["night"], "quality": order["quality"]}
    conf |= {"ask_above": params["ask_above"]} if params.get("ask_above") else {}
    note = f"{order['shot']} of {order['show']}, night of {order['night']}: {shot['why']}"
    return {"trigger_run_id": shot["run_id"], "conf": conf, "note": note}


@task(trigger_rule="all_done")
def report(renderjuice_conn_id: str = CONNECTION, **context: Any) -> dict[str, Any]:
    """Report what became of each shot, and fail if one failed: the run is red, and on-call sees it.

    Rejected shots leave the run green. The summary says why, for the artists to fix them. A dry run
    leaves it green, too. Cleared later, it reports how things are then.
    """
    from stages import morning_report, summary
    from stages.entries import joined
    from stages.note import write_note

    ti, params = context["ti"], context["params"]
    planned = ti.xcom_pull(task_ids="plan", key="night", map_indexes=-1)
    if planned is None:
        refused = ti.xcom_pull(task_ids="plan", key="refused", map_indexes=-1)
        why = f"Nothing was planned: {refused}" if refused else "Nothing was planned; the log of `plan` says why"
        write_note(context, why)
        raise AirflowFailException(why)
    entries = _entries(ti, planned, params["destination"], renderjuice_conn_id)
    found = summary.report(
        planned["night"], entries, dry_run=planned.get("would_render"), refused=planned.get("refused")
    )
    _log.info("\n%s", summary.as_text(found))
    if params["dry_run"]:
        return found
    with no_use_to_retry():
        paid = [entry | {"spent": joined(entry.get("spent_before", {}), entry.get("spent", {}))} for entry in entries]
        found["summary"] = summary.keep(params["destination"], planned["night"], paid)
        found["report"] = morning_report.write(params["destination"], planned["night"])
        found["bill"] = _bill(params["destination"], planned["night"], renderjuice_conn_id)
    ti.xcom_push("return_value", found)
    write_note(context, summary.short(found))
    if found["failed"]:
        raise AirflowFailException(summary.alarm(found))
    return found


def _bill(destination: str, night: str, renderjuice_conn_id: str) -> str:
    from renderjuice_provider.api.errors import RenderjuiceInputError
    from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
    from stages import bill
    from stages.compat import AirflowNotFoundException
    from stages.records import read_record
    from stages.storage import join
    from stages.summary_record import Summary

    price = None
    try:
        price = RenderjuiceHook(renderjuice_conn_id).get_price()
    except (AirflowNotFoundException, RenderjuiceInputError) as error:
        _log.warning("The bill is in normalized seconds only: %s", redact(str(error)))
    shots = read_record(join(destination, "nights", night, "summary.json"), Summary)["shots"]
    return bill.write(destination, night, shots, price)


def _entries(ti: Any, planned: Mapping[str, Any], destination: str, renderjuice_conn_id: str) -> list[dict[str, Any]]:
    """The entries of all shots as they are now, with what their renders cost."""
    from stages import share_log, sharing
    from stages.entries import present_entry, read_entry
    from stages.runs import refusal, run_state, tasks_not_well
    from stages.spending import add_costs

    def present(shot: Mapping[str, Any]) -> dict[str, Any]:
        found = present_entry(
            shot,
            read_entry(shot["order"]["entry"]),
            lambda run_id: run_state(ti, SHOT_DAG, run_id),
            lambda run_id: tasks_not_well(ti, SHOT_DAG, run_id),
        )
        refused = found.get("task") == "take_order" and refusal(ti, SHOT_DAG, found["run_id"])
        return found | {"reason": refused} if refused else found

    entries = []
    for entry in planned["entries"]:
        goes_on = entry.get("carried_over") and "entry" in (entry.get("order") or {})
        now = present(entry) if goes_on else entry
        entries.append(entry if now["state"] == "failed" else now)  # a failure was counted when it was new
    shots = add_costs([present(shot) for shot in planned["shots"]], renderjuice_conn_id)
    shares = share_log.read(share_log.folder_of(destination, planned["night"]))
    # A run that was killed has not said what it was quoted.
    return entries + [sharing.facts_of(shares, shot["shot"], shot["run_id"]) | shot for shot in shots]
