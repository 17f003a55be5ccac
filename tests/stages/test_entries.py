from __future__ import annotations

import json
from pathlib import Path

import pytest
from stages.entries import about, joined, present_entry, read_entry, render_facts, write_entry

NIGHT, RUN = "2026-11-23", "juice__0a1b2c3d__2026-11-23"
CONFIG = {"frameRanges": ["1-6"]}


@pytest.fixture
def order(tmp_path):
    return {
        "shot": "juice",
        "show": "citrus",
        "sequence": "cit",
        "fingerprint": "0a1b2c3d" * 8,
        "layers": ["base", "over"],
        "files": {"base": "a.blend", "over": "b.blend"},
        "work": str(tmp_path / "work"),
        "entry": str(tmp_path / "nights" / NIGHT / "shots" / "juice.json"),
    }


def job(job_id, frames, run_id=RUN):
    return {"job_id": job_id, "run_id": run_id, "render_config": {"frameRanges": frames}, "ordered_at": "x"}


def leave_jobs(order, layer, *jobs):
    folder = Path(order["work"], layer)
    folder.mkdir(parents=True)
    (folder / "jobs.json").write_text(json.dumps(jobs))


def present(order, entry, states, replaces=None, wrong=()):
    planned = {"order": order, "run_id": RUN, "replaces": replaces}
    return present_entry(planned, entry, states.get, lambda _run_id: list(wrong))


def test_an_entry_says_what_is_the_same_of_every_shot(order):
    entry = about(order, RUN)

    assert (entry["shot"], entry["run_id"], entry["sequence"], entry["layers"]) == (
        "juice",
        RUN,
        "cit",
        ["base", "over"],
    )
    assert entry["version"] == "0a1b2c3d0a1b2c3d"


def test_the_facts_of_a_failed_render_come_from_the_jobs_that_its_folders_name(order):
    """What another run has ordered into the same folder was counted there."""
    leave_jobs(order, "base", job("0", ["1-6"], "yesterday"), job("1", ["1-6"]), job("2", ["2", "5"]))
    leave_jobs(order, "over", job("3", ["1-6"]))

    facts = render_facts(order, RUN, [{"jobs": {"3": 4.5}}])

    assert facts == {
        "jobs": {
            "1": {"layer": "base", "frames": 6, "again": 6},
            "2": {"layer": "base", "frames": 2, "again": 2},
            "3": {"layer": "over", "frames": 6, "again": 0},
        },
        "spent": {"1": None, "2": None, "3": 4.5},
        "by_layer": {"base": {"1": None, "2": None}, "over": {"3": 4.5}},
        "render_seconds": 4.5,
        "frames_ordered": 14,
        "rounds": 2,
    }


@pytest.mark.parametrize(
    "content", ["{", "7", '{"job_id": "1"}', f'["1", null, {{"job_id": 7}}, {{"run_id": "{RUN}"}}]']
)
def test_a_list_of_jobs_that_somebody_has_damaged_fails_no_report(order, content):
    folder = Path(order["work"], "base")
    folder.mkdir(parents=True)
    (folder / "jobs.json").write_text(content)

    assert render_facts(order, RUN)["spent"] == {}


def test_nothing_ordered_is_nothing_spent(order):
    assert render_facts(order, RUN) == {
        "jobs": {},
        "spent": {},
        "by_layer": {"base": {}, "over": {}},
        "render_seconds": 0,
        "frames_ordered": 0,
        "rounds": 0,
    }


def test_of_which_layer_a_job_of_an_earlier_run_was_is_not_forgotten(order):
    leave_jobs(order, "base", job("1", ["1-3"], "one"), job("2", ["2-4"], "two"))
    for run_id in ("one", "two"):
        write_entry(about(order, run_id) | {"state": "failed"} | render_facts(order, run_id), order["entry"])

    entry = read_entry(order["entry"])
    assert entry["jobs"] == {
        "1": {"layer": "base", "frames": 3, "again": 0},
        "2": {"layer": "base", "frames": 3, "again": 2},
    }
    assert entry["spent"] == {"2": None}


def test_what_earlier_runs_of_the_night_spent_is_kept_beside_what_this_one_did(order):
    for run_id, spent in (("one", {"1": 3.0}), ("two", {"2": 5.0}), ("two", {"2": 5.0, "3": 1.0})):
        write_entry(about(order, run_id) | {"state": "failed", "spent": spent}, order["entry"])

    entry = read_entry(order["entry"])
    assert (entry["spent"], entry["spent_before"]) == ({"2": 5.0, "3": 1.0}, {"1": 3.0})


@pytest.mark.parametrize("now", [{"spent": {"2": 5.0}}, {}])
def test_what_a_run_spent_before_it_was_cleared_and_its_order_was_another_is_kept(order, now):
    write_entry(about(order, RUN) | {"state": "failed", "spent": {"1": 3.0}}, order["entry"])
    for _ in range(2):
        write_entry(about(order, RUN) | {"state": "rejected"} | now, order["entry"])

    assert read_entry(order["entry"])["spent_before"] == {"1": 3.0}


