from __future__ import annotations

import pytest
from stages.rerender import plan_repairs
from stages.storage import sha256
from stages.summary import keep

from renderjuice_provider.api.errors import RenderjuiceError

NIGHT = "2026-11-23"


@pytest.fixture
def failed(tmp_path, sequence):
    """A night on which the shot `ice` failed.

    Frames 1, 2 and 5 of 6 are here, its job kept frames 3 and 4.
    """
    scene = tmp_path / "ice.blend"
    scene.write_bytes(b"ice")
    sequence("work/ice/base/frames", [1, 2, 5])
    entry = {
        "shot": "ice",
        "state": "failed",
        "reason": "frame 6 could not be rendered",
        "order": {
            "shot": "ice",
            "files": {"base": str(scene)},
            "content": {"base": sha256(scene)},
            "work": str(tmp_path / "work/ice"),
        },
        "decision": {"frames": ["1-6"], "jobs": {"base": "job-1"}, "configs": {"base": {"sampleCount": 8}}},
    }
    delivered = {"shot": "juice", "state": "delivered", "frames": 3, "movie": "m"}
    keep(str(tmp_path), NIGHT, [entry, delivered])
    return entry


def repairs(tmp_path, salvage, shots=()):
    return plan_repairs(str(tmp_path), NIGHT, shots, salvage)


def test_only_what_is_missing_after_the_failed_job_was_emptied_is_rendered_of_only_the_failed_shot(
    tmp_path, failed, sequence
):
    def salvage(job_id, folder):
        assert (job_id, folder) == ("job-1", str(tmp_path / "work/ice/base"))
        sequence("work/ice/base/frames", [3, 4])

    (repair,) = repairs(tmp_path, salvage)["repairs"]

    assert repair["order"]["shot"] == "ice"
    assert repair["configs"] == {"base": {"sampleCount": 8, "frameRanges": ["6"]}}


def test_a_job_that_kept_nothing_or_is_gone_has_all_its_missing_frames_rendered(tmp_path, failed):
    def salvage(job_id, folder):
        raise RenderjuiceError("no such job")

    (repair,) = repairs(tmp_path, salvage)["repairs"]

    assert repair["configs"]["base"]["frameRanges"] == ["3-4", "6"]


def test_a_damaged_frame_counts_as_missing(tmp_path, failed, sequence):
    sequence("work/ice/base/frames", [3, 4, 6])
    (tmp_path / "work/ice/base/frames/0002.png").write_bytes(b"\x89PNG")

    (repair,) = repairs(tmp_path, lambda *_: None)["repairs"]

    assert repair["configs"]["base"]["frameRanges"] == ["2"]


def test_a_shot_with_all_frames_is_only_composited_and_delivered_and_its_job_is_not_asked(tmp_path, failed, sequence):
    sequence("work/ice/base/frames", [3, 4, 6])

    (repair,) = repairs(tmp_path, pytest.fail)["repairs"]

    assert repair["configs"] == {"base": None}


def test_frames_of_two_versions_of_a_scene_are_never_mixed(tmp_path, failed):
    (tmp_path / "ice.blend").write_bytes(b"melted")

    found = repairs(tmp_path, pytest.fail)

    assert found["repairs"] == []
    assert "its scene has changed since" in found["entries"][0]["reason"]


def test_a_shot_that_never_came_to_rendering_is_left_to_the_nightly(tmp_path, failed):
    keep(str(tmp_path), NIGHT, [failed | {"decision": None}])

    found = repairs(tmp_path, pytest.fail)

    assert (found["repairs"], len(found["entries"])) == ([], 1)


def test_other_shots_than_those_asked_for_are_left_alone(tmp_path, failed):
    assert repairs(tmp_path, pytest.fail, shots=["juice"])["repairs"] == []


def test_a_shot_that_the_night_did_not_have_is_reported_and_names_are_taken_as_they_are_typed(tmp_path, failed):
    with pytest.raises(ValueError, match=f"The night of {NIGHT} had no iec"):
        repairs(tmp_path, pytest.fail, shots=["iec"])

    assert len(repairs(tmp_path, lambda *_: None, shots=[" ice ", ""])["repairs"]) == 1


@pytest.mark.parametrize("date", ["20261123", "2026-W48-1", "../../etc", "23.11.2026", ""])
def test_what_is_not_a_date_as_folders_are_named_is_refused(tmp_path, failed, date):
    with pytest.raises(ValueError, match="is not a date: write it as 2026-11-23"):
        plan_repairs(str(tmp_path), date, (), pytest.fail)


def test_a_night_without_a_summary_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no summary of the night"):
        repairs(tmp_path, pytest.fail)
