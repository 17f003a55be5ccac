"""A row of the wall: names, frames, seconds, money, reasons and links."""

from __future__ import annotations

from datetime import timedelta

import pytest

from renderjuice_provider.wall.facts import JobFacts, Rate, RowFacts
from renderjuice_provider.wall.models import Frames, Remaining, RowState
from renderjuice_provider.wall.rows import layers_of, make_night, make_row, name_of, over_jobs, sequence_of
from tests.wall.facts import CONN, JOB, NOW, OTHER_JOB, ago, job, left, look, row, shot, task

TEN_FRAMES = {"frameRanges": ["1-10"]}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (shot(), "ab_010"),
        (row(task("render", label="base"), conf={"file": "/scenes/one.blend"}), "one.blend"),
        (row(task("run", map_index=3, label="two.blend"), heart="run"), "two.blend"),
        (row(task("run", map_index=3), heart="run"), "run 3"),
        (row(task("run", fields={"file_path": "C:\\scenes\\three.zip"}), heart="run"), "three.zip"),
        (row(task("run"), heart="run"), "run"),
        (row(task("upload", fields={"file_path": "s3://x/four.blend"}), task("render_job"), heart="render_job"),
         "four.blend"),
    ],
)  # fmt: skip
def test_a_row_is_called_what_the_artist_calls_it(facts: RowFacts, expected: str) -> None:
    assert name_of(facts) == expected


def test_a_name_stays_what_it_is_and_loses_what_could_be_a_signature() -> None:
    name = "<img src=x onerror=alert(1)>"
    assert name_of(row(task("run"), conf={"shot": name})) == name
    signed = name_of(row(task("run"), conf={"shot": "https://store.test/x.blend?X-Amz-Signature=0f0f"}))
    assert "0f0f" not in signed


@pytest.mark.parametrize(
    ("conf", "expected"),
    [
        ({"shot": "ab_010"}, "ab"),
        ({"shot": "sh010"}, None),
        ({"shot": "ab_010", "sequence": "opening"}, "opening"),
        ({"file": "/a/one_two.blend"}, None),
    ],
)
def test_the_sequence_of_a_shot(conf: dict[str, str], expected: str | None) -> None:
    assert sequence_of(row(task("render"), conf=conf)) == expected


def test_frames_are_counted_over_all_layers_and_rounds() -> None:
    layers = (
        task("render", "deferred", 0, job_id=JOB, config=TEN_FRAMES, label="base"),
        task("render", "success", 1, job_id=OTHER_JOB, results={"frames_requested": 10, "frames_missing": [3]}),
    )
    # Its second round orders four frames: six are there already.
    second_round = job(frames_total=4, frames_done=1, frames_failed=1)
    found = make_row(row(*layers), look(second_round), NOW)
    assert found.frames == Frames(total=20, done=16, failed=1)
    base, other = found.layers
    assert (base.name, base.state, base.frames_done, base.frames_total) == ("base", "rendering", 7, 10)
    assert (other.name, other.state, other.frames_done) == ("render 1", "rendered", 9)


def test_frames_that_nobody_has_counted_are_not_known() -> None:
    assert make_row(row(task("run", "deferred", job_id=JOB), heart="run"), look(), NOW).frames is None
    unmoved = make_row(row(task("run", "deferred", config=TEN_FRAMES), heart="run"), look(), NOW)
    assert unmoved.frames == Frames(total=10, done=0)


def test_what_remains_comes_from_the_times_between_frames_with_a_range() -> None:
    run = row(task("run", "deferred", job_id=JOB, config=TEN_FRAMES), heart="run")
    steady = job(frames_done=4, frames_total=10, frame_times=(9.0, 10.0, 10.0, 14.0), last_sign=NOW)
    found = make_row(run, look(steady), NOW).remaining
    assert found is not None
    assert found.likely == 60.0
    assert 0 < found.least <= found.likely <= found.most < 90
    later = make_row(run, look(steady), NOW + timedelta(seconds=6)).remaining
    assert later is not None
    assert later.likely == 54.0, "part of the next frame has passed"
    stuck = make_row(run, look(steady), NOW + timedelta(hours=1)).remaining
    assert stuck is not None
    assert stuck.likely == 50.0, "it never says that the frames after the next take no time"


