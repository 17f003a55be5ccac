from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from renderjuice_emulator.switches import Switches
from renderjuice_emulator.testing import Emulator
from tests.support.raw_client import DEFAULT, RawClient


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        ("nest", {"statusCode": 404, "error": "Not Found", "message": "no such job"}),
        ("message", {"message": "no such job"}),
        ("error", {"error": {"code": "NOT_FOUND", "message": "no such job"}}),
        ("errors", {"errors": [{"title": "Not Found", "detail": "no such job"}]}),
        ("list", [{"message": "no such job"}]),
    ],
)
def test_errors_come_in_many_shapes(raw_client: RawClient, emulator: Emulator, shape: Any, body: object) -> None:
    emulator.switches.error_shape = shape
    assert raw_client.http.get("/jobs/x").json() == body


def test_errors_can_be_pages_or_nothing(raw_client: RawClient, emulator: Emulator) -> None:
    emulator.switches.error_shape = "html"
    assert raw_client.http.get("/jobs/x").text.startswith("<html>")
    emulator.switches.error_shape = "empty"
    assert raw_client.http.get("/jobs/x").content == b""
    assert raw_client.http.get("/jobs/x").status_code == 404


def test_a_wrong_state_can_have_another_code(raw_client: RawClient, emulator: Emulator) -> None:
    emulator.switches.wrong_state_status = 409
    job_id = raw_client.completed(frame_end=1)
    assert raw_client.cancel(job_id).status_code == 409
    assert raw_client.http.post(f"/jobs/{job_id}/validate").status_code == 409
    assert raw_client.render(raw_client.create()).status_code == 409


def test_every_job_answer_can_be_wrapped_or_bare(manual_raw_client: RawClient, manual_emulator: Emulator) -> None:
    switches = manual_emulator.switches
    switches.get_job_shape = "bare"
    switches.create_job_shape = switches.validate_shape = "wrapped"
    switches.start_render_shape, switches.cancel_shape = "wrapped", "wrapped"
    created = manual_raw_client.http.post("/jobs", json={"slug": manual_raw_client.upload()}).json()["data"]
    job_id = created["id"]
    assert manual_raw_client.http.get(f"/jobs/{job_id}").json()["id"] == job_id
    assert manual_raw_client.http.post(f"/jobs/{job_id}/validate").json()["data"]["id"] == job_id
    switches.get_job_shape = "wrapped"
    manual_raw_client.until(job_id, "validated")
    assert manual_raw_client.render(job_id).json()["data"]["id"] == job_id
    assert manual_raw_client.cancel(job_id).json()["data"]["status"] == "canceled"


def test_validate_render_and_cancel_can_answer_nothing(manual_raw_client: RawClient, manual_emulator: Emulator) -> None:
    switches = manual_emulator.switches
    switches.validate_shape, switches.start_render_shape, switches.cancel_shape = "no-content", "empty", "no-content"
    job_id = manual_raw_client.create()
    validated = manual_raw_client.http.post(f"/jobs/{job_id}/validate")
    manual_raw_client.until(job_id, "validated")
    started, replayed, canceled = (
        manual_raw_client.render(job_id),
        manual_raw_client.render(job_id),
        manual_raw_client.cancel(job_id),
    )
    assert [answer.status_code for answer in (validated, started, replayed, canceled)] == [204, 200, 200, 204]
    assert [answer.content for answer in (validated, started, canceled)] == [b"", b"", b""]
    assert replayed.headers["X-Idempotent-Replay"] == "true"


def test_a_new_job_can_be_unknown_for_a_while(raw_client: RawClient, emulator: Emulator) -> None:
    emulator.switches.not_found_reads = 2
    job_id = raw_client.create()
    assert [raw_client.http.get(f"/jobs/{job_id}").status_code for _ in range(3)] == [404, 404, 200]


@pytest.mark.parametrize(
    ("rule", "codes", "jobs"),
    [("new-job", [200, 200], 2), ("same-job", [200, 200], 1), ("refused", [200, 400], 1)],
)
def test_a_slug_can_be_used_again_or_not(
    raw_client: RawClient, emulator: Emulator, rule: Any, codes: list[int], jobs: int
) -> None:
    emulator.switches.slug_reuse = rule
    slug = raw_client.upload()
    assert [raw_client.http.post("/jobs", json={"slug": slug}).status_code for _ in range(2)] == codes
    assert len(emulator.jobs) == jobs


