"""The figures of `make cluster-test`: each can be wrong, and then it is shown."""

from __future__ import annotations

import json

import pytest

from proofs.cluster.__main__ import busiest
from proofs.cluster.figures import Figure, Kill, count, delivered, show_figures


def job(name: str, renders: int = 1) -> dict[str, object]:
    return {"file_name": f"{name}.blend", "renders_started": renders}


def task(name: str, shot: str, *, tries: int = 1, state: str = "success") -> dict[str, object]:
    return {"dag_run_id": shot, "task_id": name, "map_index": -1, "try_number": tries, "state": state}


@pytest.fixture
def night(tmp_path):
    """A night of two shots in which a worker and a triggerer were killed, and all went well."""
    for shot in ("one", "two"):
        version = tmp_path / "shots" / shot / "v1"
        version.mkdir(parents=True)
        (version / "movie.mp4").write_bytes(b"12345")
        (version / "manifest.json").write_text(json.dumps({"files": [{"path": "movie.mp4", "bytes": 5}]}))
        (version.parent / "current.json").write_text(json.dumps({"manifest": "v1/manifest.json"}))
    return {
        "shots": 2,
        "ledger": {"jobs": [job("one"), job("two")], "rendersStarted": 2, "jobsLeftRunning": []},
        "tasks": [task("render", "one"), task("render", "two"), task("composite", "two", tries=2)],
        "folder": tmp_path,
        "deliveries": {"/shots/one/v1": {}, "/shots/two/v1": {}},
        "kills": [
            Kill("worker-1", {("two", "composite", -1)}, 9.0),
            Kill("triggerer-2", {("one", "render", -1)}, 9.0),
        ],
    }


def wrong(night) -> set[str]:
    return {figure.name for figure in count(**night) if figure.problem}


def test_a_night_in_which_all_went_well(night):
    assert not wrong(night)


def test_a_render_paid_twice_is_reported(night):
    night["ledger"]["jobs"][0] = job("one", renders=2)
    night["ledger"]["rendersStarted"] = 3
    assert wrong(night) == {"renders started", "most renders of one job", "most renders of one shot"}


def test_a_second_job_for_a_shot_is_reported_when_it_was_rendered(night):
    night["ledger"]["jobs"].append(job("one", renders=0))
    assert not wrong(night)
    night["ledger"]["jobs"].append(job("one"))
    assert wrong(night) == {"most renders of one shot"}


def test_a_job_that_still_runs_is_reported(night):
    night["ledger"]["jobsLeftRunning"] = ["abc"]
    assert wrong(night) == {"jobs left running"}


def test_a_delivery_that_is_not_whole_is_reported(night):
    (night["folder"] / "shots" / "one" / "v1" / "movie.mp4").write_bytes(b"1")
    assert wrong(night) == {"delivered, whole"}


def test_a_second_version_is_reported(night):
    (night["folder"] / "shots" / "one" / "v2").mkdir()
    assert delivered(night["folder"]) == (2, 3)
    assert wrong(night) == {"versions delivered"}


def test_a_kill_that_interrupted_nothing_proves_nothing(night):
    night["tasks"] = [task("render", "one"), task("composite", "two")]
    assert wrong(night) == {"tasks cut off and tried again"}


def test_a_failed_task_is_reported(night):
    night["tasks"].append(task("deliver", "two", state="upstream_failed"))
    assert wrong(night) == {"tasks failed in the end"}


def test_the_table_says_what_is_wrong(capsys):
    assert not show_figures([Figure("renders", 3, 2), Figure("kills", 2, 2), Figure("wall time", "9 s")])
    assert capsys.readouterr().out.splitlines()[1:] == [
        f"x {'renders':<34} 3   should be 2",
        f"✓ {'kills':<34} 2",
        f"  {'wall time':<34} 9 s",
    ]


def test_the_busiest_container_is_found():
    running = [task("a", shot, state="running") | {"hostname": "worker-2"} for shot in ("one", "two")]
    other = task("b", "three", state="running") | {"hostname": "worker-1"}
    waiting = task("c", "four", state="deferred") | {"hostname": "worker-1"}
    waiting |= {"triggerer_job": {"hostname": "triggerer-1"}}
    unclaimed = waiting | {"dag_run_id": "five", "triggerer_job": None}
    active = [other, *running, waiting, unclaimed]
    assert busiest("worker", active) == ("worker-2", {("one", "a", -1), ("two", "a", -1)})
    assert busiest("triggerer", active) == ("triggerer-1", {("four", "c", -1)})
    assert busiest("triggerer", running) == ("triggerer", set())
