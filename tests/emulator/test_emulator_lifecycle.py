from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from renderjuice_emulator.states import Status, may_become
from renderjuice_emulator.testing import Emulator
from tests.support.raw_client import DEFAULT, RawClient


def test_a_shot_goes_from_upload_to_frames(raw_client: RawClient) -> None:
    job_id = raw_client.completed(frame_end=3)
    job = raw_client.job(job_id)
    assert job["status"] == "completed"
    assert job["finalConfig"]["frameRanges"] == ["1-3"]
    assert job["requestedConfig"] == DEFAULT
    assert job["analysis"]["cameras"] == ["Camera"]
    assert job["sceneFile"]["name"] == "shot_010.blend"
    downloads = raw_client.downloads(job_id)
    assert [item["fileName"] for item in downloads["frameOutputs"]] == ["0001.png", "0002.png", "0003.png"]
    assert downloads["frames"] == [item["url"] for item in downloads["frameOutputs"]]
    assert raw_client.store.get(downloads["frames"][0]).content.startswith(b"\x89PNG")


def test_time_alone_carries_a_render_through_its_states(
    manual_raw_client: RawClient, manual_emulator: Emulator
) -> None:
    job_id = manual_raw_client.started(frame_end=3, seconds_per_frame=60)
    seen = [manual_raw_client.status(job_id)]
    for _ in range(5):
        manual_emulator.clock.advance(59)
        seen.append(manual_raw_client.status(job_id))
    assert seen == ["booting", "rendering", "rendering", "rendering", "completed", "completed"]
    assert manual_raw_client.job(job_id)["normalizedSeconds"] == 180


def test_a_preview_shows_the_latest_frame_from_the_first_one_on(
    manual_raw_client: RawClient, manual_emulator: Emulator
) -> None:
    job_id = manual_raw_client.started(frame_end=3, seconds_per_frame=60)
    assert manual_raw_client.job(job_id)["previewUrl"] is None
    manual_emulator.clock.advance(90)
    preview = manual_raw_client.job(job_id)["previewUrl"]
    assert "?" not in preview
    first = manual_raw_client.store.get(preview)
    assert first.content.startswith(b"\x89PNG")
    manual_emulator.clock.advance(120)
    assert manual_raw_client.store.get(preview).content != first.content
    assert manual_raw_client.store.get(preview.replace(preview.rpartition("/")[2], "guess.png")).status_code == 404


def test_one_advance_passes_through_all_states(manual_raw_client: RawClient, manual_emulator: Emulator) -> None:
    job_id = manual_raw_client.create(frame_end=100, seconds_per_frame=30)
    assert manual_raw_client.http.post(f"/jobs/{job_id}/validate").json()["status"] == "validating"
    manual_emulator.clock.advance(60)
    assert manual_raw_client.render(job_id).json()["status"] == "booting"
    manual_emulator.clock.advance(3600)
    assert manual_raw_client.status(job_id) == "completed"


def test_shapes_are_as_documented(raw_client: RawClient) -> None:
    target = raw_client.http.post("/uploads", json={"fileName": "a.blend", "fileType": "blend"})
    assert target.status_code == 200
    assert set(target.json()) == {"uploadUrl", "slug", "expiresAt"}
    created = raw_client.http.post("/jobs", json={"slug": raw_client.upload()})
    assert created.status_code == 200
    assert created.json()["status"] == "created"
    got = raw_client.http.get(f"/jobs/{created.json()['id']}")
    assert got.json() == {"data": created.json()}
    page = raw_client.http.get("/jobs").json()
    assert page["pagination"] == {"page": 1, "pageSize": 10, "total": 1, "totalPages": 1}
    assert [job["id"] for job in page["jobs"]] == [created.json()["id"]]
    downloads = raw_client.downloads(created.json()["id"])
    assert downloads == {
        "frames": [],
        "compositeNodes": [],
        "transforms": {},
        "frameOutputs": [],
        "compositeNodeOutputs": [],
    }
    assert raw_client.http.get("/jobs/progress").json() == []
    assert raw_client.http.get(f"/jobs/{created.json()['id']}/progress").json() == []


def test_validate_is_allowed_from_created_only(raw_client: RawClient) -> None:
    job_id = raw_client.validated()
    again = raw_client.http.post(f"/jobs/{job_id}/validate")
    assert again.status_code == 400
    assert "not created" in again.json()["message"]


def test_render_before_validation_is_refused(raw_client: RawClient) -> None:
    assert raw_client.render(raw_client.create()).status_code == 400


