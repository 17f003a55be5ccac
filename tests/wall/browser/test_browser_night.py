"""Twelve shots that Blender renders, while somebody watches the wall."""

from __future__ import annotations

import re

import pytest

from tests.support.until import until
from tests.support.wall_page import WallPage
from tests.support.wall_studio import FRAMES, Studio, twelve_shots

pytestmark = [pytest.mark.airflow, pytest.mark.blender, pytest.mark.slow]

MINUTES = 60


@pytest.fixture(scope="module")
def shots(house: Studio) -> list[str]:
    """The names of twelve shots that have just been started."""
    return twelve_shots(house)


def a_shot_of(scene: str, shots: list[str]) -> str:
    return next(shot for shot in shots if shot.endswith(scene))


def test_a_bar_moves_and_a_picture_appears_while_somebody_watches(
    house: Studio, shots: list[str], wall: WallPage
) -> None:
    wall.open()
    until(lambda: wall.rows.count() >= len(shots), 10 * MINUTES, "a row for each shot")
    shot = until(
        lambda: next((shot for shot in shots if 0 < wall.frames_done(shot) < FRAMES), None),
        10 * MINUTES,
        "a shot that is rendered in part",
    )
    before = wall.frames_done(shot)
    until(lambda: wall.frames_done(shot) > before, 5 * MINUTES, "a bar that moves")
    until(wall.pictures, 5 * MINUTES, "a picture")
    wall.take("wall-rendering")


def test_a_row_opens_while_its_shot_renders_and_its_contact_sheet_fills(shots: list[str], wall: WallPage) -> None:
    wall.open()
    shot = until(
        lambda: next((shot for shot in shots if wall.state(shot) == "rendering"), None), 5 * MINUTES, "a render"
    )
    wall.expand(shot)
    until(lambda: wall.frames(shot).count() >= FRAMES // 2, 10 * MINUTES, "half of the frames")


def test_the_reason_of_a_failure_is_on_the_wall_and_its_log_two_clicks_away(shots: list[str], wall: WallPage) -> None:
    wall.open()
    ice = a_shot_of("ice", shots)
    until(lambda: wall.state(ice) == "failed", 15 * MINUTES, "the shot that cannot be rendered")
    row = wall.row(ice)
    assert "RENDER_ERROR" in row.inner_text()
    wall.take("wall-failed")
    row.get_by_role("link", name="Log").click()
    wall.page.wait_for_url(re.compile(r"/tasks/render"))
    wall.page.get_by_text("RENDER_ERROR").first.wait_for()
    wall.page.go_back()
    wall.app.wait_for()


def test_a_shot_that_was_rejected_has_its_reason_in_one_line(shots: list[str], wall: WallPage) -> None:
    wall.open()
    citrus = a_shot_of("citrus", shots)
    until(lambda: wall.state(citrus) == "rejected", 15 * MINUTES, "the shot without a camera")
    assert "camera" in wall.row(citrus).inner_text()


def test_at_the_end_of_the_night_all_is_accounted_for(house: Studio, shots: list[str], wall: WallPage) -> None:
    wall.open()
    good = [shot for shot in shots if shot.endswith(("juice", "cube"))]
    until(lambda: all(wall.state(shot) == "delivered" for shot in good), 20 * MINUTES, "ten deliveries")
    assert {wall.frames_done(shot) for shot in good} == {FRAMES}
    assert wall.pictures() >= len(good)
    for state, count in (("delivered", len(good)), ("failed", 1), ("rejected", 1)):
        assert str(count) in wall.chip(state).inner_text()
    assert "€" in wall.app.inner_text() or "EUR" in wall.app.inner_text()
    wall.take("wall")
    wall.expand(good[0])
    until(lambda: wall.frames(good[0]).count() == FRAMES, MINUTES, "the contact sheet")
    wall.take("wall-row")
    assert house.farm.ledger.jobs_left_running() == []