def test_what_remains_is_rough_where_no_times_were_seen_and_unknown_without_a_frame() -> None:
    run = row(task("run", "deferred", job_id=JOB, config=TEN_FRAMES), heart="run")
    # First seen a minute ago, it has rendered since its task began, but for its time in the queue.
    opened_late = job(frames_done=5, frames_total=10, rendering_since=ago(1), queue_seconds=600.0)
    assert make_row(run, look(opened_late), NOW).remaining == Remaining(likely=600, least=300, most=1200)
    once = job(frames_done=5, frames_total=10, frame_times=(60.0,), last_sign=NOW)
    assert make_row(run, look(once), NOW).remaining == Remaining(likely=300, least=150, most=600)
    assert make_row(run, look(job(frames_done=0, frames_total=10, rendering_since=ago(5))), NOW).remaining is None
    assert make_row(run, look(job("booting")), NOW).remaining is None


def test_layers_render_side_by_side_so_the_longest_counts() -> None:
    layers = [task("render", "deferred", index, job_id=each) for index, each in enumerate((JOB, OTHER_JOB))]
    slow = job(frames_done=5, frames_total=10, frame_times=(60.0,))
    quick = job(job_id=OTHER_JOB, frames_done=5, frames_total=10, frame_times=(1.0,))
    found = make_row(row(*layers), look(slow, quick), NOW).remaining
    assert found is not None
    assert found.likely == 300


def test_seconds_are_renderjuices_newest_or_else_what_the_task_has_left() -> None:
    render = task(
        "render", job_id=JOB, jobs={OTHER_JOB: 40.0, JOB: 5.0}, results={"normalized_seconds": 45.0}, map_index=0
    )
    rate = Rate(3600.0, "EUR")
    found = make_row(row(render), look(job("completed", normalized_seconds=6.0), rates={CONN: rate}), NOW)
    assert found.normalized_seconds == 46.0
    assert found.money is not None
    assert (found.money.amount, found.money.currency) == (46.0, "EUR")
    assert make_row(row(render), look(), NOW).money is None, "without a rate, seconds only"


def test_costs_that_nobody_knows_are_counted_and_are_not_nothing() -> None:
    rows = [
        row(task("run", "deferred", job_id=JOB), heart="run"),
        row(task("run", "deferred", job_id=OTHER_JOB), heart="run"),
    ]
    total = make_night(rows, look(job("rendering"), job("validating", OTHER_JOB)), NOW).total
    assert (total.jobs_of_unknown_cost, total.normalized_seconds) == (1, 0.0)


def test_queue_time_is_that_of_all_its_jobs_and_the_last_sign_that_of_anything() -> None:
    layers = [task("render", "deferred", index, job_id=each) for index, each in enumerate((JOB, OTHER_JOB))]
    found = make_row(
        row(*layers), look(job(queue_seconds=4.0, last_sign=ago(2)), job(job_id=OTHER_JOB, queue_seconds=2.5)), NOW
    )
    assert found.queue_seconds == 6.5
    assert found.last_sign == ago(2)
    assert make_row(row(*layers), look(), NOW).last_sign == ago(20)


def test_times_are_those_of_all_its_tasks() -> None:
    under_way = make_row(shot(render="deferred", composite=None, deliver=None), look(job()), NOW)
    assert (under_way.started, under_way.ended, under_way.elapsed) == (ago(20), None, 1200.0)
    over = make_row(shot(), look(job("completed")), NOW)
    assert (over.started, over.ended, over.elapsed) == (ago(20), ago(10), 600.0)
    waiting = make_row(row(task("run", "scheduled"), heart="run"), look(), NOW)
    assert (waiting.started, waiting.elapsed) == (None, None)


def test_the_picture_is_of_the_newest_job_that_has_one_and_names_its_row() -> None:
    layers = [task("render", "deferred", index, job_id=each) for index, each in enumerate((JOB, OTHER_JOB))]
    facts = row(*layers)
    older = job(picture=f"{JOB}.a3", last_sign=ago(2))
    newer = job(job_id=OTHER_JOB, last_sign=ago(1))
    assert make_row(facts, look(older, newer), NOW).picture == f"{facts.id}~{JOB}.a3"
    assert make_row(facts, look(newer), NOW).picture is None