@pytest.mark.parametrize("word", ["debugging", "suspended", "defragmenting"])
def test_a_status_can_come_in_between(manual_raw_client: RawClient, manual_emulator: Emulator, word: str) -> None:
    manual_emulator.switches.extra_status = word
    job_id = manual_raw_client.started(frame_end=1, seconds_per_frame=60)
    seen = []
    for _ in range(4):
        seen.append(manual_raw_client.status(job_id))
        manual_emulator.clock.advance(15)
    assert seen == ["booting", word, "rendering", "rendering"]
    assert manual_emulator.ledger.jobs_left_running() == [job_id]


def test_finalizing_can_be_missing(manual_raw_client: RawClient, manual_emulator: Emulator) -> None:
    manual_emulator.switches.skip_finalizing = True
    job_id = manual_raw_client.started(frame_end=1, seconds_per_frame=1)
    manual_emulator.clock.advance(11.5)
    assert manual_raw_client.status(job_id) == "completed"


def test_a_canceled_render_can_go_on_for_a_while_and_even_complete(
    manual_raw_client: RawClient, manual_emulator: Emulator
) -> None:
    manual_emulator.switches.cancel_seconds = 60
    short, long = (manual_raw_client.started(frame_end=1, seconds_per_frame=seconds) for seconds in (10, 1000))
    for job_id in (short, long, long):
        assert manual_raw_client.cancel(job_id).json()["status"] == "booting"
    manual_emulator.clock.advance(59)
    assert manual_emulator.ledger.jobs_left_running() == [long]
    manual_emulator.clock.advance(1)
    assert [manual_raw_client.status(job_id) for job_id in (short, long)] == ["completed", "canceled"]


@pytest.mark.parametrize("shape", ["array", "object", "wrapped"])
def test_progress_comes_in_three_shapes(manual_raw_client: RawClient, manual_emulator: Emulator, shape: Any) -> None:
    manual_emulator.switches.progress_shape = shape
    job_id = manual_raw_client.started()
    one = manual_raw_client.http.get(f"/jobs/{job_id}/progress").json()
    every = manual_raw_client.http.get("/jobs/progress").json()
    counter = {"array": lambda: one[0], "object": lambda: one, "wrapped": lambda: one["data"][0]}[shape]()
    assert counter["jobId"] == job_id
    assert every == {"array": [counter], "object": {job_id: counter}, "wrapped": {"data": [counter]}}[shape]


def test_parameters_of_the_list_can_be_ignored(raw_client: RawClient, emulator: Emulator) -> None:
    for _ in range(3):
        raw_client.create()
    emulator.switches.page_parameter_ignored = emulator.switches.status_filter_ignored = True
    answer = raw_client.http.get("/jobs", params={"page": 2, "pageSize": 2, "status": "failed"}).json()
    assert answer["pagination"]["page"] == 1
    assert len(answer["jobs"]) == 2
    emulator.switches.max_page_size = 1
    assert len(raw_client.http.get("/jobs", params={"pageSize": 50}).json()["jobs"]) == 1


def test_previews_can_be_signed_and_expire(manual_raw_client: RawClient, manual_emulator: Emulator) -> None:
    manual_emulator.switches.signed_previews = True
    job_id = manual_raw_client.started(frame_end=2, seconds_per_frame=5)
    manual_emulator.clock.advance(10 + 5)
    preview, store = manual_raw_client.job(job_id)["previewUrl"], manual_raw_client.store
    assert store.get(preview).status_code == 200
    assert store.get(preview.partition("?")[0]).status_code == 403
    manual_emulator.switches.output_url_seconds = -1
    assert store.get(manual_raw_client.job(job_id)["previewUrl"]).status_code == 403


