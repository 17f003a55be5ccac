"""A night with a ceiling on the wall: what waits, what is held, and what it may cost."""

from __future__ import annotations

from dataclasses import replace

from renderjuice_provider.wall._left import with_xcoms
from renderjuice_provider.wall.facts import Rate, RowFacts, TaskFacts
from renderjuice_provider.wall.rows import make_night, make_row
from renderjuice_provider.xcom_keys import QUOTE, REASON
from tests.wall.facts import CONN, JOB, NOW, OTHER_JOB, ago, job, look, row, task

FRAMES = "RenderjuiceRenderFramesOperator"
FOLDER = {"destination": "/work/juice/base"}
SHARE = {
    QUOTE: {"likely": 3600.0, "least": 1800.0, "most": 5400.0, "source": "probe", "share": None, "ceiling": 7200.0}
}


def said(state: str, reason: str) -> dict[str, dict[str, str]]:
    return {REASON: {"state": state, "reason": reason, "next_step": ""}}


def shot(share: TaskFacts, render: TaskFacts, run_state: str = "running") -> RowFacts:
    probe = task("probe", "success", 0, operator=FRAMES, job_id=JOB, fields=FOLDER, label="base", started=ago(20))
    begun = [
        task("upload", map_index=0),
        task("create", map_index=0, job_id=JOB),
        task("validate", map_index=0, job_id=JOB),
    ]
    later = "skipped" if render.state == "skipped" else None
    return row(
        *begun,
        task("decide"),
        probe,
        share,
        render,
        task("composite", later),
        task("deliver", later),
        run_state=run_state,
    )


def test_a_shot_that_waits_for_its_share_says_what_it_needs_and_what_is_left() -> None:
    share = with_xcoms(task("share", "deferred"), said("waiting", "waits for its share: needs 54 s, 8 s are left"), ())
    found = make_row(shot(share, task("render", None, -1, operator=FRAMES)), look(job("completed")), NOW)

    assert (found.state, found.reason) == ("waiting", "It waits for its share: needs 54 s, 8 s are left.")


def test_a_shot_that_is_held_is_not_shown_as_rendered() -> None:
    share = with_xcoms(task("share", "success"), said("held", "the ceiling had no share for it."), ())
    facts = shot(share, task("render", "skipped", -1, operator=FRAMES), run_state="success")
    found = make_row(facts, look(job("completed")), NOW)

    assert (found.state, found.reason) == ("skipped", "Held: the ceiling had no share for it.")


def test_a_probe_and_its_render_are_one_layer() -> None:
    render = task(
        "render", "deferred", 0, operator=FRAMES, job_id=OTHER_JOB, fields=FOLDER, label="base", started=ago(5)
    )
    jobs = job("completed", frames_done=3, frames_total=3), job("rendering", OTHER_JOB, frames_done=2, frames_total=9)
    found = make_row(shot(task("share"), render), look(*jobs), NOW)

    assert [(layer.name, layer.job_id) for layer in found.layers] == [("base", OTHER_JOB)]
    assert found.frames is not None
    assert (found.frames.done, found.frames.total) == (2, 9)


def test_what_a_shot_and_the_night_will_and_may_cost_is_shown_by_the_rate_too() -> None:
    share = with_xcoms(task("share"), SHARE, ())
    first = shot(share, task("render", None, -1, operator=FRAMES))
    night = make_night([first, replace(first, id="another")], look(rates={CONN: Rate(2.0, "EUR")}), NOW)

    total, shown = night.total, night.rows[0]
    assert total.quote is not None
    assert total.ceiling is not None
    assert total.quote.money is not None
    assert (total.quote.normalized_seconds, total.quote.money.amount) == (7200.0, 4.0)
    assert total.ceiling.normalized_seconds == 7200.0
    assert shown.quote is not None
    assert (shown.quote.normalized_seconds, shown.share) == (3600.0, None)


def test_without_a_rate_the_ceiling_is_shown_in_normalized_seconds() -> None:
    share = with_xcoms(task("share"), {QUOTE: {**SHARE[QUOTE], "share": 5400.0}}, ())
    night = make_night([shot(share, task("render", None, -1, operator=FRAMES))], look(), NOW)

    assert night.total.ceiling is not None
    assert (night.total.ceiling.normalized_seconds, night.total.ceiling.money) == (7200.0, None)
    assert night.rows[0].share is not None
    assert night.rows[0].share.normalized_seconds == 5400.0


def test_a_night_without_a_ceiling_shows_none() -> None:
    night = make_night([shot(task("share"), task("render", None, -1, operator=FRAMES))], look(), NOW)

    assert (night.total.quote, night.total.ceiling, night.rows[0].quote) == (None, None, None)
