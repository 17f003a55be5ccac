"""What the reel does with the deliveries that start it, without an Airflow that runs."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from stages.assets import DELIVERED

# Airflow reads .airflowignore with a class that pathspec will rename.
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")

DAGS = Path(__file__).parents[2] / "dags"


@pytest.fixture(scope="module")
def update():
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(DAGS / "renderjuice_reel.py"))
    assert bag.import_errors == {}
    return bag.dags["renderjuice_reel"].get_task("update").python_callable


@pytest.fixture
def event(tmp_path):
    def deliver(shot, version, at=0):
        movie = tmp_path / "shots" / shot / version / f"{shot}.mp4"
        movie.parent.mkdir(parents=True, exist_ok=True)
        movie.write_text(f"{shot} {version}")
        extra = {"shot": shot, "version": version, "frames": 3, "movie": str(movie), "destination": str(tmp_path)}
        return SimpleNamespace(timestamp=at, extra=extra)

    return deliver


def reel(tmp_path):
    return json.loads((tmp_path / "reel" / "reel.json").read_text())


def test_a_run_for_one_shot_leaves_the_others_as_they_are(update, event, tmp_path):
    update(triggering_asset_events={DELIVERED: [event("juice", "v1"), event("still", "v1")]}, run_id="first")
    update(triggering_asset_events={DELIVERED: [event("juice", "v2")]}, run_id="second")

    assert reel(tmp_path) == {
        "juice": {"version": "v2", "frames": 3, "run_id": "second"},
        "still": {"version": "v1", "frames": 3, "run_id": "first"},
    }
    assert {path.name: path.read_text() for path in (tmp_path / "reel").glob("*.mp4")} == {
        "juice.mp4": "juice v2",
        "still.mp4": "still v1",
    }


def test_of_two_deliveries_of_a_shot_in_one_run_the_newest_is_taken(update, event, tmp_path):
    events = [event("juice", "v2", at=2), event("juice", "v1", at=1)]
    assert update(triggering_asset_events={DELIVERED: events}, run_id="first") == {"juice": "v2"}
    assert (tmp_path / "reel" / "juice.mp4").read_text() == "juice v2"


def test_a_delivery_that_is_announced_twice_is_copied_once(update, event, tmp_path):
    for run_id in ("first", "second"):
        update(triggering_asset_events={DELIVERED: [event("juice", "v1")]}, run_id=run_id)
    assert reel(tmp_path)["juice"]["run_id"] == "first"


def test_a_movie_that_is_gone_leaves_the_reel_as_it_was(update, event, tmp_path):
    update(triggering_asset_events={DELIVERED: [event("juice", "v1")]}, run_id="first")
    gone = event("juice", "v2")
    Path(gone.extra["movie"]).unlink()

    with pytest.raises(FileNotFoundError):
        update(triggering_asset_events={DELIVERED: [gone]}, run_id="second")
    assert reel(tmp_path)["juice"]["version"] == "v1"
    assert (tmp_path / "reel" / "juice.mp4").read_text() == "juice v1"
