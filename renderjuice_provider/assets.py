"""Completed renders as an asset of Airflow: DAGs that run when a render is completed.

    with DAG("after_render", schedule=completed_renders()):

        @task
        def note(*, triggering_asset_events):
            for job_id, render in renders_of_events(triggering_asset_events).items():
                ...

Events are made by the webhook receiver in Airflow's API server, or by an `AssetWatcher` with
`renderjuice_provider.triggers.renderjuice.RenderjuiceCompletedTrigger`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from renderjuice_provider.api._ids import check_job_id
from renderjuice_provider.api.errors import RenderjuiceInputError
from renderjuice_provider.lifecycle.completion import CompletedRender, asset_key, notes_with_shot, render_of_job
from renderjuice_provider.lifecycle.inbox import RENDER_COMPLETE

if TYPE_CHECKING:
    from airflow.sdk import Asset, AssetWatcher

__all__ = [
    "CompletedRender",
    "completed_renders",
    "notes_with_shot",
    "render_of_job",
    "renders_of_events",
]


def completed_renders(
    renderjuice_conn_id: str = "renderjuice_default", *, watchers: Sequence[AssetWatcher] = ()
) -> Asset:
    """The asset that gets an event for each completed render of a connection's workspace.

    Its name is `renderjuice_completed_<connection id>`. Each event's `extra` is a
    `CompletedRender`: ids, names and a number, never a URL.

    Args:
        renderjuice_conn_id: the Airflow connection, as in the address that Renderjuice sends its
            webhooks to.
        watchers: where no webhooks can arrive, what makes the events: an `AssetWatcher` with a
            `RenderjuiceCompletedTrigger`. Each DAG file that uses the asset has to name it: Airflow
            takes those of the file that it read last.
    """
    from airflow.sdk import Asset

    name, uri = asset_key(renderjuice_conn_id)
    return Asset(name=name, uri=uri, watchers=list(watchers))


def renders_of_events(triggering_asset_events: Mapping[Any, Iterable[Any]]) -> dict[str, CompletedRender]:
    """The renders that started a run, by job id, in the order of their events.

    Airflow 3.3 makes one run of all events since the run before, 3.4 a run for each; an event may
    come twice (a webhook and a watcher, say). This gives each job once in all these cases, and
    leaves out what is no event of a completed render. It is empty in a run that was started by
    hand.

    Args:
        triggering_asset_events: as Airflow's context has it.
    """
    events = [event for of_asset in triggering_asset_events.values() for event in of_asset]
    found: dict[str, CompletedRender] = {}
    for event in sorted(events, key=lambda event: event.timestamp):
        render = _render(event.extra)
        if render:
            found[render["job_id"]] = render
    return found


def _render(extra: Any) -> CompletedRender | None:
    if isinstance(extra, Mapping) and isinstance(extra.get("payload"), Mapping):
        extra = extra["payload"]  # where Airflow puts what a watcher's trigger says
    try:
        job_id = check_job_id(extra["job_id"])
    except (RenderjuiceInputError, LookupError, TypeError):
        return None
    shot, scene, seconds = (extra.get(name) for name in ("shot", "scene", "normalized_seconds"))
    return {
        "job_id": job_id,
        "shot": shot if isinstance(shot, str) else None,
        "scene": scene if isinstance(scene, str) else None,
        "normalized_seconds": float(seconds) if isinstance(seconds, (int, float)) else None,
        "event": str(extra.get("event") or RENDER_COMPLETE),
    }
