"""The reel: the movie of every shot's newest delivery in one folder, up to date all the time.

An example of what can come after a delivery: it runs for just the shots that were delivered, and
`reel.json` says which version of each shot is there, and which run brought it.
"""

from __future__ import annotations

import shutil
from typing import Any

from airflow.sdk import DAG, task
from stages.assets import DELIVERED, each_delivered_shot, newest
from stages.defaults import task_defaults

with DAG(
    "renderjuice_reel",
    schedule=each_delivered_shot(),
    catchup=False,
    max_active_runs=1,  # each run reads and writes reel.json
    tags=["renderjuice"],
    doc_md=__doc__,
    default_args=task_defaults(),
):

    @task(multiple_outputs=False)
    def update(*, triggering_asset_events: Any, run_id: str) -> dict[str, str]:
        """Copy the movies, each whole or not at all. Returns the version of each shot."""
        from stages.storage import join, put_json, read_json, storage

        from renderjuice_provider.storage import folder, whole_file

        shots = newest(triggering_asset_events[DELIVERED])
        for shot, delivered in shots.items():
            reel = join(delivered["destination"], "reel")
            entries = read_json(join(reel, "reel.json")) or {}
            if entries.get(shot, {}).get("version") == delivered["version"]:
                continue  # a delivery may be announced twice
            with (
                storage(delivered["movie"]).open("rb") as movie,
                whole_file(folder(storage(reel)), f"{shot}.mp4") as path,
                path.open("wb") as file,
            ):
                shutil.copyfileobj(movie, file)
            entry = {"version": delivered["version"], "frames": delivered["frames"], "run_id": run_id}
            put_json(reel, "reel.json", dict(sorted((entries | {shot: entry}).items())))
        return {shot: delivered["version"] for shot, delivered in shots.items()}

    update()
