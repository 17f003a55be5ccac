"""What a delivery announces, and what the DAGs after it get."""

from __future__ import annotations

from types import SimpleNamespace

import airflow.sdk
import pytest
from stages.assets import DELIVERED, PUBLISHED, announce, each_delivered_shot, if_published, newest
from stages.compat import CronTriggerTimetable

DELIVERY = {
    "shot": "juice",
    "version": "0123456789abcdef",
    "frames": 24,
    "movie": "/out/shots/juice/0123456789abcdef/juice.mp4",
    "new": True,
    "fingerprint": "?",
}
KEYS = hasattr(airflow.sdk, "PartitionedAtRuntime")


@pytest.fixture
def context():
    from airflow.sdk.execution_time.context import OutletEventAccessors

    return {
        "task": SimpleNamespace(outlets=[DELIVERED]),
        "ti": SimpleNamespace(try_number=1),
        "outlet_events": OutletEventAccessors(),
    }


def test_a_delivery_is_announced_with_its_version_and_movie(context):
    announce(DELIVERY, "/out", context)

    event = context["outlet_events"][DELIVERED]
    assert event.extra == {
        "shot": "juice",
        "version": "0123456789abcdef",
        "frames": 24,
        "movie": "/out/shots/juice/0123456789abcdef/juice.mp4",
        "destination": "/out",
    }
    assert context["task"].outlets == [DELIVERED]


@pytest.mark.skipif(not KEYS, reason="in this Airflow an event has no key of its own")
def test_the_key_of_the_event_is_the_shot(context):
    announce(DELIVERY, "/out", context)
    assert context["outlet_events"][DELIVERED].partition_keys == {"juice"}


def test_what_was_delivered_before_is_not_announced(context):
    announce(DELIVERY | {"new": False}, "/out", context)
    assert context["task"].outlets == []


def test_what_a_try_has_delivered_before_it_died_is_announced_by_the_next(context):
    context["ti"].try_number = 2
    announce(DELIVERY | {"new": False}, "/out", context)
    assert context["task"].outlets == [DELIVERED]
    assert context["outlet_events"][DELIVERED].extra["shot"] == "juice"


def test_no_key_of_a_signed_url_is_announced(context):
    announce(DELIVERY | {"movie": "https://store/juice.mp4?X-Signature=secret"}, "/out", context)
    assert "secret" not in str(context["outlet_events"][DELIVERED].extra)


def test_of_several_events_of_a_shot_the_newest_counts():
    def event(at, shot, version):
        return SimpleNamespace(
            timestamp=at, extra={"shot": shot, "version": version, "movie": "m", "destination": "/out"}
        )

    found = newest([event(3, "juice", "new"), event(1, "juice", "old"), event(2, "still", "only")])
    assert {shot: extra["version"] for shot, extra in found.items()} == {"juice": "new", "still": "only"}


@pytest.mark.parametrize("extra", [{}, None, {"shot": "juice"}, {"shot": ["juice"], "version": "v"}])
def test_an_event_that_somebody_else_has_made_is_no_delivery(extra):
    assert newest([SimpleNamespace(timestamp=1, extra=extra)]) == {}


def test_a_dag_after_the_delivery_is_scheduled_by_shot_where_airflow_can():
    schedule = each_delivered_shot()
    assert schedule == (airflow.sdk.PartitionedAssetTimetable(assets=DELIVERED) if KEYS else [DELIVERED])


def test_a_night_depends_on_what_was_published_where_airflow_can():
    timetable = CronTriggerTimetable("0 22 * * *", timezone="UTC")
    found = if_published(timetable)
    if hasattr(airflow.sdk, "AssetAndTimeSchedule"):
        assert found.timetable is timetable
        assert list(found.asset_condition.objects) == [PUBLISHED]
    else:
        assert found is timetable
