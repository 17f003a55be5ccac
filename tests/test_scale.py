"""What `make scale` counts, and that it would be wrong if something were."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from proofs.scale import before
from proofs.scale.night import Outcome
from proofs.scale.watch import Asking, scheduler_rounds, tasks_taken_for_dead

LOG = """\
[debug] Ran scheduling loop in 812.50 ms [airflow.jobs.scheduler_job_runner.SchedulerJobRunner]
[error] Detected a task instance without a heartbeat: x [airflow.jobs.scheduler_job_runner.SchedulerJobRunner]
[error] Executor reported that y finished with state success, but the task instance's state attribute is queued. [airflow.jobs]
[error] Executor reported that y finished with state success, but the task instance's state attribute is queued. [airflow.task]
[debug] Ran scheduling loop in 25301.00 ms [airflow.jobs.scheduler_job_runner.SchedulerJobRunner]
"""


def task(**more: Any) -> dict[str, Any]:
    when = {"start_date": "2026-11-23T22:00:05Z", "end_date": "2026-11-23T22:00:07Z"}
    when |= {"queued_when": "2026-11-23T22:00:04Z", "scheduled_when": "2026-11-23T22:00:01Z"}
    names = {"dag_id": "renderjuice_shot", "dag_run_id": "a", "task_id": "render", "rendered_map_index": "base"}
    return {"state": "success", "try_number": 1, "map_index": 0, **names, **when, **more}


WELL = Outcome("night", "success", 90.0, [task(), task(map_index=-1)], 2, [0.1], [], 60.0, 0.2)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "scheduler.log"
    path.write_text(LOG)
    return path


def test_rounds_of_the_scheduler_are_read_from_its_log(log: Path) -> None:
    assert scheduler_rounds(log) == [0.8125, 25.301]


def test_a_task_that_is_taken_for_dead_is_found_once(log: Path) -> None:
    assert [line.split()[1] for line in tasks_taken_for_dead(log)] == ["Detected", "Executor"]


def test_a_night_in_which_all_went_well_has_no_problems() -> None:
    assert WELL.problems(2) == []


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (replace(WELL, state="failed"), "ended as failed"),
        (replace(WELL, tasks=[task(state="upstream_failed")]), "1 tasks failed"),
        (replace(WELL, renders=3), "3 renders were paid for, not 2"),
        (replace(WELL, tasks=[task(rendered_map_index=None)]), "no name in the grid"),
        (replace(WELL, dead=["a line"]), "1 tasks were taken for dead: a line"),
    ],
)
def test_each_thing_that_is_wrong_is_a_problem(found: Outcome, problem: str) -> None:
    (text,) = found.problems(2)
    assert problem in text


def test_the_times_of_a_task_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    WELL.show_times()
    assert capsys.readouterr().out.splitlines()[1].split() == ["shot.render", "2", "3.0", "1.0", "2.0", "4"]


class Slow(BaseHTTPRequestHandler):
    """Takes its time for every second answer."""

    asked = 0

    def do_GET(self) -> None:
        Slow.asked += 1
        time.sleep(0.6 if Slow.asked % 2 else 0)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def slow() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.slow
def test_the_longest_wait_for_an_answer_is_kept(slow: str) -> None:
    with Asking(slow) as asking:
        deadline = time.monotonic() + 20
        while asking.asked < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
    assert 0.6 <= asking.longest < 10


def test_the_old_nightly_comes_from_the_history_where_there_is_one(tmp_path: Path) -> None:
    there = subprocess.run(["git", "cat-file", "-e", before.OLD], cwd=before.ROOT, capture_output=True, check=False)
    if there.returncode:
        assert before.old_dags(tmp_path) is None
        return
    dags = before.old_dags(tmp_path)
    assert dags is not None
    assert "shot.expand_kwargs" in (dags / "renderjuice_nightly.py").read_text()
    assert (dags / "stages" / "tasks.py").exists()


def test_where_there_is_no_history_that_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(before, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert before.old_dags(tmp_path / "old") is None
