"""What the renders of a run cost, those included that were killed or failed: Renderjuice bills them as well."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from renderjuice_provider.api.errors import RenderjuiceError, RenderjuiceNotFoundError
from renderjuice_provider.api.models import Job, JobStatus
from stages.compat import AirflowNotFoundException

_BEFORE_RENDERING = frozenset({JobStatus.CREATED, JobStatus.VALIDATING, JobStatus.VALIDATED})
NOBODY_KNOWS: dict[str, Any] = {"status": "", "running": False, "seconds": None, "reason": ""}
_log = logging.getLogger(__name__)


def job_looks(
    jobs: Mapping[str, Iterable[str]], renders: Iterable[Mapping[str, Any]], renderjuice_conn_id: str
) -> dict[str, dict[str, dict[str, Any]]]:
    """By shot and job id: `status`, `running`, `seconds` (normalised; None where nobody knows) and `reason` of each job.

    Args:
        jobs: the ids of this run's jobs, by shot.
        renders: what the rendering tasks that went well returned. The other jobs are read at
            Renderjuice, once each.
        renderjuice_conn_id: where they are.
    """
    told = {render["job_id"]: NOBODY_KNOWS | {"seconds": render.get("normalized_seconds")} for render in renders}
    others = [job_id for ids in jobs.values() for job_id in ids if job_id not in told]
    told |= _read(others, renderjuice_conn_id) if others else {}
    return {shot: {job_id: told[job_id] for job_id in ids} for shot, ids in jobs.items()}


def _read(job_ids: Iterable[str], renderjuice_conn_id: str) -> dict[str, dict[str, Any]]:
    from renderjuice_provider.hooks.renderjuice import RenderjuiceHook

    found = dict.fromkeys(job_ids, NOBODY_KNOWS)
    hook = RenderjuiceHook(renderjuice_conn_id)
    for job_id in found:
        try:
            found[job_id] = look_of(hook.client.get_job(job_id))
        except RenderjuiceNotFoundError:
            continue
        except (
            RenderjuiceError,
            AirflowNotFoundException,
        ) as error:  # it would be the same, and take as long, for the others
            _log.warning("What became of %d jobs could not be asked: %s", len(found), error)
            break
    return found


def look_of(job: Job) -> dict[str, Any]:
    """What the summary needs of a job. One that was never ordered to render cost nothing; else None is "nobody knows"."""
    idle = job.status in _BEFORE_RENDERING or (job.is_over and job.requested_config is None)
    seconds = job.normalized_seconds
    return {
        "status": job.status,
        "running": not idle and not job.is_over,
        "seconds": 0.0 if idle and seconds is None else seconds,
        "reason": job.reason if job.failed_reason else "",
    }