def test_what_a_job_cost_is_not_forgotten_when_it_cannot_be_read_again():
    assert joined({"1": 3.0, "2": None}, {"1": None, "2": 4.0, "3": None}) == {"1": 3.0, "2": 4.0, "3": None}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"shot": "juice"}'])
def test_half_an_entry_is_none(order, content):
    Path(order["entry"]).parent.mkdir(parents=True)
    Path(order["entry"]).write_text(content)

    assert read_entry(order["entry"]) == {}


@pytest.mark.parametrize("state", ["delivered", "rejected", "skipped"])
def test_the_entry_of_a_run_that_ended_well_is_what_it_says(order, state):
    entry = about(order, RUN) | {"state": state, "reason": "x"}

    assert present(order, entry, {RUN: "success"}) == entry


def test_a_failure_whose_task_was_cleared_and_went_well_then_is_none(order):
    """Such as the tracker's: all tasks before it write an entry when they are cleared."""
    entry = about(order, RUN) | {"state": "failed", "task": "tell_tracker", "reason": "502", "movie": "m"}

    now = present(order, entry, {RUN: "success"})

    assert (now["state"], now["movie"], "reason" in now, "task" in now) == ("delivered", "m", False, False)


def test_the_reason_of_a_failed_run_is_the_one_that_it_left(order):
    entry = about(order, RUN) | {"state": "failed", "reason": "frame 4", "task": "render"}

    assert present(order, entry, {RUN: "failed"}) == entry


def test_what_a_layer_ordered_after_another_had_failed_is_counted(order):
    leave_jobs(order, "base", job("1", ["1-6"]), job("2", ["4"]), job("3", ["4"]))
    leave_jobs(order, "over", job("4", ["1-6"]), job("5", ["1-6"], "yesterday"))
    spent = {"1": 12.0, "2": None, "3": None}
    entry = about(order, RUN) | {"state": "failed", "reason": "frame 4", "task": "render", "spent": spent}

    now = present(order, entry, {RUN: "failed"})

    assert now["spent"] == spent | {"4": None}
    assert (now["reason"], now["render_seconds"], now["frames_ordered"], now["rounds"]) == ("frame 4", 12.0, 14, 3)


def test_a_scene_that_cannot_be_opened_stays_rejected_though_its_run_failed(order):
    entry = about(order, RUN) | {"state": "rejected", "reason": "not a scene", "task": "validate"}

    assert present(order, entry, {RUN: "failed"}) == entry


@pytest.mark.parametrize("old", [{}, {"run_id": "before", "written": "then", "state": "rejected", "reason": "x"}])
def test_a_killed_run_left_nothing_or_the_entry_of_the_run_before(order, old):
    leave_jobs(order, "base", job("1", ["1-6"]))

    now = present(order, old, {RUN: "failed", "before": "success"}, replaces="then", wrong=["render", "composite"])

    assert (now["state"], now["task"], now["run_id"]) == ("failed", "render", RUN)
    assert now["reason"] == f"its run {RUN} failed; see the log of render, composite"
    assert now["spent"] == {"1": None}  # what it cost is asked of Renderjuice


@pytest.mark.parametrize("ours", ["success", "failed", None])
def test_the_run_before_may_be_cleared_and_have_the_last_word(order, ours):
    later = about(order, "before") | {"state": "delivered", "movie": "m", "written": "later"}

    now = present(order, later, {RUN: ours, "before": "success"}, replaces="then")

    assert (now["state"], now["run_id"], now["movie"]) == ("delivered", "before", "m")


def test_a_run_that_was_killed_after_the_delivery_is_not_called_delivered(order):
    entry = about(order, RUN) | {"state": "delivered", "movie": "m", "spent": {"1": 2.0}}

    now = present(order, entry, {RUN: "failed"}, wrong=["tell_tracker"])

    assert (now["state"], now["task"], now["movie"], now["spent"]) == ("failed", "tell_tracker", "m", {"1": 2.0})


@pytest.mark.parametrize("state", ["running", "queued"])
def test_a_run_that_is_not_over_is_not_called_anything_else(order, state):
    entry = about(order, RUN) | {"state": "delivered"}

    assert present(order, entry, {RUN: state})["reason"] == f"its run {RUN} is not over yet"


def test_a_run_that_never_began_is_in_the_log_of_its_row(order):
    assert present(order, {}, {})["reason"] == "it was not started; see the log of its row"


def test_a_shot_that_was_run_again_by_hand_and_delivered_is_delivered(order):
    by_hand = about(order, "manual") | {"state": "delivered"}

    assert present(order, by_hand, {RUN: "failed", "manual": "success"}) == by_hand
    assert present(order, by_hand, {RUN: "failed", "manual": "running"})["state"] == "failed"


def test_an_entry_whose_run_was_deleted_from_airflow_is_what_it_says(order):
    entry = about(order, RUN) | {"state": "delivered"}

    assert present(order, entry, {}) == entry
