"""Every operation through every failure that passes.

The same result, and exactly as many requests as it takes.
"""

from __future__ import annotations

import time
from collections import Counter

import pytest

from renderjuice_provider.api.errors import (
    RenderjuiceConnectionError,
    RenderjuiceError,
    RenderjuiceRateLimitError,
    RenderjuiceResponseError,
    RenderjuiceServerError,
    RenderjuiceTransferError,
)
from tests.support.both_clients import CONFIG, completed, created, operations, validated, wait_for
from tests.support.http_server import JOB_ID

PASSING = [
    "429",
    "503",
    "429 retry-after=0.05",
    "html 502",
    "reset-before",
    "reset-after",
    "stall 5",
    "stall-after 5",
    "truncate",
]
"""What may happen to any request that may be made twice."""
READS = ["get_job", "list_jobs", "get_progress", "list_progress", "get_downloads", "create_upload"]


def some(fault):
    """Twice in a row; but waiting for nothing is tested well enough by doing it once."""
    return [fault] if fault.startswith("stall") else [fault, fault]


def patience(fault):
    """Seconds: short only where a stall is to be noticed, since a busy machine stalls by itself."""
    return 0.6 if fault.startswith("stall") else 10.0


def call(client, operation, job_id):
    return {
        "get_job": lambda: client.get_job(job_id),
        "list_jobs": client.list_jobs,
        "get_progress": lambda: client.get_progress(job_id),
        "list_progress": client.get_progress,
        "get_downloads": lambda: client.get_downloads(job_id).frame_files,
        "create_upload": lambda: len(client.create_upload("shot.blend", "blend").slug),
    }[operation]()


@pytest.mark.parametrize("fault", [*PASSING, "nonsense", "json [7]"])
@pytest.mark.parametrize("operation", READS)
def test_a_read_is_repeated_until_it_is_answered(new_client, emulator, tmp_path, operation, fault):
    if (operation, fault) in {("get_progress", "json [7]"), ("list_progress", "json [7]")}:
        pytest.skip("for progress this is an answer: one without information")
    client = new_client(timeout=patience(fault))
    job = created(client, tmp_path)
    expected = call(client, operation, job.id)
    before = Counter(operations(emulator))
    emulator.faults.add(operation, *some(fault))
    assert call(client, operation, job.id) == expected
    assert Counter(operations(emulator)) - before == {operation: len(some(fault)) + 1}


@pytest.mark.parametrize("code", [500, 502, 504, 508, 599])
def test_any_5xx_may_pass(client, emulator, code):
    emulator.faults.add("list_jobs", str(code), f"{code} retry-after=0.01")
    assert client.list_jobs() == []
    assert operations(emulator) == ["list_jobs"] * 3


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("429", RenderjuiceRateLimitError),
        ("503", RenderjuiceServerError),
        ("reset-before", RenderjuiceConnectionError),
        ("nonsense", RenderjuiceResponseError),
    ],
)
@pytest.mark.parametrize("operation", READS)
def test_a_read_is_given_up_after_five_attempts(client, emulator, tmp_path, operation, fault, error):
    job = created(client, tmp_path)
    before = Counter(operations(emulator))
    emulator.faults.add(operation, *[fault] * 5)
    with pytest.raises(error):
        call(client, operation, job.id)
    assert Counter(operations(emulator)) - before == {operation: 5}


@pytest.mark.parametrize("attempts", [1, 2, 7])
def test_how_many_attempts_is_the_caller_s_choice(new_client, emulator, attempts):
    emulator.faults.add("list_jobs", *["503"] * attempts)
    with pytest.raises(RenderjuiceServerError):
        new_client(max_attempts=attempts).list_jobs()
    assert operations(emulator) == ["list_jobs"] * attempts


@pytest.mark.parametrize("fault", ["429 retry-after=0.3", "503 retry-after=0.3"])
def test_retry_after_is_never_shortened(client, emulator, fault):
    client.list_jobs()
    emulator.faults.add("list_jobs", fault)
    started = time.monotonic()
    client.list_jobs()
    assert time.monotonic() - started >= 0.3