def test_what_failed_is_opened_and_its_log_is_one_click_away() -> None:
    failed = make_row(shot(composite="failed", deliver="upstream_failed"), look(job("completed")), NOW)
    assert failed.task_id == "composite"
    assert failed.links.log == "dags/a_dag/runs/a_run/tasks/composite"
    at_work = make_row(shot(render="deferred", composite=None, deliver=None), look(job()), NOW)
    assert (at_work.task_id, at_work.map_index) == ("render", 0)
    assert at_work.links.task == "dags/a_dag/runs/a_run/tasks/render/mapped/0/details"
    delivered = make_row(shot(), look(job("completed")), NOW)
    assert delivered.links.delivery == "dags/a_dag/runs/a_run/tasks/deliver/xcom"


def test_links_are_relative_and_quote_what_a_run_may_be_called() -> None:
    odd = row(task("run", dag_id="a/b", run_id="manual__2026-11-27T03:00:00+00:00 ?#"), heart="run")
    links = make_row(odd, look(), NOW).links
    assert links.log == "dags/a%2Fb/runs/manual__2026-11-27T03%3A00%3A00%2B00%3A00%20%3F%23/tasks/run"


@pytest.mark.parametrize(
    ("facts", "jobs", "reason", "next_step"),
    [
        (row(task("run", "failed", left=left("No such file: x.blend.", next_step="Nothing was spent.")), heart="run"),
         (), "No such file: x.blend.", "Nothing was spent."),
        (row(task("run", "failed", job_id=JOB), heart="run"), (job("failed", reason="OutOfMemory: gpu"),),
         "Renderjuice: OutOfMemory: gpu", ""),
        (row(task("render", "failed", 0, job_id=JOB)), (job("canceled"),),
         "Somebody has stopped it", "Render only what is missing"),
        (row(task("run", "failed", job_id=JOB), heart="run"), (job("canceled"),),
         "Somebody has stopped it", "Render it again, which costs again."),
        (row(task("run", "failed", job_id=JOB), heart="run"), (job("canceled", normalized_seconds=0.0),),
         "Somebody has stopped it before anything was rendered.", "Render it again."),
        (row(task("run", "failed"), heart="run", note="failed: the note says it"), (), "the note says it", ""),
        (row(task("run", "failed"), heart="run"), (), "`run` failed, and left no reason", "Open its log."),
        (row(task("run", "upstream_failed"), heart="run"), (), "A task before it failed", "Open the run"),
        (shot(composite="failed", deliver="upstream_failed"), (job("completed"),),
         "`composite` failed", "Its frames are paid and kept: clear `composite` to go on."),
        (shot(**dict.fromkeys(("take_order", "upload", "create", "validate", "decide", "render", "composite",
                               "deliver"), "skipped")), (), "There was nothing to render", ""),
        (row(task("reject", left=left("base: no usable camera.", RowState.REJECTED)), task("render", "skipped")),
         (), "base: no usable camera.", "Correct the scene, then render it again."),
        (row(task("run", "up_for_retry", left=left("Airflow lost it.")), heart="run"), (),
         "Airflow lost it. Airflow will try `run` again.", ""),
        (shot(), (job("completed"),), "", ""),
        (shot(render="deferred", composite=None, deliver=None), (job(),), "", ""),
    ],
)  # fmt: skip
def test_the_reason_is_one_line_and_says_what_to_do_next(
    facts: RowFacts, jobs: tuple[JobFacts, ...], reason: str, next_step: str
) -> None:
    found = make_row(facts, look(*jobs), NOW)
    assert found.reason.startswith(reason)
    assert (found.reason == "") == (reason == "")
    assert found.next_step.startswith(next_step)


def test_layers_that_fail_alike_are_one_reason_and_others_are_counted() -> None:
    layers = [task("render", "failed", index, left=left("It is too dark.\n  Really.")) for index in range(3)]
    assert make_row(row(*layers), look(), NOW).reason == "It is too dark. Really."
    layers[2] = task("render", "failed", 2, left=left("It is too bright."))
    assert make_row(row(*layers), look(), NOW).reason == "It is too dark. Really. (and 1 more like it)"


def test_no_reason_holds_a_secret() -> None:
    leaky = task("run", "failed", left=left("lost https://store.test/a.exr?X-Amz-Signature=0f0f0f"))
    assert "0f0f0f" not in make_row(row(leaky, heart="run"), look(), NOW).reason


def test_the_jobs_of_a_layer_are_its_own_the_newest_last() -> None:
    layers = (
        task("create", map_index=0, job_id=JOB),
        task("render", "deferred", 0, job_id=JOB, jobs={OTHER_JOB: 3.0}, label="base"),
        task("render", "success", 1, job_id="third"),
    )
    assert layers_of(row(*layers)) == [("base", CONN, [OTHER_JOB, JOB]), ("render 1", CONN, ["third"])]
    assert layers_of(row(task("wait", "deferred", job_id=JOB), heart="wait")) == [("wait", CONN, [JOB])]


