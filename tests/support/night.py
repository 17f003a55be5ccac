"""Runs the DAGs by `dag.test()` in a process of its own, and writes what happened as JSON.

`test_runs.py` judges it.

    python -m tests.support.night <folder for everything> <file for the result>

A process of its own, because `dag.test()` wants a migrated database and settings that are there
before Airflow is imported.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

from renderjuice_emulator.fast import FastRenderer
from renderjuice_emulator.rendering import RenderedFile, RenderFailedError, RenderOrder
from renderjuice_emulator.testing import Emulator, write_scene
from tools.started_runs import performed

DAGS = Path(__file__).parents[2] / "dags"
NIGHT = "2026-11-23"
SCENE: dict[str, Any] = {"frame_end": 6, "resolution": (64, 36)}
LIST = """\
show: citrus
defaults: {render: {colorManagementPreset: default}}
shots:
  - {name: juice, file: juice.blend, hero: true, priority: 90}
  - {name: still, file: still.blend}
  - {name: blind, file: blind.blend}
  - {name: ice, file: ice.blend}
  - {name: holes, file: holes.blend}
  - {name: label, layers: {base: label_base.blend, over: label_over.blend}, frames: 1-4}
  - {name: typo, file: typo.blend, heros: true}
"""
JUICE = "  - {name: juice, file: juice.blend, hero: true, priority: 90, frames: 1-2}\n"


class MoodyRenderer(FastRenderer):
    """Scenes with 13 samples fail at frame 4, those with 14 come without frames 2 and 5."""

    bad_night = True
    removes: ClassVar[Path | None] = None
    """A scene that somebody removes while another one is rendered."""

    async def render(self, order: RenderOrder) -> AsyncIterator[RenderedFile]:
        if self.removes:
            self.removes.unlink(missing_ok=True)
        async for file in super().render(order):
            if self.bad_night and order.report.samples == 13 and file.frame == 4:
                raise RenderFailedError(f"frame {file.frame} could not be rendered", "RENDER_ERROR")
            if not (self.bad_night and order.report.samples == 14 and file.frame in {2, 5}):
                yield file


class Tracker(BaseHTTPRequestHandler):
    """A production tracker that keeps what is reported to it."""

    reported: ClassVar[list[tuple[str, Any]]] = []

    def do_PUT(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.reported.append((self.path, body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def tracking() -> Iterator[str]:
    """The URL of a production tracker that takes whatever is reported."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Tracker)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class Studio:
    """An emulator, a tracker, a shot list and its scenes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.emulator = Emulator(renderer=MoodyRenderer)
        self.emulator.start()
        server = ThreadingHTTPServer(("127.0.0.1", 0), Tracker)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        renderjuice = {"conn_type": "renderjuice", "host": self.emulator.base_url, "password": self.emulator.api_key}
        tracker = {"conn_type": "http", "host": f"http://127.0.0.1:{server.server_port}"}
        os.environ |= {
            "AIRFLOW_CONN_RENDERJUICE_DEFAULT": json.dumps(renderjuice),
            "AIRFLOW_CONN_PRODUCTION_TRACKER": json.dumps(tracker),
            "RENDERJUICE_POLL_INTERVAL": "0.05",
            "RENDERJUICE_DEADLINE_HOURS": "0",  # dag.test() fails where a DAG has a deadline
        }
        self.scene("juice")
        self.scene("still")
        self.scene("blind", cameras=())
        self.scene("ice", samples=13)
        self.scene("holes", samples=14)
        self.scene("label_base")
        self.scene("label_over", film_transparent=True)
        self.scene("typo")
        (folder / "shots.yaml").write_text(LIST)
        self.places = {"destination": str(folder / "out"), "work": str(folder / "work")}
        from airflow.dag_processing.dagbag import DagBag

        from renderjuice_provider.triggers import renderjuice as triggers

        triggers.FIRST_POLL = 0.0  # there is no scheduler that could lag

        self.dags = DagBag(str(DAGS)).dags

    def scene(self, name: str, **report: Any) -> None:
        write_scene(self.folder / f"{name}.blend", **SCENE | report)

    def run(self, dag_id: str, **conf: Any) -> dict[str, Any]:
        """One run, and what it did to the world."""
        started, reported = self.emulator.ledger.renders_started(), len(Tracker.reported)
        uploads = self.emulator.ledger.count("create_upload")
        files, seconds, shots = self._files(), self._seconds(), self._shots()
        with performed(self.dags):
            run = self.dags[dag_id].test(run_conf=conf)
        return {
            "state": run.state,
            "tasks": _tasks(run),
            "shots": {run_id: tasks for run_id, tasks in self._shots().items() if shots.get(run_id) != tasks},
            "renders": self.emulator.ledger.renders_started() - started,
            "seconds": self._seconds() - seconds,
            "uploads": self.emulator.ledger.count("create_upload") - uploads,
            "orders": [
                [job.upload.file_name, job.requested_config]
                for job in self.emulator.jobs.values()
                if job.requested_config
            ],
            "reported": Tracker.reported[reported:],
            "changed": sorted(path for path, stamp in self._files().items() if files.get(path) != stamp),
            "summary": self._summary(),
            "report": self._report(run),
        }

    def _shots(self) -> dict[str, Any]:
        """The tasks of each shot's run so far."""
        from airflow.models.dagrun import DagRun

        return {run.run_id: _tasks(run) for run in DagRun.find(dag_id="renderjuice_shot")}

    def _seconds(self) -> float:
        """What all renders so far would be billed for."""
        return sum(job.normalized_seconds for job in self.emulator.jobs.values())

    def _report(self, run: Any) -> dict[str, Any]:
        """What `report` or `collect` returned."""
        from airflow.models.xcom import XComModel
        from airflow.utils.session import create_session

        reported = XComModel.get_many(
            run_id=run.run_id, key="return_value", task_ids=["report", "collect"], dag_ids=run.dag_id
        )
        with create_session() as session:
            found = session.scalars(reported).first()
            return XComModel.deserialize_value(found) if found else {}

    def _files(self) -> dict[str, int]:
        out = self.folder / "out"
        return {str(path.relative_to(out)): path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}

    def _summary(self) -> dict[str, Any]:
        path = self.folder / "out" / "nights" / NIGHT / "summary.json"
        return json.loads(path.read_text()) if path.exists() else {}