def test_a_retry_after_that_is_too_long_goes_to_the_caller(client, emulator):
    emulator.faults.add("list_jobs", "429 retry-after=3600")
    with pytest.raises(RenderjuiceRateLimitError) as caught:
        client.list_jobs()
    assert caught.value.retry_after == 3600
    assert operations(emulator) == ["list_jobs"]


def test_an_api_that_is_not_there_is_reported_as_such(new_client, emulator):
    url = emulator.base_url
    emulator.stop()
    with pytest.raises(RenderjuiceConnectionError, match="did not answer: ConnectError") as caught:
        new_client(base_url=url).get_job(JOB_ID)
    assert caught.value.sent is False
    emulator.start()


@pytest.mark.parametrize("fault", PASSING)
def test_an_upload_is_repeated_from_its_first_byte(new_client, emulator, tmp_path, fault):
    client = new_client(timeout=patience(fault))
    emulator.faults.add("put_upload", *some(fault))
    job = created(client, tmp_path, size=300_000)
    assert client.get_job(job.id).status == "created"
    puts = [entry for entry in emulator.ledger.entries if entry.operation == "put_upload"]
    assert len(puts) == len(some(fault)) + 1
    assert len({entry.path for entry in puts}) == 1
    assert emulator.ledger.count("create_upload") == 1


@pytest.mark.parametrize("fault", [*PASSING, "nonsense"])
def test_a_download_is_repeated_and_arrives_whole(new_client, emulator, tmp_path, fault):
    client = new_client(timeout=patience(fault))
    job = completed(client, tmp_path)
    emulator.faults.add("download_file", *some(fault))
    report = client.download_outputs(job.id, tmp_path / "out")
    outputs = {file.path.name: file.path.read_bytes() for file in emulator.jobs[job.id].outputs}
    assert {path.name: path.read_bytes() for path in (tmp_path / "out/frames").iterdir()} == outputs
    assert len(report.files) == 3
    assert emulator.ledger.count("download_file") == 3 + len(some(fault))
    assert emulator.ledger.count("get_downloads") == 1


@pytest.mark.parametrize("fault", ["503", "reset-before", "404", "400"])
def test_an_upload_that_fails_for_good_says_what_it_cost(client, emulator, scene, fault):
    passing = fault in {"503", "reset-before"}
    emulator.faults.add("put_upload", *[fault] * (5 if passing else 1))
    with pytest.raises(RenderjuiceTransferError, match=r"shot\.blend could not be stored\. .*\. Nothing was spent\."):
        client.upload(scene)
    assert emulator.ledger.count("put_upload") == (5 if passing else 1)


@pytest.mark.parametrize("fault", [*PASSING, "nonsense", "json []"])
def test_a_lost_answer_to_start_render_does_not_render_twice(new_client, emulator, tmp_path, fault):
    client = new_client(timeout=patience(fault))
    job = validated(client, tmp_path, seconds_per_frame=1e6)
    emulator.faults.add("start_render", *some(fault))
    assert client.start_render(job.id, CONFIG).status in {"booting", "rendering"}
    assert emulator.ledger.count("start_render") == 1 + len(some(fault))
    assert emulator.ledger.renders_started() == 1


def test_a_render_that_was_started_is_found_even_when_no_attempt_was_answered(client, emulator, tmp_path):
    job = validated(client, tmp_path, seconds_per_frame=1e6)
    emulator.faults.add("start_render", *["reset-after"] * 5)
    assert client.start_render(job.id, CONFIG).status in {"booting", "rendering"}
    assert (emulator.ledger.count("start_render"), emulator.ledger.renders_started()) == (5, 1)


@pytest.mark.parametrize(("fault", "reads"), [("429", 0), ("503", 1), ("reset-before", 1), ("nonsense", 1)])
def test_a_render_that_was_not_started_is_an_error_after_five_attempts(client, emulator, tmp_path, fault, reads):
    job = validated(client, tmp_path)
    before = emulator.ledger.count("get_job")
    emulator.faults.add("start_render", *[fault] * 5)
    with pytest.raises(RenderjuiceError):
        client.start_render(job.id, CONFIG)
    assert emulator.ledger.count("start_render") == 5
    assert emulator.ledger.count("get_job") - before == reads
    assert emulator.ledger.renders_started() == 0