def test_jobs_of_tasks_that_are_over_need_no_polls() -> None:
    both = row(task("render", "success", 0, job_id=JOB), task("render", "deferred", 1, job_id=OTHER_JOB))
    assert over_jobs([both]) == {JOB}


def test_a_night_is_counted_by_state_and_says_when_it_ends() -> None:
    rendering = row(task("run", "deferred", job_id=JOB, config=TEN_FRAMES), heart="run")
    rendered = row(task("run", job_id=OTHER_JOB, results={"frames_requested": 8, "normalized_seconds": 9}), heart="run")
    night = make_night(
        [rendered, rendering],
        look(job(frames_done=5, frames_total=10, frame_times=(60.0,), last_sign=NOW), job("completed", OTHER_JOB)),
        NOW,
    )
    assert night.total.by_state == {"rendering": 1, "rendered": 1}
    assert (night.total.rows, night.total.frames_done, night.total.frames_total) == (2, 13, 18)
    assert night.total.normalized_seconds == 9
    assert night.total.expected_end is not None
    assert night.total.expected_end.likely == NOW + timedelta(minutes=5)


def test_rows_that_wait_are_expected_to_take_as_long_as_those_that_are_over() -> None:
    waiting, over = row(task("run", "scheduled"), heart="run"), row(task("run", job_id=JOB), heart="run")
    end = make_night([waiting, over], look(job("completed")), NOW).total.expected_end
    assert end is not None
    assert (end.earliest, end.likely) == (NOW, NOW + timedelta(minutes=10))


def test_the_end_of_a_night_is_not_known_while_that_of_a_row_is_not() -> None:
    first = row(task("run", "deferred", job_id=JOB), heart="run")
    assert make_night([first], look(job(frames_done=0, frames_total=9)), NOW).total.expected_end is None
    quick = row(task("run", job_id=OTHER_JOB), heart="run")
    slow = row(task("run", "deferred", job_id=JOB, started=ago(60)), heart="run")
    late = make_night([quick, slow], look(job(frames_done=0, frames_total=9), job("completed", OTHER_JOB)), NOW)
    assert late.total.expected_end is None, "it takes longer than the others did, and nobody knows how much"


def test_rows_that_wait_take_as_long_as_those_that_render_will() -> None:
    rendering = row(task("run", "deferred", job_id=JOB, config=TEN_FRAMES), heart="run")
    waiting = row(task("run", "scheduled"), heart="run")
    once = job(frames_done=5, frames_total=10, frame_times=(60.0,), last_sign=NOW)
    end = make_night([rendering, waiting], look(once), NOW).total.expected_end
    assert end is not None
    assert end.likely == NOW + timedelta(minutes=25)


def test_a_rejected_row_opens_the_task_that_says_why_and_has_no_layer_that_never_was() -> None:
    tasks = task("validate", map_index=0), task("reject", left=left("no camera", RowState.REJECTED))
    found = make_row(row(*tasks, task("render", "skipped"), run_state="success"), look(), NOW)
    assert (found.state, found.task_id, found.layers) == ("rejected", "reject", [])


def test_a_night_in_which_nothing_is_under_way_has_no_expected_end() -> None:
    assert make_night([shot()], look(job("completed")), NOW).total.expected_end is None
    assert make_night([row(task("run", "scheduled"), heart="run")], look(), NOW).total.expected_end is None
    empty = make_night([], look(), NOW)
    assert (empty.rows, empty.total.rows, empty.total.money) == ([], 0, None)


def test_amounts_in_two_currencies_are_not_added() -> None:
    rows = [
        row(task("run", job_id=JOB, conn_id="one"), heart="run"),
        row(task("run", job_id=OTHER_JOB, conn_id="two"), heart="run"),
    ]
    jobs = job("completed", normalized_seconds=1.0), job("completed", OTHER_JOB, normalized_seconds=1.0)
    euros, dollars = Rate(1.0, "EUR"), Rate(1.0, "USD")
    mixed = make_night(rows, look(*jobs, rates={"one": euros, "two": dollars}), NOW)
    assert mixed.total.money is None
    assert {each.money.currency for each in mixed.rows if each.money} == {"EUR", "USD"}