def _tasks(run: Any) -> dict[str, list[str]]:
    return {f"{ti.task_id}[{ti.map_index}]": [ti.state, ti.rendered_map_index] for ti in run.get_task_instances()}


def main(folder: Path, result: Path) -> None:
    studio = Studio(folder)
    # All params each time: dag.test() keeps those of the run before.
    nightly = {
        "shot_list": str(folder / "shots.yaml"),
        "date": NIGHT,
        "shots": [],
        "dry_run": False,
        "failed_only": False,
    }
    nightly |= studio.places
    destination = studio.places["destination"]
    dry = nightly | {"dry_run": True}
    done = {
        "dry run": studio.run("renderjuice_nightly", **dry),
        "eve": studio.run("renderjuice_nightly", **nightly | {"date": "2026-11-22", "shots": ["still"]}),
        "night": studio.run("renderjuice_nightly", **nightly),
        "again": studio.run("renderjuice_nightly", **nightly),
        "dry run of a bad night": studio.run("renderjuice_nightly", **dry),
        "dry run of a repair": studio.run("renderjuice_nightly", **dry | {"failed_only": True}),
        "dry run of nothing": studio.run("renderjuice_nightly", **dry | {"shots": ["still"]}),
        "dry run of no list": studio.run("renderjuice_nightly", **dry | {"shot_list": "/no/list"}),
    }
    MoodyRenderer.bad_night = False
    done["repair"] = studio.run("renderjuice_nightly", **nightly | {"failed_only": True})
    done["after"] = studio.run("renderjuice_nightly", **nightly)
    shot = {name: nightly[name] for name in ("shot_list", "date", "destination", "work")}
    shot |= {"shot": None, "file": None, "frames": None, "quality": "auto"}
    done["unchanged by hand"] = studio.run("renderjuice_shot", **shot | {"shot": "juice"})
    done["final by hand"] = studio.run("renderjuice_shot", **shot | {"shot": "label", "quality": "final"})
    loose = write_scene(folder / "loose end.blend", **SCENE)
    done["just a file"] = studio.run("renderjuice_shot", **shot | {"file": str(loose), "frames": "2-3"})
    done["not in the list"] = studio.run("renderjuice_shot", **shot | {"shot": "juce"})
    studio.scene("leaves")
    MoodyRenderer.removes = folder / "leaves.blend"
    (folder / "leaves.yaml").write_text(
        f"{LIST.partition('  - ')[0]}  - {{name: leaves, file: leaves.blend}}\n" + JUICE
    )
    elsewhere = {"destination": str(folder / "elsewhere"), "shot_list": str(folder / "leaves.yaml")}
    done["a scene leaves"] = studio.run("renderjuice_nightly", **nightly | elsewhere)
    MoodyRenderer.removes = None
    bulk = folder / "bulk"
    (bulk / "more").mkdir(parents=True)
    for name in ("one", "two", "more/three"):
        write_scene(
            bulk / f"{name}.blend", frame_end=2, resolution=(16, 16), fail_at_frame=2 if name == "two" else None
        )
    done["bulk"] = studio.run("renderjuice_bulk", scenes=str(bulk), destination=f"{destination}/bulk")
    completed = {"destination": f"{destination}/completed", "days": 1}
    done["all that is completed"] = studio.run("renderjuice_on_complete", **completed)
    done["all that is completed, again"] = studio.run("renderjuice_on_complete", **completed)
    jobs = [job.id for job in studio.emulator.jobs.values() if job.status == "completed"]
    done["all that is completed"]["completed_jobs"] = jobs
    result.write_text(json.dumps(done, default=str))
    studio.emulator.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
