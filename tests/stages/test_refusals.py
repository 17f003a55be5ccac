from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowFailException
from stages import bulk
from stages.refusals import check_map_length, no_use_to_retry

from renderjuice_provider.api.errors import RenderjuiceInputError

CONFIG = {"colorManagementPreset": "default"}


class Pulled:
    """A task instance to which everything that is asked of XCom is None."""

    def xcom_pull(self, **_):
        return None


def test_more_than_airflow_makes_of_one_task_is_refused_with_limit_and_setting(monkeypatch):
    check_map_length(1024, "scenes", "split them")
    with pytest.raises(
        ValueError, match=r"^1025 scenes .* 1024 .*max_map_length.*AIRFLOW__CORE__MAX_MAP_LENGTH.*split them"
    ):
        check_map_length(1025, "scenes", "split them")

    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "2000")
    check_map_length(2000, "scenes", "split them")


@pytest.mark.parametrize("error", [ValueError("no list."), RenderjuiceInputError("no list.")])
def test_a_refusal_is_not_tried_again_and_says_who_why_and_what_next_in_this_order(error):
    with pytest.raises(AirflowFailException) as refused, no_use_to_retry("ice", "Nothing was spent."):
        raise error
    assert str(refused.value) == "ice: no list. Nothing was spent."

    with pytest.raises(OSError, match="down"), no_use_to_retry():
        raise OSError("down")  # may be up again in a minute


@pytest.mark.parametrize(("scenes", "reported"), [(0, "There are no scenes"), (3, "max_map_length")])
def test_bulk_refuses_none_and_too_many_scenes_once(tmp_path, monkeypatch, scenes, reported):
    monkeypatch.setenv("AIRFLOW__CORE__MAX_MAP_LENGTH", "2")
    for number in range(scenes):
        (tmp_path / f"{number}.blend").touch()

    with pytest.raises(AirflowFailException, match=reported):
        bulk.find_scenes.function(params={"scenes": str(tmp_path), "config": CONFIG})


def test_bulk_refuses_a_configuration_that_cannot_be_right_once(tmp_path):
    (tmp_path / "a.blend").touch()

    with pytest.raises(AirflowFailException, match="colorManagementPreset"):
        bulk.find_scenes.function(params={"scenes": str(tmp_path), "config": {"sampleCount": 1}})


def test_after_a_refusal_bulk_says_that_nothing_was_planned():
    with pytest.raises(AirflowFailException, match="Nothing was planned"):
        bulk.collect.function(None, ti=Pulled(), params={"scenes": "/x", "destination": "/y"})
