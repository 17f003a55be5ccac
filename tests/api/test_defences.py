"""What the documentation leaves open, and the most defensive answer to each."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest

from renderjuice_provider.api.errors import (
    RenderjuiceAmbiguousError,
    RenderjuiceAuthenticationError,
    RenderjuiceConnectionError,
    RenderjuiceError,
    RenderjuiceNotFoundError,
    RenderjuicePaymentError,
    RenderjuiceRefusedError,
    RenderjuiceResponseError,
    RenderjuiceServerError,
    RenderjuiceTransferError,
)
from renderjuice_provider.api.models import Job
from tests.support.both_clients import CONFIG, completed, created, operations, validated, wait_for
from tests.support.http_server import JOB_ID, Reply, a_job, answer, serving

UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ("nest", ": no such job"),
        ("message", ": no such job"),
        ("error", ": no such job"),
        ("errors", ": no such job"),
        ("list", ": no such job"),
        ("html", ""),
        ("empty", ""),
    ],
)
def test_an_error_of_any_shape_is_a_short_sentence(client, emulator, shape, text):
    emulator.switches.error_shape = shape
    with pytest.raises(RenderjuiceNotFoundError) as caught:
        client.get_job(UNKNOWN)
    assert caught.value.what == f"Renderjuice answered 404{text}"
    assert str(caught.value) == (
        f"Renderjuice answered 404{text}. No job was changed. A retry fails alike until this is corrected."
    )


def test_a_long_error_is_cut_and_kept_on_one_line(new_client):
    with (
        serving(lambda _: answer({"message": "never\n\x1b[31m" * 5000}, 400)) as server,
        pytest.raises(RenderjuiceRefusedError) as caught,
    ):
        new_client(base_url=server.url).get_job(JOB_ID)
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (401, RenderjuiceAuthenticationError),
        (403, RenderjuiceAuthenticationError),
        (402, RenderjuicePaymentError),
        (404, RenderjuiceNotFoundError),
        (400, RenderjuiceRefusedError),
        (409, RenderjuiceRefusedError),
        (422, RenderjuiceRefusedError),
        (451, RenderjuiceRefusedError),
    ],
)
def test_a_clear_no_is_reported_at_once(client, emulator, code, error):
    emulator.faults.add("get_job", str(code))
    with pytest.raises(error) as caught:
        client.get_job(UNKNOWN)
    assert caught.value.status_code == code
    assert operations(emulator) == ["get_job"]


@pytest.mark.parametrize("lag", [1, 2])
def test_a_job_that_was_just_created_may_be_invisible_for_a_moment(client, emulator, tmp_path, lag):
    emulator.switches.not_found_reads = lag
    assert client.get_job(created(client, tmp_path).id).status == "created"
    assert emulator.ledger.count("get_job") == lag + 1


def test_a_job_that_was_seen_once_and_is_gone_is_reported_at_once(client, emulator, tmp_path):
    job = created(client, tmp_path)
    client.get_job(job.id)
    emulator.faults.add("get_job", "404")
    with pytest.raises(RenderjuiceNotFoundError):
        client.get_job(job.id)
    assert emulator.ledger.count("get_job") == 2


def test_validation_asks_again_about_a_job_that_is_not_visible_yet(client, new_client, emulator, tmp_path):
    emulator.switches.not_found_reads = 2
    emulator.switches.validate_shape = "no-content"
    job = created(client, tmp_path)
    emulator.faults.add("validate_job", "404", "404")
    assert new_client().validate_job(job.id).status in {"validating", "validated"}
    assert emulator.ledger.count("validate_job") == 3


@pytest.mark.parametrize("shape", ["bare", "wrapped", "empty", "no-content"])
def test_an_order_may_be_answered_with_a_job_or_with_nothing(client, emulator, tmp_path, shape):
    for name in ("validate", "cancel", "start_render"):
        setattr(emulator.switches, f"{name}_shape", shape)
    job = created(client, tmp_path, seconds_per_frame=1000)
    assert client.validate_job(job.id).status in {"validating", "validated"}
    wait_for(client, job.id, "validated")
    assert client.start_render(job.id, CONFIG).status in {"booting", "rendering"}
    assert client.cancel_job(job.id).status == "canceled"


@pytest.mark.parametrize("action", ["validate", "cancel"])
def test_an_order_that_minds_an_empty_body_gets_an_object(new_client, action):
    def reply(request):
        if request.method == "GET":
            return answer(a_job("validating" if action == "cancel" else "created"))
        return answer(a_job("canceled")) if request.body == b"{}" else answer({"message": "no body"}, 400)

    with serving(reply) as server:
        assert getattr(new_client(base_url=server.url), f"{action}_job")(JOB_ID).status == "canceled"


@pytest.mark.parametrize("reuse", ["refused", "same-job"])
def test_a_slug_is_used_once(client, emulator, tmp_path, reuse):
    emulator.switches.slug_reuse = reuse
    completed(client, tmp_path)
    assert emulator.ledger.count("create_job") == 1
    assert operations(emulator)[:3] == ["create_upload", "put_upload", "create_job"]


@pytest.mark.parametrize("code", [400, 404, 422])
def test_an_unknown_slug_is_refused_plainly_and_never_ambiguous(client, emulator, code):
    emulator.switches.unknown_slug_status = code
    with pytest.raises((RenderjuiceRefusedError, RenderjuiceNotFoundError)) as caught:
        client.create_job("nothing")
    assert not isinstance(caught.value, RenderjuiceAmbiguousError)
    assert emulator.ledger.count("create_job") == 1


def test_a_list_that_ignores_the_page_ends_after_one(client, emulator, scene):
    emulator.switches.max_page_size, emulator.switches.page_parameter_ignored = 2, True
    slug = client.upload(scene).slug
    for _ in range(5):
        client.create_job(slug)
    assert len(client.list_jobs()) == 2
    assert emulator.ledger.count("list_jobs") == 2


def test_a_list_that_ignores_the_page_and_does_not_count_pages_ends_too(new_client):
    with serving(lambda _: answer({"jobs": [a_job()]})) as server:
        assert len(new_client(base_url=server.url).list_jobs()) == 1
        assert len(server.requests) == 2


def test_a_list_that_ignores_the_status_is_filtered_here(client, emulator, scene):
    emulator.switches.status_filter_ignored = True
    slug = client.upload(scene).slug
    first, second = client.create_job(slug), client.create_job(slug)
    client.cancel_job(second.id)
    assert [job.id for job in client.list_jobs("created")] == [first.id]


def test_a_list_that_does_not_know_our_page_size_is_asked_without(new_client):
    def reply(request):
        if "pageSize" in request.path:
            return answer({"message": "unknown parameter"}, 400)
        return answer({"jobs": [a_job()], "pagination": {"page": 1, "totalPages": 1}})

    with serving(reply) as server:
        assert len(new_client(base_url=server.url).list_jobs()) == 1
        assert [request.path for request in server.requests] == ["/jobs?page=1&pageSize=100", "/jobs?page=1"]


def test_jobs_that_move_to_the_next_page_meanwhile_are_reported_once(new_client):
    pages = {"1": ["a", "b"], "2": ["b", "c"], "3": ["c", "d"]}

    def reply(request):
        page = request.path.partition("page=")[2].partition("&")[0]
        jobs = [{"id": name, "status": "created"} for name in pages[page]]
        return answer({"jobs": jobs, "pagination": {"page": int(page), "totalPages": 3}})

    with serving(reply) as server:
        assert [job.id for job in new_client(base_url=server.url).list_jobs()] == ["a", "b", "c", "d"]


def test_outputs_that_are_listed_late_are_waited_for(client, emulator, tmp_path):
    emulator.switches.downloads_delay_seconds = 10  # of which 1000 pass in a real second
    assert len(client.download_outputs(completed(client, tmp_path).id, tmp_path / "out").frames) == 3


def test_a_completed_job_may_have_no_outputs_at_all(client, emulator, tmp_path):
    job = completed(client, tmp_path, missing_output_frames=(1, 2, 3))
    assert client.download_outputs(job.id, tmp_path / "out").files == ()
    assert emulator.ledger.count("get_downloads") == 4


def test_outputs_that_were_deleted_are_reported_as_deleted(client, emulator, tmp_path):
    job = completed(client, tmp_path)
    emulator.switches.outputs_deleted = True
    with pytest.raises(RenderjuiceTransferError, match="were deleted at Renderjuice"):
        client.download_outputs(job.id, tmp_path / "out")


@pytest.mark.parametrize("kept", [True, False])
def test_a_canceled_job_may_keep_its_frames_or_not(client, emulator, tmp_path, kept):
    emulator.switches.canceled_keeps_frames = kept
    job = validated(client, tmp_path, frame_end=3, fail_at_frame=3)
    client.start_render(job.id, CONFIG)
    wait_for(client, job.id, "failed")
    assert len(client.download_outputs(job.id, tmp_path / "out").files) == (2 if kept else 0)


def test_a_job_that_is_not_over_has_nothing_to_download(client, emulator, tmp_path):
    with pytest.raises(RenderjuiceTransferError, match="is validated: there is nothing to download before it is over"):
        client.download_outputs(validated(client, tmp_path).id, tmp_path / "out")
    assert emulator.ledger.count("get_downloads") == 0


def test_frame_ranges_and_unknown_words_are_passed_on_untouched(new_client):
    config = CONFIG | {"frameRanges": ["1-10:2", "x"], "renderEngine": "EEVEE_9", "brandNew": {"a": [1, None]}}
    with serving(lambda _: answer(a_job("booting"))) as server:
        new_client(base_url=server.url).start_render(JOB_ID, config)
        import json

        assert json.loads(server.requests[0].body) == {"requestedRenderConfig": config}


@pytest.mark.parametrize("place", ["http://127.0.0.1:1/elsewhere", "https://elsewhere.test/"])
def test_a_redirect_from_the_api_is_not_followed(client, emulator, place):
    emulator.faults.add("list_jobs", f"redirect {place}")
    with pytest.raises(RenderjuiceServerError, match="307, a redirect, which is not followed with the API key"):
        client.list_jobs()
    assert operations(emulator) == ["list_jobs"]  # asking again at once would not cure it


@pytest.mark.parametrize("fraction", [True, False])
def test_dates_may_have_fractions_or_not(client, emulator, tmp_path, fraction):
    emulator.switches.created_at_fraction = fraction
    assert abs(created(client, tmp_path).created_at - datetime.now(UTC)) < timedelta(days=1)


@pytest.mark.parametrize("text", ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.678Z", "2026-01-02T04:04:05+01:00"])
def test_dates_may_be_in_any_zone(text):
    job = Job.model_validate(a_job(createdAt=text))
    assert job.created_at.replace(microsecond=0) == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("expires", ["2026-01-02T03:04:05", "0001-01-01T00:00:00+14:00", "soon", None, 4e18])
def test_any_end_of_an_upload_url_is_survived(new_client, scene, expires):
    def reply(request):
        if request.method == "PUT":
            return Reply(500)
        return answer({"uploadUrl": f"http://{request.headers['Host']}/put", "slug": "s", "expiresAt": expires})

    with serving(reply) as server, pytest.raises(RenderjuiceTransferError):
        new_client(base_url=server.url, max_attempts=2).upload(scene)


def drip(piece, pause):
    while True:
        yield piece
        time.sleep(pause)


@pytest.mark.parametrize("status", [200, 500])
def test_an_answer_that_drips_is_given_up_although_its_bytes_keep_coming(new_client, status):
    with serving(lambda _: Reply(status, drip(b" ", 0.02))) as server:
        started = time.monotonic()
        with pytest.raises(RenderjuiceConnectionError, match="did not end within"):
            new_client(base_url=server.url, timeout=0.1, max_attempts=1).get_job(JOB_ID)
        assert 0.4 <= time.monotonic() - started < 3


def test_an_answer_without_an_end_is_given_up_before_it_fills_the_memory(new_client, monkeypatch):
    monkeypatch.setattr("renderjuice_provider.api._attempt.LONGEST", 4 << 20)
    endless, error = Reply(200, drip(bytes(1 << 20), 0)), RenderjuiceConnectionError
    with serving(lambda _: endless) as server, pytest.raises(error, match="longer than 4 MiB"):
        new_client(base_url=server.url, max_attempts=1).get_job(JOB_ID)


def test_a_store_that_never_ends_its_answer_is_given_up_too(new_client, scene):
    def reply(request):
        if request.method == "PUT":
            return Reply(200, drip(b" ", 0.02))
        target = f"http://{request.headers['Host']}/put"
        return answer({"uploadUrl": target, "slug": "s", "expiresAt": "2100-01-01T00:00:00Z"})

    with serving(reply) as server, pytest.raises(RenderjuiceTransferError, match="did not end within"):
        new_client(base_url=server.url, timeout=0.1, max_attempts=1).upload(scene)


def test_retry_after_may_be_a_date(new_client):
    soon = datetime.now(timezone(timedelta(hours=2))) + timedelta(seconds=2)
    replies = [answer({}, 429, **{"Retry-After": format_datetime(soon)}), answer({"data": a_job()})]
    with serving(lambda _: replies.pop(0)) as server:
        assert new_client(base_url=server.url).get_job(JOB_ID)
        assert datetime.now(UTC) >= soon.replace(microsecond=0)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"data": {"id": "', b'{"id": 7, "status": "created"}', b"[]", b"null"]
)
def test_an_answer_that_says_nothing_is_an_error_of_ours(new_client, body):
    with serving(lambda _: Reply(200, body)) as server:
        with pytest.raises(RenderjuiceResponseError):
            new_client(base_url=server.url).get_job(JOB_ID)
        assert len(server.requests) == 5


def test_the_whole_tree_of_errors_has_one_root():
    from renderjuice_provider.api import errors

    found = [kind for kind in vars(errors).values() if isinstance(kind, type) and kind.__module__ == errors.__name__]
    assert len(found) > 10
    assert all(issubclass(kind, RenderjuiceError) and kind.__name__ in (errors.__doc__ or "") for kind in found)