def test_outputs_can_be_legacy_only_new_only_late_or_gone(
    manual_raw_client: RawClient, manual_emulator: Emulator
) -> None:
    switches = manual_emulator.switches
    switches.downloads_delay_seconds = 30
    job_id = manual_raw_client.started(frame_end=1, seconds_per_frame=5)
    manual_emulator.clock.advance(10 + 5 + 5)
    assert manual_raw_client.status(job_id) == "completed"
    assert manual_raw_client.downloads(job_id)["frames"] == []
    manual_emulator.clock.advance(30)
    assert len(manual_raw_client.downloads(job_id)["frames"]) == 1
    switches.file_outputs = False
    assert "frameOutputs" not in manual_raw_client.downloads(job_id)
    switches.file_outputs, switches.legacy_outputs = True, False
    assert (
        manual_raw_client.downloads(job_id)["frames"],
        len(manual_raw_client.downloads(job_id)["frameOutputs"]),
    ) == ([], 1)
    switches.outputs_deleted = True
    assert manual_raw_client.job(job_id)["output"] == {"isDeletedForClient": True}
    assert manual_raw_client.downloads(job_id)["frameOutputs"] == []


def test_canceled_and_failed_jobs_can_lose_their_frames(raw_client: RawClient, emulator: Emulator) -> None:
    emulator.switches.canceled_keeps_frames = False
    assert raw_client.downloads(raw_client.completed(frame_end=3, fail_at_frame=3))["frames"] == []


def test_names_can_be_hostile(raw_client: RawClient, emulator: Emulator) -> None:
    emulator.switches.hostile_names = {"0001.png": "../../escaped.png", "Depth/0001.png": "/etc/passwd"}
    downloads = raw_client.downloads(raw_client.completed(frame_end=1, compositor_outputs=("Depth",)))
    assert downloads["frameOutputs"][0]["fileName"] == "../../escaped.png"
    assert downloads["compositeNodeOutputs"][0]["relativePath"] == "/etc/passwd"
    assert raw_client.store.get(downloads["frameOutputs"][0]["url"]).status_code == 200


def test_unknown_keys_of_a_configuration_are_ignored_or_refused(raw_client: RawClient, emulator: Emulator) -> None:
    config = DEFAULT | {"priority": 5}
    emulator.switches.unknown_render_keys = "refused"
    job_id = raw_client.validated(frame_end=1)
    assert "priority" in raw_client.render(job_id, config).json()["message"]
    emulator.switches.unknown_render_keys = "ignored"
    assert raw_client.render(job_id, config).status_code == 200


def test_dates_can_lack_a_fraction(raw_client: RawClient, emulator: Emulator) -> None:
    job_id = raw_client.create()
    assert "." in raw_client.job(job_id)["createdAt"]
    emulator.switches.created_at_fraction = False
    assert "." not in raw_client.job(job_id)["createdAt"]


def test_a_switch_that_does_not_exist_or_fit_is_refused(emulator: Emulator) -> None:
    with pytest.raises(ValidationError):
        emulator.switches.error_shape = "xml"  # type: ignore[assignment]
    with pytest.raises(ValueError, match="no attribute"):
        emulator.switches.eror_shape = "html"  # type: ignore[attr-defined]
    emulator.switches.boot_seconds = 99
    emulator.switches.reset()
    assert emulator.switches == Switches()


def test_every_switch_says_what_it_does() -> None:
    assert [name for name, field in Switches.model_fields.items() if not field.description] == []


def test_zips_need_not_be_offered(raw_client: RawClient, emulator: Emulator) -> None:
    job_id = raw_client.completed(frame_end=2)
    assert "framesZip" in raw_client.downloads(job_id)["transforms"]
    emulator.switches.zips = False
    assert raw_client.downloads(job_id)["transforms"] == {}


def test_a_store_need_not_know_ranges(raw_client: RawClient, emulator: Emulator) -> None:
    url = raw_client.downloads(raw_client.completed(frame_end=1))["frames"][0]
    assert raw_client.store.get(url, headers={"Range": "bytes=10-"}).status_code == 206
    emulator.switches.ranges = False
    whole = raw_client.store.get(url, headers={"Range": "bytes=10-"})
    assert (whole.status_code, whole.content) == (200, raw_client.store.get(url).content)


def test_the_relative_path_of_a_composite_can_be_its_folder(raw_client: RawClient, emulator: Emulator) -> None:
    job_id = raw_client.completed(frame_end=1, compositor_outputs=("Depth",))

    def shown() -> object:
        (item,) = raw_client.http.get(f"/jobs/{job_id}/downloads").json()["compositeNodeOutputs"]
        return item["fileName"], item["relativePath"]

    assert shown() == ("0001.png", "Depth/0001.png")
    emulator.switches.relative_path = "folder"
    assert shown() == ("0001.png", "Depth")
