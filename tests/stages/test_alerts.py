"""When a night is late, and to whom that is reported."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from airflow.sdk.definitions import deadline
from stages.alerts import late, rendered
from stages.compat import DeadlineReference

from renderjuice_provider.notifications.deadline import log_missed_deadline

SINCE_3_3 = hasattr(deadline, "VariableInterval")


def test_a_night_is_late_nine_hours_after_it_began():
    alert = late()
    assert alert.interval == timedelta(hours=9)
    began = DeadlineReference.DAGRUN_LOGICAL_DATE if SINCE_3_3 else DeadlineReference.DAGRUN_QUEUED_AT
    assert type(alert.reference) is type(began)


def test_without_hours_there_is_no_alert():
    assert late(0) is None


@pytest.mark.parametrize(
    ("connection", "callback"),
    [("", "deadline.log_missed_deadline"), ("chat", "renderjuice.RenderjuiceNotifier")],
)
def test_the_callback_is_where_the_triggerer_finds_it(connection, callback):
    assert late(9, connection).callback.path == f"renderjuice_provider.notifications.{callback}"


@pytest.mark.parametrize(
    ("arguments", "callbacks"),
    [
        ({"connection": ""}, set()),
        ({"connection": "chat"}, {"on_success_callback", "on_failure_callback"}),
        ({"connection": "chat", "failed_only": True}, {"on_failure_callback"}),
    ],
)
def test_a_render_is_reported_to_a_chat_where_there_is_one(arguments, callbacks):
    found = rendered(**arguments)
    assert set(found) == callbacks
    assert {notifier.http_conn_id for notifier in found.values()} == ({"chat"} if callbacks else set())


async def test_a_late_run_is_logged_by_its_id(caplog):
    context = {"dag_run": {"dag_id": "renderjuice_nightly", "dag_run_id": "r1"}, "deadline": {"deadline_time": "07:00"}}
    with caplog.at_level(logging.WARNING):
        await log_missed_deadline(context=context)
    assert caplog.messages == ["Run r1 of renderjuice_nightly has missed its deadline (07:00)"]


async def test_a_late_run_of_which_nothing_is_known_is_logged_all_the_same(caplog):
    with caplog.at_level(logging.WARNING):
        await log_missed_deadline()
    assert caplog.messages == ["Run ? of ? has missed its deadline (?)"]
