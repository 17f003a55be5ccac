"""Which completed renders are downloaded, and where to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from stages.completed import not_downloaded, rows_of

JOB = "9f1c7a52-5d0b-4f0e-9d6e-0c4a7f3b2a10"
OTHER = "00000000-0000-4000-8000-000000000000"


def render(job_id=JOB, **names):
    known = {"job_id": job_id, "shot": None, "scene": None, "normalized_seconds": None, "event": "onRenderComplete"}
    return known | names


@pytest.mark.parametrize(
    ("names", "folder"),
    [
        ({"shot": "cit_010", "scene": "juice.blend"}, "cit_010"),
        ({"scene": "juice.v2.blend"}, "juice.v2"),
        ({"scene": ".blend"}, "blend"),
        ({"shot": "../../etc"}, "etc"),
        ({"shot": "a/b c"}, "a_b_c"),
        ({"shot": "äöü"}, "unnamed"),
        ({}, "unnamed"),
    ],
)
def test_each_render_has_a_folder_of_its_own_below_its_shot(names, folder):
    assert rows_of([render(**names)], "/out") == [{"job_id": JOB, "destination": f"/out/{folder}/{JOB}"}]


def rows(tmp_path, *extras, days=1):
    events = [SimpleNamespace(extra=extra, timestamp=datetime.now(UTC)) for extra in extras]
    params = {"destination": str(tmp_path), "days": days}
    triggering = {"asset": events} if events else {}
    return [row["job_id"] for row in not_downloaded.function(triggering_asset_events=triggering, params=params)]


def test_what_is_there_whole_is_not_downloaded_again(tmp_path):
    for job_id in (JOB, OTHER):
        (tmp_path / "juice" / job_id).mkdir(parents=True)
    (tmp_path / "juice" / JOB / "manifest.json").write_text("{}")

    assert rows(tmp_path, render(shot="juice"), render(OTHER, shot="juice")) == [OTHER]


def test_an_event_that_comes_twice_is_one_download(tmp_path):
    assert rows(tmp_path, render(), render()) == [JOB]


def test_an_event_about_no_job_starts_no_download_of_everything(tmp_path):
    assert rows(tmp_path, {"made": "by hand"}) == []


def test_more_than_one_task_can_be_mapped_over_is_refused(tmp_path, monkeypatch):
    from stages.compat import AirflowFailException

    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "1")
    with pytest.raises(AirflowFailException, match="fewer `days`"):
        rows(tmp_path, render(), render(OTHER))


def test_by_hand_everything_that_was_completed_lately_is_downloaded(tmp_path, monkeypatch, renderjuice_emulator):
    from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
    from tests.support.both_clients import completed, validated
    from tests.support.runner import connect

    connect(monkeypatch, host=renderjuice_emulator.base_url, password=renderjuice_emulator.api_key)
    with RenderjuiceHook().client as client:
        job = completed(client, tmp_path, name="juice.blend")
        validated(client, tmp_path)

    assert rows(tmp_path) == [job.id]
    renderjuice_emulator.jobs[job.id].updated_at -= timedelta(days=300)
    assert (rows(tmp_path), rows(tmp_path, days=400)) == ([], [job.id])
