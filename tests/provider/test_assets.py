"""Completed renders as an asset, and what a DAG finds in the events that started it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.sdk import Asset, AssetWatcher

from renderjuice_provider.assets import completed_renders, renders_of_events
from renderjuice_provider.triggers.renderjuice import RenderjuiceCompletedTrigger

ONE, OTHER = "9f1c7a52-5d0b-4f0e-9d6e-0c4a7f3b2a10", "00000000-0000-4000-8000-000000000000"


def event(extra, at=0):
    return SimpleNamespace(extra=extra, timestamp=at)


def render(job_id=ONE, **fields):
    known = {"job_id": job_id, "shot": None, "scene": None, "normalized_seconds": None, "event": "onRenderComplete"}
    return known | fields


def test_the_asset_of_a_connection_is_the_same_wherever_it_is_named():
    assert completed_renders() == Asset(
        name="renderjuice_completed_renderjuice_default", uri="renderjuice://renderjuice_default/completed"
    )
    assert completed_renders("studio_b").uri == "renderjuice://studio_b/completed"


def test_an_asset_with_a_watcher_is_the_same_asset():
    watcher = AssetWatcher(name="renderjuice", trigger=RenderjuiceCompletedTrigger())
    asset = completed_renders(watchers=[watcher])
    assert (asset.name, asset.uri) == (completed_renders().name, completed_renders().uri)
    assert asset.watchers == [watcher]


def test_a_run_of_several_events_has_each_render_once_in_their_order():
    events = {
        "asset": [event(render(OTHER), at=2), event(render(ONE, shot="juice"), at=1), event(render(OTHER), at=3)],
        "another": [event(render(ONE, shot="juice"), at=4)],
    }
    assert list(renders_of_events(events)) == [ONE, OTHER]
    assert renders_of_events(events)[ONE] == render(ONE, shot="juice")


def test_what_a_watcher_says_is_the_same_as_what_a_webhook_says():
    said = render(ONE, scene="juice.blend", normalized_seconds=3)
    by_watcher = event({"from_trigger": True, "payload": said})
    assert renders_of_events({"asset": [by_watcher]}) == renders_of_events({"asset": [event(said)]}) == {ONE: said}


@pytest.mark.parametrize(
    "extra", [None, {}, [], "x", {"job_id": "../../x"}, {"job_id": 7}, {"payload": {"job_id": None}}, {"payload": "x"}]
)
def test_an_event_that_somebody_made_by_hand_is_left_out_if_it_is_about_no_job(extra):
    assert renders_of_events({"asset": [event(extra), event(render())]}) == {ONE: render()}


def test_fields_that_are_not_what_they_should_be_are_not_known():
    odd = {"job_id": ONE.upper(), "shot": 7, "scene": [], "normalized_seconds": "3", "event": None}
    assert renders_of_events({"asset": [event(odd)]}) == {ONE: render()}


def test_a_run_that_was_started_by_hand_has_none():
    assert renders_of_events({}) == {}
