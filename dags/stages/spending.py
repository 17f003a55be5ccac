"""What the renders of a night cost, also those that were killed or failed, which are billed too."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from renderjuice_provider.api.errors import RenderjuiceError, RenderjuiceNotFoundError
from renderjuice_provider.api.models import Job, JobStatus
from stages.compat import AirflowNotFoundException
from stages.entries import total

_BEFORE_RENDERING = frozenset({JobStatus.CREATED, JobStatus.VALIDATING, JobStatus.VALIDATED})
UNKNOWN: dict[str, Any] = {"status": "", "running": False, "seconds": None, "reason": ""}
_SPENT = ("spent", "spent_before")
_log = logging.getLogger(__name__)


def add_costs(entries: Sequence[Mapping[str, Any]], renderjuice_conn_id: str) -> list[dict[str, Any]]:
    """Entries with the cost of jobs whose seconds were not known, as far as Renderjuice says it.

    A job that still renders is named in `still_rendering`. What a job says about its end is added
    to the reason of a shot that failed, where its tasks did not know.
    """
    unknown = {
        entry["shot"]: [
            job_id for spent in _SPENT for job_id, seconds in entry.get(spent, {}).items() if seconds is None
        ]
        for entry in entries
    }
    outcomes = job_outcomes(unknown, [], renderjuice_conn_id)
    return [_with_costs(entry, outcomes[entry["shot"]]) for entry in entries]


def _with_costs(entry: Mapping[str, Any], outcomes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    if not outcomes:
        return dict(entry)
    found = dict(entry)
    for spent in _SPENT:
        if spent in entry:
            asked = {job_id: outcomes[job_id]["seconds"] for job_id in entry[spent] if job_id in outcomes}
            found[spent] = {**entry[spent], **asked}
    found["render_seconds"] = total(found.get("spent", {}))
    if "by_layer" in entry:
        known = found.get("spent", {})
        found["by_layer"] = {
            layer: {job: known.get(job, seconds) for job, seconds in jobs.items()}
            for layer, jobs in entry["by_layer"].items()
        }
    if running := [job_id for job_id, outcome in outcomes.items() if outcome["running"]]:
        found["still_rendering"] = running
    own = {job_id: outcome for job_id, outcome in outcomes.items() if job_id in entry.get("spent", {})}
    reason = entry.get("reason") or ""
    # A reason that names a job is the render's own. What earlier rounds met is no part of it.
    if entry["state"] == "failed" and not any(job_id in reason for job_id in own):
        found["reason"] = _reason(reason, list(own.values()))
    return found


def _reason(reason: str, outcomes: Sequence[Mapping[str, Any]]) -> str:
    """Why a shot failed, with what its jobs say, where its tasks do not say it already."""
    said = [outcome["reason"] for outcome in outcomes if outcome["reason"] and outcome["reason"] not in reason]
    if not said and any(outcome["status"] == JobStatus.CANCELED for outcome in outcomes):
        said = ["its render was cancelled"]
    return "; ".join([*dict.fromkeys(said), *([reason] if reason else [])])


def job_outcomes(
    jobs: Mapping[str, Iterable[str]], renders: Iterable[Mapping[str, Any]], renderjuice_conn_id: str
) -> dict[str, dict[str, dict[str, Any]]]:
    """What became of each job, by shot and job id.

    Args:
        jobs: the ids of this run's jobs, by shot.
        renders: what the successful render tasks returned. The other jobs are read from
            Renderjuice, once each.
        renderjuice_conn_id: the connection.

    Returns:
        `status`, `running`, `seconds` (normalised; None where not known) and `reason` of each job.
    """
    known = {render["job_id"]: UNKNOWN | {"seconds": render.get("normalized_seconds")} for render in renders}
    others = [job_id for ids in jobs.values() for job_id in ids if job_id not in known]
    known |= _read(others, renderjuice_conn_id) if others else {}
    return {shot: {job_id: known[job_id] for job_id in ids} for shot, ids in jobs.items()}


def _read(job_ids: Iterable[str], renderjuice_conn_id: str) -> dict[str, dict[str, Any]]:
    from renderjuice_provider.hooks.renderjuice import RenderjuiceHook

    found = dict.fromkeys(job_ids, UNKNOWN)
    hook = RenderjuiceHook(renderjuice_conn_id)
    for job_id in found:
        try:
            found[job_id] = outcome_of(hook.client.get_job(job_id))
        except RenderjuiceNotFoundError:
            continue
        except (RenderjuiceError, AirflowNotFoundException) as error:
            # The others would fail in the same way, after the same time.
            _log.warning("What became of %d jobs could not be read: %s", len(found), error)
            break
    return found


def outcome_of(job: Job) -> dict[str, Any]:
    """What the summary needs of a job.

    A job that was never ordered to render cost nothing. Else `seconds` None means "not known".
    """
    unordered = job.requested_config is None and job.final_config is None and job.status != JobStatus.COMPLETED
    idle = job.status in _BEFORE_RENDERING or (job.is_over and unordered)
    seconds = job.normalized_seconds
    return {
        "status": job.status,
        "running": not idle and not job.is_over,
        "seconds": 0.0 if idle and seconds is None else seconds,
        "reason": job.reason if job.failed_reason else "",
    }
