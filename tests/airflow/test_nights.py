"""A night on a real Airflow: a run for each shot, what fails in it, and how it goes on."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from renderjuice_emulator.rendering import RenderFailedError
from renderjuice_emulator.scenes import write_scene
from tests.support.painted import PaintingRenderer

pytestmark = [pytest.mark.airflow, pytest.mark.slow]
NIGHTLY, SHOT, NIGHT = "renderjuice_nightly", "renderjuice_shot", "2026-11-24"
UNLUCKY = 13
"""Samples of the scene that cannot be rendered for as long as the night is bad."""
OVER = {"success", "failed"}
PATIENCE = 240


class Studio:
    """A shot list on the Airflow of all tests, whose clock runs while something is waited for."""

    bad_night = True
    patience = PATIENCE

    def __init__(self, airflow, emulator, folder):
        self.airflow, self.emulator, self.folder = airflow, emulator, folder
        scene = {"frame_end": 2, "resolution": (64, 36)}
        write_scene(folder / "juice.blend", **scene)
        write_scene(folder / "ice.blend", **scene, samples=UNLUCKY)
        write_scene(folder / "blind.blend", **scene, cameras=())
        shots = [{"name": name, "file": f"{name}.blend"} for name in ("juice", "ice", "blind")]
        content = {"show": "citrus", "defaults": {"render": {"colorManagementPreset": "default"}}, "shots": shots}
        (folder / "shots.json").write_text(json.dumps(content))
        self.places = {"destination": str(folder / "out"), "work": str(folder / "work"), "date": NIGHT}
        self.places |= {"shot_list": str(folder / "shots.json")}

    def until(self, found, what):
        deadline = time.monotonic() + self.patience
        while not (result := found()):
            assert time.monotonic() < deadline, f"{what} within {self.patience} s"
            self.emulator.clock.advance(30)
            time.sleep(0.5)
        return result

    def ends(self, dag_id, run_id):
        return self.until(
            lambda: (state := self.airflow.run_state(dag_id, run_id)) in OVER and state, f"{run_id} was not over"
        )

    def clear(self, dag_id, run_id, tasks=None, **more):
        body = {"dry_run": False, "dag_run_id": run_id, "only_failed": False, "reset_dag_runs": True} | more
        body |= {"task_ids": tasks} if tasks else {}
        self.airflow.api("POST", f"/dags/{dag_id}/clearTaskInstances", json=body)

    def runs(self):
        return {run["dag_run_id"]: run for run in self.airflow.api("GET", f"/dags/{SHOT}/dagRuns")["dag_runs"]}

    def run_of(self, shot):
        (found,) = [run for run in self.runs() if run.startswith(f"{shot}__") and run.endswith(NIGHT)]
        return found

    def row(self, run_id, shot):
        rows = self.airflow.tasks(NIGHTLY, run_id)
        return next(row for row in rows if row["rendered_map_index"] == shot)

    def summary(self):
        return json.loads((self.folder / "out/nights" / NIGHT / "summary.json").read_text())["shots"]

    def log(self, dag_id, run_id, task_id):
        """The log files of a task, with the texts of errors, which the API leaves out."""
        logs = self.airflow.home / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}"
        return "".join(path.read_text() for path in sorted(logs.rglob("*.log")))

    def states(self):
        return {name: entry["state"] for name, entry in self.summary().items()}


@pytest.fixture(scope="module")
def studio(airflow, emulator, tmp_path_factory):
    draw = PaintingRenderer.render

    async def render(self, order):
        async for file in draw(self, order):
            if Studio.bad_night and order.report.samples == UNLUCKY and file.frame == 2:
                raise RenderFailedError("frame 2 could not be rendered", "RENDER_ERROR")
            yield file

    PaintingRenderer.render = render
    yield Studio(airflow, emulator, tmp_path_factory.mktemp("night"))
    PaintingRenderer.render = draw


@pytest.fixture(scope="module")
def night(studio):
    """The id of a nightly's run, which is over."""
    run_id = studio.airflow.trigger(NIGHTLY, studio.places)
    assert studio.ends(NIGHTLY, run_id) == "failed", [
        studio.log(NIGHTLY, run_id, task)[-3000:] for task in ("plan", "report")
    ]
    return run_id


def test_each_shot_has_a_run_and_a_row_with_its_name_and_a_bad_one_stops_no_other(studio, night):
    assert studio.states() == {"juice": "delivered", "ice": "failed", "blind": "rejected"}
    assert {shot: studio.row(night, shot)["state"] for shot in studio.states()} == {
        "juice": "success",
        "ice": "failed",
        "blind": "success",
    }
    assert len([run for run in studio.runs() if run.endswith(NIGHT)]) == 3


def test_the_row_of_a_failed_shot_fails_once_and_names_its_run(studio, night):
    row = studio.row(night, "ice")

    assert row["try_number"] == 1
    assert f"ice failed: see its run {studio.run_of('ice')} of {SHOT}" in studio.log(NIGHTLY, night, "shot")


def test_a_nightly_that_is_cleared_starts_no_run_of_what_was_rendered_and_pays_nothing(studio, night):
    before, renders = set(studio.runs()), studio.emulator.ledger.renders_started()

    studio.clear(NIGHTLY, night)
    assert studio.ends(NIGHTLY, night) == "failed"

    assert studio.emulator.ledger.renders_started() == renders
    assert [run.partition("__")[0] for run in set(studio.runs()) - before] == ["blind"]  # it is free to check it again
    assert studio.states() == {"juice": "delivered", "ice": "failed", "blind": "rejected"}


