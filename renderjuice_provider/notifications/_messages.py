"""What notifiers say by default, in a few lines: about a night, and about a render."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from renderjuice_provider.api._money import sentence
from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.compat import conf
from renderjuice_provider.frames import numbers
from renderjuice_provider.links._addresses import page_of_run
from renderjuice_provider.links.renderjuice import RUN_PAGE
from renderjuice_provider.xcom_keys import JOB_ID

if TYPE_CHECKING:
    from airflow.sdk import Context

REPORT_TASK = "report"
_STATES = ("delivered", "skipped", "rejected", "failed")
_MOST_FAILED = 10
_MOST_FRAMES = 20
_LONGEST_REASON = 200
_LONGEST_MONEY = 400
_MENTION = re.compile(r"(?<!\w)@(?=\w)")


def night_message(context: Context) -> str:
    """What the task `report` returned, in a few lines; else which run this is about."""
    found = _report(context)
    if not isinstance(found, Mapping) or not all(isinstance(found.get(state), Mapping) for state in _STATES):
        run = context.get("dag_run")
        return f"Renderjuice: run {_of(run, 'run_id')} of {_of(run, 'dag_id')} left no report"
    failed = sorted(found["failed"].items())
    counts = ", ".join(f"{len(found[state])} {state}" for state in _STATES)
    lines = [f"Night of {found.get('night')}: {counts}; {found.get('frames')} frames, {_cost(found)}"]
    lines += [f"{_quiet(shot)} failed: {_quiet(reason)}" for shot, reason in failed[:_MOST_FAILED]]
    lines += [f"... and {len(failed) - _MOST_FAILED} more"] if len(failed) > _MOST_FAILED else []
    lines += [f"Report: {found['report']}"] if found.get("report") else []
    return "\n".join([*lines, *_pages(context, "Wall")])


def render_message(context: Context) -> str:
    """What became of the render of this task: what it returned, or why it has failed."""
    ti, error = context.get("ti"), context.get("exception")
    name = _quiet(getattr(ti, "rendered_map_index", None) or _of_params(context) or getattr(ti, "task_id", "A render"))
    pages = _pages(context, "Log", "Wall")
    if error is None:
        return "\n".join([f"{name}: {_rendered(_pulled(ti))}", *pages])
    if not isinstance(error, RenderjuiceError):
        job_id = _pulled(ti, JOB_ID)
        what, money = str(error), f"(job {job_id})" if job_id else ""
    else:  # the money has a line of its own: a long reason must not push it out
        what, seconds = error.what, error.normalized_seconds
        money = sentence(error.bill, error.retry, error.next_step, normalized_seconds=seconds, job_id=error.job_id)
    lines = [f"{name} failed: {_quiet(what) or type(error).__name__}", _quiet(money, _LONGEST_MONEY)]
    return "\n".join([line for line in lines if line] + pages)


def _rendered(found: Any) -> str:
    if not isinstance(found, Mapping):
        return "the render has ended"
    requested, missing = found.get("frames_requested"), found.get("frames_missing") or ()
    seconds = found.get("normalized_seconds")
    facts = [f"{found.get('status') or 'whole'}"]
    facts += [f"{requested - len(missing)} of {requested} frames"] if isinstance(requested, int) else []
    facts += [f"frames {numbers(missing, _MOST_FRAMES)} are missing"] if missing else []
    facts += [f"{seconds:,.0f} normalized seconds" if isinstance(seconds, (int, float)) else "unknown cost"]
    return f"{', '.join(facts)} (job {found.get('job_id')})"


def _of_params(context: Context) -> str:
    """The shot of the run, as our example DAGs have it in their params."""
    params: Any = context.get("params") or {}
    return str(params.get("shot") or "") if isinstance(params, Mapping) else ""


def _pages(context: Context, *names: str) -> list[str]:
    """The addresses of pages of this Airflow, where it says what its own is."""
    ti, base = context.get("ti"), conf.get("api", "base_url", fallback="").rstrip("/")
    if not base or getattr(ti, "run_id", None) is None:
        return []
    log_url = str(getattr(ti, "log_url", "")).partition("?")[0]  # a query would be taken for a signature
    found = {"Log": log_url, "Wall": f"{base}/{page_of_run(ti, RUN_PAGE)}"}
    return [f"{name}: {found[name]}" for name in names if found[name]]


def _pulled(ti: Any, key: str = "return_value") -> Any:
    """An XCom of this task; None where it cannot be read, as in the DAG processor."""
    try:
        return ti.xcom_pull(task_ids=ti.task_id, key=key, map_indexes=ti.map_index)
    except Exception:  # noqa: BLE001 - a message without it is better than none
        return None


def _report(context: Context) -> Any:
    try:
        return context["ti"].xcom_pull(task_ids=REPORT_TASK)
    except Exception:  # noqa: BLE001 - in a deadline's callback there is no task, and in the DAG processor no XCom
        return None


def _cost(found: Mapping[str, Any]) -> str:
    unknown = len(found.get("jobs_of_unknown_cost") or ())
    seconds = found.get("render_seconds")
    spent = f"{seconds:,.0f} render seconds" if isinstance(seconds, (int, float)) else "unknown render seconds"
    jobs = "1 job" if unknown == 1 else f"{unknown} jobs"
    return f"{spent}, and {jobs} of unknown cost" if unknown else spent


def _quiet(text: Any, longest: int = _LONGEST_REASON) -> str:
    """Text of a scene or server, which shall not call everybody of a channel."""
    line = " ".join(str(text)[: 4 * longest].split()).replace("<", "(").replace(">", ")")
    line = _MENTION.sub("@ ", line)
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _of(run: Any, name: str) -> str:
    """A field of a DAG run, which in a deadline's callback is what Airflow's API says of it."""
    names_of_api = {"run_id": "dag_run_id"}
    value = run.get(names_of_api.get(name, name)) if isinstance(run, Mapping) else getattr(run, name, None)
    return str(value or "?")
