"""What is noticed of a job between two polls, and what API servers share of it."""

from __future__ import annotations

import zlib
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest

from renderjuice_provider.api.models import Job
from renderjuice_provider.api.progress import Progress
from renderjuice_provider.wall._contact_sheet import finished_sheet, growing_sheet, one_sheet
from renderjuice_provider.wall._farm_state import SIGN_OF_LIFE, FarmState
from renderjuice_provider.wall._seen_jobs import SeenJob, config_of, observe, unknown
from renderjuice_provider.wall._seen_jobs import counted as count_left
from renderjuice_provider.wall.models import Frame

JOB_ID = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
NOW = 1_800_000_000.0


def job(status: str = "rendering", **fields: Any) -> Job:
    return Job.model_validate({"id": JOB_ID, "status": status} | fields)


def seen(*polls: tuple[float, Job, Progress | None]) -> SeenJob:
    """What is known after these polls, each at its seconds after `NOW`."""
    known: SeenJob | None = None
    for after, polled, progress in polls:
        known = observe(known, polled, progress, NOW + after)
    assert known is not None
    return known


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def counted(done: int | None = None, total: int | None = None, **more: Any) -> Progress:
    return Progress(JOB_ID, done, total, **more)


def test_the_time_for_a_frame_is_that_between_two_frames() -> None:
    known = seen(
        (0, job("booting"), None),
        (10, job(), counted(0, 24)),
        (20, job(), counted(1, 24)),
        (25, job(), counted(1, 24)),
        (40, job(), counted(5, 24)),
    )
    assert known.frame_times == (10.0, 5.0)
    facts = known.facts(NOW + 50, None)
    assert (facts.queue_seconds, facts.frames_done, facts.frames_total) == (10.0, 5, 24)
    assert facts.rendering_since == datetime.fromtimestamp(NOW + 10, UTC)
    assert facts.last_sign == datetime.fromtimestamp(NOW + 40, UTC)


def test_a_job_that_failed_before_it_was_ordered_has_cost_nothing() -> None:
    assert seen((0, job("validating"), None), (5, job("failed"), None)).normalized_seconds == 0.0
    ordered = job("failed", requestedConfig={"colorManagementPreset": "default"})
    assert seen((0, ordered, None)).normalized_seconds is None
    assert seen((0, job("failed", normalizedSeconds=7.0), None)).normalized_seconds == 7.0


def test_only_the_newest_times_are_kept() -> None:
    known = seen((0, job("booting"), None), *((number, job(), counted(number, 99)) for number in range(1, 60)))
    assert known.frame_times == (1.0,) * 12


def test_a_render_that_was_under_way_before_says_nothing_of_its_speed() -> None:
    known = seen((0, job(), counted(7, 24)))
    assert (known.frame_times, known.rendering, known.facts(NOW, None).queue_seconds) == ((), None, None)


def test_a_wait_for_a_machine_goes_on_until_it_renders_or_is_over() -> None:
    waiting = seen((0, job("booting"), None))
    assert waiting.facts(NOW + 30, None).queue_seconds == 30.0
    stopped = observe(waiting, job("canceled"), None, NOW + 40)
    assert stopped.facts(NOW + 500, None).queue_seconds == 40.0
    assert stopped.facts(NOW, None).ended == datetime.fromtimestamp(NOW + 40, UTC)


def test_of_a_job_that_is_new_here_renderjuices_own_date_counts_unless_its_clock_is_ahead() -> None:
    assert seen((0, job("completed", updatedAt=iso(NOW - 3600)), None)).ended == NOW - 3600
    assert seen((0, job("completed", updatedAt=iso(NOW + 3600)), None)).ended == NOW
    assert seen((0, job("completed", updatedAt="2027-01-15T07:00:00"), None)).ended == NOW - 3600
    assert seen((0, job("completed"), None)).ended == NOW
    assert seen((0, job("booting", updatedAt=iso(NOW - 60)), None)).booting == NOW - 60


@pytest.mark.parametrize(
    ("status", "fields", "progress", "meant"),
    [
        ("validated", {}, None, (None, None, 0)),
        ("booting", {"finalConfig": {"frameRanges": ["1-24"]}}, None, (24, 0, 0)),
        ("rendering", {"requestedConfig": {"frameRanges": ["1-24"]}}, counted(3), (24, 3, 0)),
        ("rendering", {"requestedConfig": {"frameRanges": ["1-24"]}}, counted(percent=50.0), (24, 12, 0)),
        ("rendering", {"requestedConfig": {"frameRanges": ["1-24"]}}, counted(percent=250.0), (24, 24, 0)),
        ("rendering", {}, counted(percent=50.0), (None, None, 0)),
        ("rendering", {"finalConfig": {"frameRanges": ["??"]}}, counted(3, 9, frames_failed=2), (9, 3, 2)),
        ("completed", {"finalConfig": {"frameRanges": ["1-24"]}}, None, (24, 24, 0)),
        ("failed", {"finalConfig": {"frameRanges": ["1-24"]}}, None, (24, None, 0)),
        ("completed", {}, None, (None, None, 0)),
    ],
)
def test_frames_are_counted_by_progress_or_by_what_was_ordered(
    status: str, fields: dict[str, Any], progress: Progress | None, meant: tuple[Any, ...]
) -> None:
    known = seen((0, job(status, **fields), progress))
    assert (known.total, known.done, known.failed) == meant