def test_a_repeated_start_is_a_replay_and_starts_nothing(raw_client: RawClient, emulator: Emulator) -> None:
    job_id = raw_client.validated(frame_end=2)
    first, second = raw_client.render(job_id), raw_client.render(job_id, {"colorManagementPreset": "aces"})
    assert "X-Idempotent-Replay" not in first.headers
    assert second.headers["X-Idempotent-Replay"] == "true"
    assert second.status_code == 200
    raw_client.until(job_id, "completed")
    assert raw_client.render(job_id).json()["status"] == "completed"
    assert raw_client.job(job_id)["requestedConfig"] == DEFAULT
    assert emulator.ledger.renders_started(job_id) == 1
    assert emulator.ledger.accounts[job_id].replays == 2


@pytest.mark.parametrize("body", [{}, {"requestedRenderConfig": {}}, {"requestedRenderConfig": None}, [], "x"])
def test_a_missing_or_empty_configuration_is_refused(raw_client: RawClient, emulator: Emulator, body: object) -> None:
    job_id = raw_client.validated()
    assert raw_client.http.post(f"/jobs/{job_id}/render", json=body).status_code == 400
    assert emulator.ledger.renders_started() == 0


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"frameRanges": "1-10"}, "frameRanges"),
        ({"frameRanges": ["ten"]}, "cannot read the frame range 'ten'"),
        ({"frameRanges": ["10-1"]}, "ends before it begins"),
        ({"frameRanges": ["1-999999999"]}, "beyond what Blender renders"),
        ({"frameRanges": ["1-10:0"]}, "beyond what Blender renders"),
        ({"sampleCount": "16"}, "sampleCount"),
        ({"sampleCount": 0}, "sampleCount"),
        ({"resolution": [1920]}, "resolution"),
        ({"resolutionPercentage": 40000}, "resolutionPercentage"),
        ({"denoisingEnabled": "yes"}, "denoisingEnabled"),
        ({"outputSettings": {"colorDepth": 8}}, "outputSettings.colorDepth"),
        ({"colorManagementPreset": "filmic"}, "colorManagementPreset"),
        ({"outputFormat": "GIF"}, "outputFormat"),
    ],
)
def test_wrong_types_are_refused_with_the_name_of_the_field(
    raw_client: RawClient, emulator: Emulator, config: dict[str, object], said: str
) -> None:
    answer = raw_client.render(raw_client.validated(), DEFAULT | config)
    assert answer.status_code == 400
    assert said in answer.json()["message"]
    assert emulator.ledger.renders_started() == 0


def test_what_was_requested_is_laid_over_what_was_detected(raw_client: RawClient) -> None:
    job_id = raw_client.completed(
        config=DEFAULT | {"frameRanges": ["2", "4-8:2"], "resolution": [64, 32], "resolutionPercentage": 50},
        frame_end=10,
        samples=64,
    )
    final = raw_client.job(job_id)["finalConfig"]
    assert (final["sampleCount"], final["resolution"], final["fps"]) == (64, [64, 32], 24.0)
    names = [item["fileName"] for item in raw_client.downloads(job_id)["frameOutputs"]]
    assert names == ["0002.png", "0004.png", "0006.png", "0008.png"]


def test_cancel_stops_a_render_at_once_and_is_refused_afterwards(
    manual_raw_client: RawClient, manual_emulator: Emulator
) -> None:
    job_id = manual_raw_client.started(frame_end=100, seconds_per_frame=60)
    manual_emulator.clock.advance(200)
    assert manual_raw_client.cancel(job_id).json()["status"] == "canceled"
    manual_emulator.clock.advance(36_000)
    assert manual_raw_client.status(job_id) == "canceled"
    assert len(manual_raw_client.downloads(job_id)["frames"]) == 3
    assert manual_raw_client.cancel(job_id).status_code == 400
    assert manual_emulator.ledger.jobs_left_running() == []
    assert manual_emulator.ledger.accounts[job_id].normalized_seconds == 180


@pytest.mark.parametrize("reach", ["create", "validated"])
def test_a_job_that_renders_nothing_can_be_cancelled(raw_client: RawClient, reach: str) -> None:
    job_id = getattr(raw_client, reach)()
    assert raw_client.cancel(job_id).status_code == 200
    assert raw_client.render(job_id).status_code == 400


def test_a_completed_job_cannot_be_cancelled(raw_client: RawClient) -> None:
    assert raw_client.cancel(raw_client.completed(frame_end=1)).status_code == 400


