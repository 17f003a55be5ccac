"""What somebody does to renders from the wall, and what it does to the bill."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext

from tests.support.until import until
from tests.support.wall_page import WallPage
from tests.support.wall_studio import FOR_EVER, SHOT, Studio

Tab = Callable[[BrowserContext], WallPage]
pytestmark = [pytest.mark.airflow, pytest.mark.slow]


def wait_for_render(house: Studio, scene: str) -> str:
    """The job of a scene, once it renders."""
    name = f"{scene}.blend"
    ledger = house.farm.ledger
    until(lambda: ledger.renders_started(file_name=name) == 1, 180, f"a render of {name}")
    return house.job_of(name)


def test_stop_asks_what_it_costs_and_cancels_the_job_once(house: Studio, wall: WallPage) -> None:
    house.render(house.scene("endless", frame_end=24, seconds_per_frame=FOR_EVER))
    job = wait_for_render(house, "endless")
    wall.open("?state=rendering")
    wall.wait_for_state("endless", "rendering")
    wall.select("endless")
    question = wall.ask_for("Stop")
    assert "endless" in question.inner_text()
    assert "billed" in question.inner_text()
    wall.take("wall-stop")
    assert house.farm.ledger.count("cancel_job", job_id=job) == 0
    wall.confirm(question)
    wall.open()
    wall.wait_for_state("endless", "stopped")
    ledger = house.farm.ledger
    until(lambda: job not in ledger.jobs_left_running(), 60, "the end of the job")
    assert ledger.count("cancel_job", job_id=job) == 1
    assert ledger.renders_started(file_name="endless.blend") == 1


def test_a_question_that_is_answered_with_no_changes_nothing(house: Studio, wall: WallPage) -> None:
    house.render(house.scene("spared", frame_end=24, seconds_per_frame=FOR_EVER))
    job = wait_for_render(house, "spared")
    wall.open()
    wall.wait_for_state("spared", "rendering")
    wall.select("spared")
    question = wall.ask_for("Stop")
    wall.page.keyboard.press("Escape")
    question.wait_for(state="hidden")
    assert house.farm.ledger.count("cancel_job", job_id=job) == 0
    assert job in house.farm.ledger.jobs_left_running()


def test_what_is_missing_is_rendered_and_nothing_that_is_there(house: Studio, wall: WallPage) -> None:
    """Three rounds lose their worker half way; then somebody presses the button."""
    name = "lossy.blend"  # a shot that is just a file is called after it
    scene = house.scene("lossy", frame_end=12, seconds_per_frame=2)
    house.farm.switches.mishaps = "fail=100% seed=3"
    try:
        house.airflow.trigger(SHOT, {"file": scene})
        wall.open()
        until(lambda: wall.state(name) == "failed", 300, "the failure of all rounds")
    finally:
        house.farm.switches.mishaps = ""
    ledger = house.farm.ledger
    before = ledger.renders_started(file_name=name)
    there = wall.frames_done(name)
    assert 0 < there < 12
    wall.select(name)
    question = wall.ask_for("Render what is missing")
    assert f"{12 - there}" in question.inner_text()
    wall.confirm(question)
    wall.wait_for_state(name, "delivered")
    assert ledger.renders_started(file_name=name) == before + 1
    assert ledger.accounts[house.job_of(name)].frames_rendered == 12 - there
    assert wall.frames_done(name) == 12


def test_two_people_who_press_stop_at_once_cancel_once(
    house: Studio, wall: WallPage, admin: BrowserContext, wall_of: Tab
) -> None:
    house.render(house.scene("twice", frame_end=24, seconds_per_frame=FOR_EVER))
    job = wait_for_render(house, "twice")
    other = wall_of(admin)
    questions = []
    for each in (wall, other):
        each.open()
        each.wait_for_state("twice", "rendering")
        each.select("twice")
        questions.append((each, each.ask_for("Stop")))
    for each, question in questions:
        question.locator("button[type=submit]").click()
        each.page.wait_for_timeout(50)
    until(lambda: job not in house.farm.ledger.jobs_left_running(), 60, "the end of the job")
    wall.problems = [problem for problem in wall.problems if not problem.startswith("409")]
    assert house.farm.ledger.count("cancel_job", job_id=job) == 1
    other.page.close()


def test_all_that_failed_are_rendered_again_at_one_press(house: Studio, wall: WallPage) -> None:
    names = ("bad_a", "bad_b", "bad_c")
    scenes = [house.scene(name, frame_end=4, seconds_per_frame=1) for name in names]
    house.farm.switches.mishaps = "fail=100% seed=5"
    try:
        house.render(*scenes)
        wall.open("?state=failed")
        for name in names:
            wall.wait_for_state(name, "failed")
    finally:
        house.farm.switches.mishaps = ""
    wall.select(*names)
    question = wall.ask_for("Render again")
    assert "3" in question.inner_text()
    wall.confirm(question)
    wall.open()
    for name in names:
        wall.wait_for_state(name, "rendered")
    for name in names:
        assert house.farm.ledger.renders_started(file_name=f"{name}.blend") == 2