def test_counters_stay_when_nothing_runs_any_more() -> None:
    known = seen((0, job(), counted(7, 24, frames_failed=1)), (5, job("failed", failedReason={"name": "gone"}), None))
    assert (known.total, known.done, known.failed, known.reason) == (24, 7, 1, "gone")


def test_frames_that_were_counted_stay_so_when_the_job_is_read_again() -> None:
    failed = job("failed", finalConfig={"frameRanges": ["1-4"]})
    found = seen((0, failed, None))
    assert found.must_be_counted
    found = count_left(found, failed, downloads("0001.png", "0003.png"))
    assert (found.done, found.total, found.must_be_counted) == (2, 4, False)
    again = observe(found, failed, None, NOW + 9)
    assert (again.done, again.must_be_counted) == (2, False)


@pytest.mark.parametrize(
    ("known", "picture"),
    [
        ((job("booting"), None), None),
        ((job(), counted(3, 9)), None),
        ((job(previewUrl="https://x.test/p?token=s"), counted(3, 9)), "a3"),
        ((job(previewUrl="https://x.test/p?token=s"), None), f"t{int(NOW)}"),
        ((job("finalizing", previewUrl="https://x.test/p?token=s"), counted(9, 9)), "a9"),
        ((job("completed"), None), "last"),
        ((job("canceled"), None), None),
        ((job("canceled", previewUrl="https://x.test/p"), None), "last"),
    ],
)
def test_a_job_has_a_picture_as_soon_as_there_is_one(known: tuple[Job, Progress | None], picture: str | None) -> None:
    found = seen((0, *known))
    assert found.picture == picture
    assert "token" not in found.model_dump_json()
    assert found.facts(NOW, None).picture == (f"{JOB_ID}.{picture}" if picture else None)


def test_a_configuration_is_shown_without_signatures() -> None:
    assert config_of(job(finalConfig={"notes": "https://x.test/a?token=s"})) == {"notes": "https://x.test/a?***"}
    assert config_of(job(requestedConfig={"a": 1})) == {"a": 1}
    assert config_of(job(finalConfig=["odd"])) is None
    assert config_of(job()) is None


def test_a_job_that_comes_to_be_known_begins_afresh() -> None:
    assert not unknown(JOB_ID, NOW).is_known
    assert observe(unknown(JOB_ID, NOW), job("booting"), None, NOW + 5).booting == NOW + 5


# What is shared


def state(*jobs: SeenJob, **fields: Any) -> FarmState:
    return FarmState(jobs={each.job_id: each for each in jobs}, **fields)


def known(status: str = "rendering", read: float = NOW, number: int = 0, **fields: Any) -> SeenJob:
    job_id = f"3c90c3cc-0d44-4b50-8888-{number:012d}"
    return SeenJob(job_id=job_id, status=status, read=read, since=read, moved=read, **fields)


def packed(text: str) -> str:
    return b64encode(zlib.compress(text.encode())).decode()


def test_what_is_stored_is_read_again_and_nonsense_is_nothing() -> None:
    whole = state(known(done=3, frame_times=(1.5, 2.0)), asked=NOW, answered=NOW, error="x")
    assert FarmState.parse(whole.serialize()) == whole
    many = state(*(known(done=number, number=number) for number in range(300)))
    assert len(many.serialize()) < len(many.model_dump_json()) / 5
    assert FarmState.parse(packed("{}")) == FarmState()
    for text in (None, "", "{}", "€", "AAAA", whole.serialize()[:-40]):
        assert FarmState.parse(text) == FarmState()
    for text in ("[]", "{", '{"version": 2, "error": "of a later one"}', '{"jobs": {"a": {}}}'):
        assert FarmState.parse(packed(text)) == FarmState()


def test_of_two_servers_the_newer_reading_of_each_job_counts() -> None:
    mine = state(known(read=NOW, number=1), known(read=NOW - 9, number=2), asked=NOW, answered=NOW - 5, error="down")
    theirs = state(
        known(read=NOW - 9, number=1), known("completed", NOW - 1, 2), known(number=3), asked=NOW - 1, answered=NOW - 1
    )
    for merged in (mine.merge(theirs), theirs.merge(mine)):
        assert sorted((each.status, each.read) for each in merged.jobs.values()) == [
            ("completed", NOW - 1),
            ("rendering", NOW),
            ("rendering", NOW),
        ]
        assert (merged.asked, merged.answered, merged.error) == (NOW, NOW - 1, "down")


