"""Renders that were completed while nothing waited for them: which of them to download, and where.

They are those whose events started a run; or, in a run that was started by hand, all that were
completed lately, for what was missed while the DAG was paused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import task

from renderjuice_provider.api.models import Job, JobStatus
from renderjuice_provider.assets import CompletedRender, render_of_job, renders_of_events
from stages.defaults import CONNECTION
from stages.refusals import check_map_length, no_use_to_retry

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.-]+")


@task
def not_downloaded(*, triggering_asset_events: Any, params: Mapping[str, Any]) -> list[dict[str, str]]:
    """Arguments of `RenderjuiceDownloadOperator` for each render that is not there yet."""
    from stages.storage import join, storage

    by_events = bool(triggering_asset_events)
    renders = renders_of_events(triggering_asset_events) if by_events else _lately(params["days"])
    rows = rows_of(renders.values(), params["destination"])
    # A manifest is written last of all: where there is one, all files are there.
    rows = [row for row in rows if not storage(join(row["destination"], "manifest.json")).exists()]
    with no_use_to_retry():
        check_map_length(len(rows), "renders", "start this DAG by hand with fewer `days`")
    return rows


def rows_of(renders: Iterable[CompletedRender], destination: str) -> list[dict[str, str]]:
    """A job id and a folder for each: `<destination>/<shot, else scene>/<job id>`."""
    from stages.storage import join

    return [
        {"job_id": render["job_id"], "destination": join(destination, _folder(render), render["job_id"])}
        for render in renders
    ]


def _folder(render: CompletedRender) -> str:
    """A name that is safe: those of shots and scenes come from outside."""
    scene = (render["scene"] or "").rpartition(".")[0] or render["scene"]
    name = _NOT_IN_NAMES.sub("_", render["shot"] or scene or "").lstrip("_.-")[:100]
    return name or "unnamed"


def _lately(days: float) -> dict[str, CompletedRender]:
    from renderjuice_provider.hooks.renderjuice import RenderjuiceHook

    since = datetime.now(UTC) - timedelta(days=days)
    jobs = RenderjuiceHook(CONNECTION).client.list_jobs(JobStatus.COMPLETED)
    return {job.id: render_of_job(job) for job in jobs if _changed(job) >= since}


def _changed(job: Job) -> datetime:
    """When; a job of which it is not known counts as new."""
    changed = job.updated_at or datetime.now(UTC)
    return changed if changed.tzinfo else changed.replace(tzinfo=UTC)