def test_a_scene_without_cameras_is_validated_and_says_so(raw_client: RawClient) -> None:
    job = raw_client.job(raw_client.validated(cameras=(), missing_files=("//textures/wood.png",)))
    assert job["status"] == "validated"
    assert job["analysis"]["cameras"] == []
    assert job["analysis"]["missingFiles"] == ["//textures/wood.png"]


def test_a_scene_that_cannot_be_opened_fails_validation(raw_client: RawClient, tmp_path: Path) -> None:
    path = tmp_path / "broken.blend"
    path.write_bytes(b"GIF89a")
    job = raw_client.job(raw_client.validated(path))
    assert job["status"] == "failed"
    assert job["failedReason"] == {"name": "the scene is not a Blender file", "type": "INVALID_SCENE_FILE"}


def test_a_scene_can_ask_to_fail_validation(raw_client: RawClient) -> None:
    job = raw_client.job(raw_client.validated(fail_validation=("no active camera", "VALIDATION")))
    assert job["failedReason"] == {"name": "no active camera", "type": "VALIDATION"}


def test_a_render_can_fail_midway_and_keeps_what_it_has(raw_client: RawClient) -> None:
    job_id = raw_client.completed(frame_end=5, fail_at_frame=3)
    assert raw_client.job(job_id)["failedReason"]["type"] == "RENDER_ERROR"
    assert len(raw_client.downloads(job_id)["frames"]) == 2


def test_a_render_can_complete_without_all_its_frames(raw_client: RawClient) -> None:
    job_id = raw_client.completed(frame_end=4, missing_output_frames=(2, 3))
    assert raw_client.status(job_id) == "completed"
    assert [item["fileName"] for item in raw_client.downloads(job_id)["frameOutputs"]] == ["0001.png", "0004.png"]


def test_only_as_many_renders_run_as_there_are_slots(tmp_path: Path) -> None:
    with Emulator(manual_clock=True, slots=1) as emulator, RawClient(emulator, tmp_path) as raw_client:
        jobs = [raw_client.validated(frame_end=1, seconds_per_frame=100) for _ in range(2)]
        for job_id in jobs:
            raw_client.render(job_id)
        emulator.clock.advance(50)
        assert [raw_client.status(job_id) for job_id in jobs] == ["rendering", "booting"]
        raw_client.cancel(jobs[0])
        emulator.clock.advance(50)
        assert [raw_client.status(job_id) for job_id in jobs] == ["canceled", "rendering"]


def test_progress_counts_frames_while_a_render_runs(manual_raw_client: RawClient, manual_emulator: Emulator) -> None:
    job_id = manual_raw_client.started(frame_end=4, seconds_per_frame=100)
    manual_emulator.clock.advance(10 + 250)
    (counter,) = manual_raw_client.http.get(f"/jobs/{job_id}/progress").json()
    assert (counter["framesTotal"], counter["framesCompleted"], counter["percentage"]) == (4, 2, 50.0)
    assert manual_raw_client.http.get("/jobs/progress").json() == [counter]


def test_the_list_is_paged_newest_first_and_filtered(raw_client: RawClient) -> None:
    jobs = [raw_client.create() for _ in range(5)]
    raw_client.cancel(jobs[0])
    page = raw_client.http.get("/jobs", params={"page": 2, "pageSize": 2}).json()
    assert [job["id"] for job in page["jobs"]] == [jobs[2], jobs[1]]
    assert page["pagination"] == {"page": 2, "pageSize": 2, "total": 5, "totalPages": 3}
    canceled = raw_client.http.get("/jobs", params={"status": "canceled"}).json()
    assert [job["id"] for job in canceled["jobs"]] == [jobs[0]]
    assert raw_client.http.get("/jobs", params={"status": "sleeping"}).status_code == 400
    assert raw_client.http.get("/jobs", params={"page": 0}).status_code == 400


def test_a_zip_is_opened_and_its_scene_rendered(raw_client: RawClient, tmp_path: Path) -> None:
    scene = raw_client.scene("inner.blend", frame_end=2)
    archive = tmp_path / "shot.zip"
    with zipfile.ZipFile(archive, "w") as target:
        target.write(scene, "project/scenes/inner.blend")
        target.writestr("project/textures/wood.png", b"")
    job_id = raw_client.completed(archive)
    assert raw_client.job(job_id)["sceneFile"]["name"] == "inner.blend"
    assert len(raw_client.downloads(job_id)["frames"]) == 2


def test_no_state_is_left_but_the_three_ends_that_nothing_leaves() -> None:
    ends = {status for status in Status if not any(may_become(status, other) for other in Status)}
    assert ends == {Status.COMPLETED, Status.FAILED, Status.CANCELED}