def test_a_turn_belongs_to_one_server_and_is_what_is_stored() -> None:
    stored = FarmState().take_turn("a", NOW)
    assert stored.take_turn("b", NOW + 1).turn_of == "a"
    assert stored.take_turn("b", NOW + 60).turn_of == "b"
    local = state(known(), asked=NOW)
    assert stored.merge(local).turn_of == "a"
    assert stored.end_turn().merge(stored).turn_of == ""


@pytest.mark.parametrize(
    ("found", "over", "after"),
    [
        (known(), False, 5),
        (known(), True, 60),
        (known(""), False, 300),
        (known("completed"), False, None),
    ],
)
def test_how_soon_a_job_is_polled_again(found: SeenJob, *, over: bool, after: float | None) -> None:
    kept = state(found, asked=NOW)
    finished = {found.job_id} if over else set()
    if after is None:
        assert kept.due([found.job_id], finished, NOW + 1e6) == []
        return
    assert kept.due([found.job_id], finished, NOW + after - 1) == []
    assert kept.due([found.job_id], finished, NOW + after) == [found.job_id]
    assert kept.next_poll([found.job_id], finished) == NOW + min(after, SIGN_OF_LIFE)


def test_a_new_job_waits_for_the_next_round_and_all_for_the_end_of_a_silence() -> None:
    assert FarmState(asked=NOW).due(["new"], (), NOW + 1) == []
    assert FarmState(asked=NOW).due(["new"], (), NOW + 5) == ["new"]
    assert FarmState(asked=NOW, error="down").due(["new"], (), NOW + 14) == []
    assert FarmState(asked=NOW, error="down").due(["new"], (), NOW + 15) == ["new"]
    assert FarmState(asked=NOW, quiet_until=NOW + 90).due(["new"], (), NOW + 80) == []


def test_not_more_jobs_are_kept_than_make_sense(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("renderjuice_provider.wall._farm_state._MOST_JOBS", 2)
    jobs = [known("completed", number=number, ended=NOW - number) for number in (1, 2, 3)]
    kept = FarmState().polled([*jobs, known(number=4)], NOW, answered=True)
    assert sorted(int(job_id[-2:]) for job_id in kept.jobs) == [1, 4]


# Contact sheets


def downloads(*names: str, **more: Any) -> Any:
    from renderjuice_provider.api.models import Downloads

    return Downloads.model_validate(
        {"frameOutputs": [{"url": f"https://x.test/{name}?token=s", "fileName": name} | more for name in names]}
    )


def test_frames_are_sorted_by_number_and_those_without_one_come_last() -> None:
    over = job("completed", finalConfig={"frameRanges": ["8-11"]})
    sheet = finished_sheet(over, downloads("shot_0010.png", "shot_0008.png", "thumbs.png"))
    assert [(frame.name, frame.state) for frame in sheet.frames] == [
        ("0008", "done"),
        ("0009", "missing"),
        ("0010", "done"),
        ("0011", "missing"),
        ("thumbs.png", "done"),
    ]
    assert "token" not in "".join(frame.model_dump_json() for frame in sheet.frames)
    assert sheet.last in sheet.urls


def test_the_eyes_of_a_stereo_render_are_apart() -> None:
    over = job("completed", finalConfig={"frameRanges": ["1-2"]}, analysis={"views": ["left", "right"]})
    files = downloads("0001_L.png", "0002_L.png", view="left").frame_outputs
    right = downloads("0001_R.png", view="right").frame_outputs
    both = downloads().model_copy(update={"frame_outputs": (*files, *right)})
    assert [(frame.name, frame.state) for frame in finished_sheet(over, both).frames] == [
        ("0001 left", "done"),
        ("0001 right", "done"),
        ("0002 left", "done"),
        ("0002 right", "missing"),
    ]


def test_names_from_outside_stay_short_and_hold_no_secret() -> None:
    sheet = finished_sheet(job("completed"), downloads("x" * 500, "https://x.test/a?token=s"))
    assert max(len(frame.name) for frame in sheet.frames) <= 60
    assert not any("token" in frame.name for frame in sheet.frames)


def test_a_sheet_without_frames_has_no_last_one() -> None:
    assert finished_sheet(job("completed"), downloads()).last is None


def test_a_sheet_that_grows_may_have_lost_count() -> None:
    assert growing_sheet(known(), ()) == []
    assert [frame.state for frame in growing_sheet(known(done=3, total=2), {9})] == ["done"] * 3


def test_a_sheet_that_grows_shows_the_newest_preview_although_nobody_has_fetched_it() -> None:
    frames = growing_sheet(known(done=3, total=5, has_preview=True), {1})
    assert [frame.picture and frame.picture.rpartition(".")[2] for frame in frames] == ["a1", None, "a3", None, None]


def test_what_may_come_yet_is_not_missing() -> None:
    first = [Frame(name="0001", picture="a", state="done"), Frame(name="0002", state="missing")]
    assert one_sheet([first]) == first
    assert [frame.name for frame in one_sheet([first, [Frame(name="after 1")]])] == ["0001", "after 1"]