@pytest.mark.parametrize("status", ["created", "validating"])
def test_a_render_before_its_time_is_refused(client, emulator, tmp_path, status):
    job = created(client, tmp_path, validation_seconds=1e6)
    if status == "validating":
        client.validate_job(job.id)
    with pytest.raises(RenderjuiceError, match=f"400: the job is {status}, not validated"):
        client.start_render(job.id, CONFIG)
    assert emulator.ledger.count("start_render") == 1


def test_a_cancelled_job_that_is_started_is_returned_as_it_is(client, emulator, tmp_path):
    job = validated(client, tmp_path)
    client.cancel_job(job.id)
    assert client.start_render(job.id, CONFIG).status == "canceled"
    assert emulator.ledger.renders_started() == 0


UNDONE = ["429", "503", "reset-before", "html 502", "nonsense"]
DONE = ["reset-after", "stall-after 5", "truncate"]


@pytest.mark.parametrize("fault", UNDONE)
def test_a_validation_that_did_not_begin_is_asked_for_again(new_client, emulator, tmp_path, fault):
    client = new_client()
    job = created(client, tmp_path, validation_seconds=1e6)
    emulator.faults.add("validate_job", fault, fault)
    assert client.validate_job(job.id).status == "validating"
    assert emulator.ledger.count("validate_job") == 3
    assert emulator.ledger.count("get_job") == (0 if fault == "429" else 2)


@pytest.mark.parametrize("fault", DONE)
def test_a_validation_whose_answer_was_lost_is_seen_by_reading_the_job(new_client, emulator, tmp_path, fault):
    client = new_client(timeout=patience(fault))
    job = created(client, tmp_path, validation_seconds=1e6)
    emulator.faults.add("validate_job", fault)
    assert client.validate_job(job.id).status == "validating"
    assert operations(emulator)[-2:] == ["validate_job", "get_job"]


@pytest.mark.parametrize("fault", UNDONE)
def test_a_cancel_that_was_not_heard_is_repeated(client, emulator, tmp_path, fault):
    job = validated(client, tmp_path, seconds_per_frame=1e6)
    client.start_render(job.id, CONFIG)
    emulator.faults.add("cancel_job", fault, fault)
    assert client.cancel_job(job.id).status == "canceled"
    assert emulator.ledger.count("cancel_job") == 3
    assert emulator.ledger.jobs_left_running() == []


@pytest.mark.parametrize("fault", DONE)
def test_a_cancel_whose_answer_was_lost_is_seen_by_reading_the_job(new_client, emulator, tmp_path, fault):
    client = new_client(timeout=patience(fault))
    job = validated(client, tmp_path, seconds_per_frame=1e6)
    client.start_render(job.id, CONFIG)
    emulator.faults.add("cancel_job", fault)
    assert client.cancel_job(job.id).status == "canceled"
    assert operations(emulator)[-2:] == ["cancel_job", "get_job"]


def test_a_cancel_that_takes_time_is_accepted_and_may_still_complete(client, emulator, tmp_path):
    emulator.switches.cancel_seconds = 1e6
    job = validated(client, tmp_path)
    client.start_render(job.id, CONFIG)
    assert client.cancel_job(job.id).is_over is False
    assert wait_for(client, job.id, "completed")
    assert client.cancel_job(job.id).status == "completed"


@pytest.mark.parametrize("action", ["validate_job", "cancel_job"])
@pytest.mark.parametrize("fault", ["503", "reset-before", "429"])
def test_an_order_that_is_never_taken_is_an_error_after_five_attempts(client, emulator, tmp_path, action, fault):
    job = created(client, tmp_path)
    emulator.faults.add(action, *[fault] * 5)
    with pytest.raises(RenderjuiceError):
        getattr(client, action)(job.id)
    assert emulator.ledger.count(action) == 5
