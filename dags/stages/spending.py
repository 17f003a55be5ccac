"""What the renders of a run cost, also those that were killed or failed, which are billed too."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from renderjuice_provider.api.errors import RenderjuiceError, RenderjuiceNotFoundError
from renderjuice_provider.api.models import Job, JobStatus
from stages.compat import AirflowNotFoundException

_BEFORE_RENDERING = frozenset({JobStatus.CREATED, JobStatus.VALIDATING, JobStatus.VALIDATED})
UNKNOWN: dict[str, Any] = {"status": "", "running": False, "seconds": None, "reason": ""}
_log = logging.getLogger(__name__)


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
    idle = job.status in _BEFORE_RENDERING or (job.is_over and job.requested_config is None)
    seconds = job.normalized_seconds
    return {
        "status": job.status,
        "running": not idle and not job.is_over,
        "seconds": 0.0 if idle and seconds is None else seconds,
        "reason": job.reason if job.failed_reason else "",
    }
