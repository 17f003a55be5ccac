"""What the release before has stored for a run that is under way still means the same."""

from __future__ import annotations

import time

import pytest

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api.scene_file import content_fingerprint
from renderjuice_provider.operators.renderjuice import RenderjuiceRunJobOperator
from tests.support.runner import CONFIG, needs_store

MARK = "4c083a3d9b633c3a4c7ff1994405836fc5c62935aa228648169e14f9cfb8973e"
"""The fingerprint of `CONFIG` as the release before has computed it."""


def run_job(scene, **arguments):
    return RenderjuiceRunJobOperator(
        **{"task_id": "run", "file_path": str(scene), "render_config": CONFIG, "poll_interval": 0.02} | arguments
    )


@pytest.fixture
def rendering(emulator, runner, tmp_path):
    """A scene, and the id of its job, which renders."""
    slow = write_scene(tmp_path / "slow.blend", seconds_per_frame=1e6)
    runner.run(run_job(slow, wait=False))
    (job_id,) = emulator.ledger.jobs_left_running()
    return slow, job_id


@needs_store
def test_the_record_of_a_run_that_is_under_way_is_taken_up(emulator, runner, rendering):
    scene, job_id = rendering
    now = time.time()
    record = {
        "version": 1,
        "work": MARK,
        "content": content_fingerprint(scene),
        "source": str(scene),
        "slug": "slug-1",
        "job_id": job_id,
        "started": now - 60,
        "deadline": now + 3600,
        "max_tries": 0,
    }
    runner.store.set("renderjuice", record)
    assert runner.run(run_job(scene, wait=False))["job_id"] == job_id
    assert runner.store.get("renderjuice") == record | {"spent": []}
    assert emulator.ledger.renders_started() == 1


@pytest.mark.parametrize("waits_for", [True, False], ids=["with its kwargs", "without, as in dag.test()"])
def test_a_deferral_of_the_release_before_is_resumed(emulator, runner, rendering, waits_for):
    scene, job_id = rendering
    now = time.time()
    times = {"started": now - 60, "deadline": now + 3600, "limit": "timeout"}
    event = {
        "version": 1,
        "ending": "reached",
        "job_id": job_id,
        "status": "completed",
        "message": f"Job {job_id} is completed",
        "stopped": None,
        **times,
    }
    kwargs = {"event": event} | ({"waits_for": {"job_id": job_id, **times}} if waits_for else {})
    resumed = run_job(scene, wait=False).resume_execution("execute_complete", kwargs, runner.context)
    assert resumed["job_id"] == job_id
    assert resumed["status"] in {"booting", "rendering"}
    assert runner.ti.xcoms["renderjuice_job_id"] == job_id
    assert emulator.ledger.renders_started() == 1
