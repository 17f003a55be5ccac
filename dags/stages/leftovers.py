"""What a run has ordered for another version of its shot, before its scene changed.

Such a run was cleared. A render of the new version stops that job by itself. But a new version may
be rejected, or be delivered already, and then nothing else would.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from renderjuice_provider.api.errors import RenderjuiceNotFoundError
from stages.defaults import CONNECTION
from stages.entries import JOBS, jobs_on_record
from stages.storage import join, names_in

_log = logging.getLogger(__name__)


def stop_other_versions(order: Mapping[str, Any], run_id: str, renderjuice_conn_id: str = CONNECTION) -> list[str]:
    """Stop all jobs of a run but those of the version that it is to render now.

    Args:
        order: of the shot, which the run has claimed.
        run_id: of the run.
        renderjuice_conn_id: the connection.

    Returns:
        The ids of these jobs, also of those that were over. They were paid.

    Raises:
        RenderjuiceError: when one cannot be stopped. It may cost money.
    """
    shot, _, version = order["work"].rpartition("/")
    jobs = [
        job["job_id"]
        for other in names_in(shot)
        if other not in {version, "claims"}
        for layer in names_in(join(shot, other))
        for job in jobs_on_record(join(shot, other, layer, JOBS), run_id)
    ]
    if jobs:
        _stop(jobs, renderjuice_conn_id)
    return jobs


def _stop(job_ids: list[str], renderjuice_conn_id: str) -> None:
    from renderjuice_provider.hooks.renderjuice import RenderjuiceHook

    hook = RenderjuiceHook(renderjuice_conn_id)
    for job_id in job_ids:
        try:
            job = hook.client.cancel_job(job_id)
        except RenderjuiceNotFoundError:
            continue
        _log.info("Job %s is of a version that this run does not want any more; it is %s", job.id, job.status)
