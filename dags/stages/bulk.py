"""Many files with one configuration."""

from __future__ import annotations

import logging
from typing import Any

from airflow.sdk import task

from renderjuice_provider.api.redact import storable
from renderjuice_provider.xcom_keys import JOB_ID
from stages.compat import AirflowFailException
from stages.defaults import pool_note
from stages.refusals import check_map_length, no_use_to_retry

SCENES = frozenset({".blend", ".zip"})
_log = logging.getLogger(__name__)


@task
def find_scenes(**context: Any) -> list[dict[str, Any]]:
    """Arguments of `RenderjuiceRunJobOperator` for each scene in and below `params.scenes`."""
    with no_use_to_retry():
        scenes = scene_arguments(context["params"]["scenes"], context["params"]["config"])
        check_map_length(len(scenes), "scenes", "start this DAG once for each of several smaller folders")
    if note := pool_note():
        _log.info(note)
    return scenes


def scene_arguments(folder: str, config: dict[str, Any]) -> list[dict[str, Any]]:
    """Arguments for each `.blend` and `.zip`, by name, without what systems and Blender leave.

    Raises:
        ValueError: when there are none.
        RenderjuiceInputError: for a configuration that cannot be right: better one error here than
            one in each of hundreds of tasks.
    """
    from renderjuice_provider.api.config import check_render_config
    from renderjuice_provider.api.scene_file import is_litter
    from stages.storage import storage

    check_render_config(config)
    root = storage(folder)
    files = sorted(
        str(path)
        for path in root.rglob("*")
        if path.suffix.lower() in SCENES and not is_litter(str(path.relative_to(root))) and path.is_file()
    )
    if not files:
        raise ValueError(f"There are no scenes in {folder}")
    # A name that an XCom cannot hold is changed until it can. Its task then finds no such file, and
    # the others go on.
    return storable(  # type: ignore[no-any-return]
        [{"file_path": file.removeprefix("file://"), "render_config": config} for file in files],
        most=float("inf"),
        urls=False,
    )


@task(trigger_rule="all_done")
def collect(
    scenes: list[dict[str, Any]] | None, renderjuice_conn_id: str = "renderjuice_default", **context: Any
) -> dict[str, Any]:
    """Download what was rendered, into a folder for each scene. Fail when a scene is missing.

    One task for all files: a process for each would cost more than most downloads. A retry fetches
    again, which is free.
    """
    from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
    from stages.spending import job_outcomes
    from stages.storage import join, storage

    if scenes is None:
        raise AirflowFailException("Nothing was planned, so nothing was rendered; the log of `find_scenes` says why")
    root = context["params"]["scenes"].removeprefix("file://").rstrip("/") + "/"
    results, jobs = (
        context["ti"].xcom_pull(task_ids="render", key=key, map_indexes=range(len(scenes)))
        for key in ("return_value", JOB_ID)
    )
    found: dict[str, Any] = {"rendered": 0, "frames": 0, "render_seconds": 0.0, "failed": [], "incomplete": {}}
    outcomes = job_outcomes(
        {"all": [job for job in jobs if job]}, [each for each in results if each], renderjuice_conn_id
    )["all"]
    found["render_seconds"] = round(sum(outcome["seconds"] or 0.0 for outcome in outcomes.values()), 3)
    if unknown := [job for job, outcome in outcomes.items() if outcome["seconds"] is None]:
        found["jobs_of_unknown_cost"] = unknown
    client = RenderjuiceHook(renderjuice_conn_id).client
    for scene, result in zip(scenes, results, strict=True):
        name = scene["file_path"].removeprefix(root)
        if not result:
            found["failed"].append(name)
            continue
        report = client.download_outputs(result["job_id"], storage(join(context["params"]["destination"], name)))
        found["rendered"] += 1
        found["frames"] += len(report.frames)
        if lost := result.get("frames_missing") or [file.place for file in report.files if not file.size]:
            found["incomplete"][name] = lost
    _log.info("%s", found)
    if found["failed"] or found["incomplete"]:
        context["ti"].xcom_push("return_value", found)
        bad = [*found["failed"], *found["incomplete"]]
        raise AirflowFailException(
            f"{len(bad)} of {len(scenes)} scenes failed or lack frames: {', '.join(bad[:20])}. This run spent "
            f"{found['render_seconds']} render seconds, failed renders included. Next: click the scene's `render` task for the "
            "reason; Clear Task Instance there renders it again, and is paid again."
        )
    return found