def test_a_row_that_is_cleared_finds_the_run_and_starts_none(studio, night):
    before = set(studio.runs())

    studio.clear(NIGHTLY, night, [["shot", studio.row(night, "blind")["map_index"]], "report"])
    studio.ends(NIGHTLY, night)

    assert set(studio.runs()) == before
    assert studio.row(night, "blind")["state"] == "success"


def test_a_rejected_run_that_is_cleared_renders_nothing(studio, night):
    """Airflow may have expanded the render already, when the branch chooses the other way."""
    renders, run = studio.emulator.ledger.renders_started(), studio.run_of("blind")

    studio.clear(SHOT, run)
    assert studio.ends(SHOT, run) == "success"

    assert studio.emulator.ledger.renders_started() == renders
    states = {task["task_id"]: task["state"] for task in studio.airflow.tasks(SHOT, run)}
    assert (states["reject"], states["render"], states["deliver"]) == ("success", "skipped", "skipped")


def test_a_second_run_of_a_shot_fails_at_once_names_the_first_and_spends_nothing(studio, night):
    places = studio.places | {"date": "2026-11-25"}
    (studio.folder / "slow.blend").write_bytes((studio.folder / "juice.blend").read_bytes())
    renders = studio.emulator.ledger.renders_started()
    first = studio.airflow.trigger(SHOT, places | {"file": str(studio.folder / "slow.blend")})
    deadline = time.monotonic() + PATIENCE
    claim = studio.folder / "work/slow/claims/0001.json"
    while not claim.exists():
        assert time.monotonic() < deadline
        time.sleep(0.3)

    uploads = studio.emulator.ledger.count("create_upload")
    second = studio.airflow.trigger(SHOT, places | {"file": str(studio.folder / "slow.blend"), "quality": "final"})
    while studio.airflow.run_state(SHOT, second) not in OVER:  # the emulator's clock stands still
        assert time.monotonic() < deadline
        time.sleep(0.3)

    assert studio.airflow.run_state(SHOT, second) == "failed"
    log = studio.log(SHOT, second, "take_order")
    assert f"The run {first} of {SHOT} has this shot and is not over yet" in log
    assert "Nothing was sent, and nothing was spent." in log
    assert studio.emulator.ledger.count("create_upload") - uploads <= 1  # the first one's own
    assert studio.ends(SHOT, first) == "success"
    assert studio.emulator.ledger.renders_started() - renders == 1
    entry = json.loads((studio.folder / "out/nights/2026-11-25/shots/slow.json").read_text())
    assert (entry["state"], entry["run_id"]) == ("delivered", first)


def test_a_failed_run_that_is_cleared_renders_what_is_missing_and_a_cleared_report_says_so(studio, night):
    renders, run = studio.emulator.ledger.renders_started(), studio.run_of("ice")
    Studio.bad_night = False

    studio.clear(SHOT, run, only_failed=True, include_downstream=True)
    assert studio.ends(SHOT, run) == "success"
    assert studio.emulator.ledger.renders_started() == renders + 1
    ordered = [job.requested_config for job in studio.emulator.jobs.values() if job.requested_config]
    assert ordered[-1]["frameRanges"] == ["2"]
    studio.clear(NIGHTLY, night, ["report"])

    assert studio.ends(NIGHTLY, night) == "success"
    ice = studio.summary()["ice"]
    assert (ice["state"], ice["run_id"]) == ("delivered", run)
    assert len(ice["spent"]) == 4  # three rounds that failed, and the one that did not
    assert None not in ice["spent"].values()
    assert Path(ice["movie"]).exists()


def test_a_paused_shot_dag_is_reported_at_once_and_not_waited_for(studio, night):
    write_scene(studio.folder / "juice.blend", frame_end=3, resolution=(64, 36))
    studio.airflow.api("PATCH", f"/dags/{SHOT}", json={"is_paused": True})
    try:
        run_id = studio.airflow.trigger(NIGHTLY, studio.places | {"shots": ["juice"]})
        assert studio.ends(NIGHTLY, run_id) == "failed"
        assert f"juice: {SHOT} is paused" in studio.log(NIGHTLY, run_id, "shot")
        assert studio.states()["juice"] == "failed"
    finally:
        studio.airflow.api("PATCH", f"/dags/{SHOT}", json={"is_paused": False})


def test_a_shot_that_is_refused_when_its_run_begins_is_reported_with_the_reason(studio):
    """Its scene is removed after the plan. And two dots are no part of a run's id in Airflow."""
    scene = studio.folder / "leaves.blend"
    write_scene(scene, frame_end=1)
    shots = [{"name": "leaves..early", "file": scene.name}]
    content = {"show": "citrus", "defaults": {"render": {"colorManagementPreset": "default"}}, "shots": shots}
    (studio.folder / "leaves.json").write_text(json.dumps(content))
    places = studio.places | {"date": "2026-11-27", "shot_list": str(studio.folder / "leaves.json")}

    run_id = studio.airflow.trigger(NIGHTLY, places)
    studio.until(
        lambda: any(
            (task["task_id"], task["state"]) == ("plan", "success") for task in studio.airflow.tasks(NIGHTLY, run_id)
        ),
        "the plan",
    )
    scene.unlink()

    assert studio.ends(NIGHTLY, run_id) == "failed"
    summary = json.loads((studio.folder / "out/nights/2026-11-27/summary.json").read_text())
    entry = summary["shots"]["leaves..early"]
    assert entry["run_id"].startswith("leaves.~early__")
    assert "there is no file" in entry["reason"]
    assert "Nothing was sent, and nothing was spent." in entry["reason"]
