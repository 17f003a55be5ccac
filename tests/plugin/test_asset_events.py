"""From a pending job to one asset event, on a real database, with the emulator as the farm."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.assets.manager import asset_manager
from airflow.models import import_all_models
from airflow.models.asset import (
    AssetActive,
    AssetDagRunQueue,
    AssetEvent,
    AssetModel,
    DagScheduleAssetReference,
)
from airflow.models.base import Base
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.variable import Variable
from sqlalchemy import Engine, delete, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import sessionmaker

from renderjuice_emulator.testing import Emulator
from renderjuice_provider.api.client import RenderjuiceClient
from renderjuice_provider.api.models import Job
from renderjuice_provider.assets import notes_with_shot
from renderjuice_provider.lifecycle.completion import asset_key
from renderjuice_provider.lifecycle.inbox import MOST_EVENTS, Pending
from renderjuice_provider.plugin import _asset_events
from renderjuice_provider.plugin._asset_events import AssetEvents, finish, pending_jobs
from renderjuice_provider.plugin._inbox_variable import note_events
from tests.plugin.conftest import COMPLETE, CONNECTION, in_threads, inbox, new_job
from tests.support.both_clients import CONFIG, Blocking, completed, validated
from tests.support.until import until

DAG_ID = "after_render"
MODELS = (AssetDagRunQueue, AssetEvent, DagScheduleAssetReference, AssetActive, AssetModel, DagModel, DagBundleModel)


@pytest.fixture
def farm(renderjuice_emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """An emulator that the connection leads to."""
    text = {
        "conn_type": "renderjuice",
        "host": renderjuice_emulator.base_url,
        "password": renderjuice_emulator.api_key,
        "extra": {"webhook_secret": "whsec"},
    }
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", json.dumps(text))
    return renderjuice_emulator


@pytest.fixture
def client(farm: Emulator) -> Iterator[Blocking]:
    client = Blocking(farm.api_key, farm.base_url)
    yield client
    client.close()


@pytest.fixture
def airflow(database: Engine) -> Engine:
    """A database with all tables, and no DAG."""
    import_all_models()
    Base.metadata.create_all(database)
    with sessionmaker(bind=database).begin() as session:
        for model in MODELS:
            session.execute(delete(model))
    return database


@pytest.fixture
def scheduled(airflow: Engine) -> Engine:
    """A database with one DAG that is scheduled by completed renders."""
    name, uri = asset_key(CONNECTION)
    with sessionmaker(bind=airflow).begin() as session:
        asset = AssetModel(name=name, uri=uri)
        session.add_all([asset, DagBundleModel(name="dags-folder")])
        session.flush()
        session.add(AssetActive(name=name, uri=uri))
        session.add(DagModel(dag_id=DAG_ID, bundle_name="dags-folder", is_paused=False, fileloc="after_render.py"))
        session.flush()
        session.add(DagScheduleAssetReference(asset_id=asset.id, dag_id=DAG_ID))
    return airflow


def events(engine: Engine) -> list[dict[str, Any]]:
    """The `extra` of each asset event, oldest first."""
    with sessionmaker(bind=engine)() as session:
        return list(session.scalars(select(AssetEvent.extra).order_by(AssetEvent.id)))


def queued(engine: Engine) -> list[str]:
    with sessionmaker(bind=engine)() as session:
        return list(session.scalars(select(AssetDagRunQueue.target_dag_id)))


def note(*job_ids: str) -> None:
    note_events(CONNECTION, [(job_id, COMPLETE) for job_id in job_ids])


def work(announcer: AssetEvents) -> None:
    """What its thread does once, to the end of what that begins."""
    announcer.noted(CONNECTION)
    announcer._begin_work()
    for worker in announcer._workers.values():
        worker.join()


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the clock of the tries."""
    moved, real = [0.0], time.monotonic

    def move(seconds: float) -> None:
        moved[0] += seconds

    monkeypatch.setattr(time, "monotonic", lambda: real() + moved[0])
    return move


def test_a_completed_render_gets_one_asset_event_and_starts_its_dag(
    scheduled: Engine, client: Blocking, tmp_path: Path
) -> None:
    job = completed(client, tmp_path, CONFIG | {"notes": notes_with_shot("juice")})
    note(job.id)
    announcer = AssetEvents()

    for _ in range(3):
        work(announcer)

    assert events(scheduled) == [
        {
            "job_id": job.id,
            "shot": "juice",
            "scene": "shot.blend",
            "normalized_seconds": client.get_job(job.id).normalized_seconds,
            "event": COMPLETE,
        }
    ]
    assert queued(scheduled) == [DAG_ID]
    assert inbox(scheduled).pending == ()
    assert inbox(scheduled).count == 1, "what has arrived stays noted"


def test_many_at_once_get_one_asset_event_each(scheduled: Engine, client: Blocking, tmp_path: Path) -> None:
    jobs = [completed(client, tmp_path).id for _ in range(_asset_events.AT_ONCE + 5)]
    note(*jobs)
    work(AssetEvents())
    assert [event["job_id"] for event in events(scheduled)] == jobs


@pytest.mark.skipif(hasattr(AssetDagRunQueue, "asset_event_id"), reason="each event has a place in the queue")
def test_the_next_run_of_a_dag_gets_all_events_and_leaves_none_for_a_later_one(
    scheduled: Engine, client: Blocking, tmp_path: Path
) -> None:
    """A run gets the events up to the time at which its DAG took its place in the queue."""
    for _ in range(2):
        note(*[completed(client, tmp_path).id for _ in range(3)])
        work(AssetEvents())
        with sessionmaker(bind=scheduled)() as session:
            (place,) = session.scalars(select(AssetDagRunQueue.created_at))
            times = list(session.scalars(select(AssetEvent.timestamp)))
        assert max(times) <= place
    assert len(times) == 6


def test_several_api_servers_make_each_asset_event_once(scheduled: Engine, client: Blocking, tmp_path: Path) -> None:
    jobs = [completed(client, tmp_path).id for _ in range(6)]
    note(*jobs)

    in_threads(4, lambda _: work(AssetEvents()))

    assert sorted(event["job_id"] for event in events(scheduled)) == sorted(jobs)
    assert inbox(scheduled).pending == ()


def test_events_are_noted_while_asset_events_are_made_and_none_is_lost(
    scheduled: Engine, client: Blocking, tmp_path: Path
) -> None:
    jobs = [completed(client, tmp_path).id for _ in range(12)]
    announcer = AssetEvents()

    def either(number: int) -> None:
        for job_id in jobs[number::3]:
            note(job_id)

    def both(number: int) -> None:
        either(number) if number < 3 else work(announcer)

    in_threads(4, both)

    def all_made() -> bool:
        work(announcer)
        return not pending_jobs()

    until(all_made, what="all of them")

    assert sorted(event["job_id"] for event in events(scheduled)) == sorted(jobs)


def test_where_no_dag_wants_it_nothing_is_asked_and_nothing_stays(airflow: Engine, farm: Emulator) -> None:
    note(new_job(), new_job())
    assert inbox(airflow).pending == ()
    work(AssetEvents())
    assert (farm.ledger.count("get_job"), events(airflow), inbox(airflow).pending) == (0, [], ())


def test_an_asset_that_no_dag_uses_any_more_is_as_none(scheduled: Engine, farm: Emulator) -> None:
    note(new_job())
    with sessionmaker(bind=scheduled).begin() as session:
        session.execute(delete(AssetActive))
    note(new_job())
    assert len(inbox(scheduled).pending) == 1
    work(AssetEvents())
    assert (farm.ledger.count("get_job"), events(scheduled), inbox(scheduled).pending) == (0, [], ())


def test_a_dag_that_comes_later_gets_the_events_from_then_on(
    scheduled: Engine, client: Blocking, tmp_path: Path
) -> None:
    before, after = (completed(client, tmp_path).id for _ in range(2))
    name, uri = asset_key(CONNECTION)
    with sessionmaker(bind=scheduled).begin() as session:
        session.execute(delete(AssetActive))
    note(before)
    with sessionmaker(bind=scheduled).begin() as session:
        session.add(AssetActive(name=name, uri=uri))
    note(after)
    work(AssetEvents())
    assert [event["job_id"] for event in events(scheduled)] == [after]


def test_a_job_of_another_workspace_makes_no_event_and_leaves_after_some_tries(
    scheduled: Engine, farm: Emulator, now: Callable[[float], None]
) -> None:
    note(new_job())
    announcer, rounds = AssetEvents(), 0
    while inbox(scheduled).pending:
        work(announcer)
        now(60)
        rounds += 1
        assert rounds < 20
    assert (events(scheduled), rounds) == ([], farm.ledger.count("get_job"))


def test_an_event_that_came_before_its_job_was_completed_is_not_lost(
    scheduled: Engine, client: Blocking, tmp_path: Path, now: Callable[[float], None]
) -> None:
    job = validated(client, tmp_path)
    note(job.id)
    announcer = AssetEvents()
    work(announcer)
    assert events(scheduled) == []

    client.start_render(job.id, CONFIG)
    until(lambda: client.get_job(job.id).is_over, what="the render")
    now(10)
    work(announcer)

    assert [event["job_id"] for event in events(scheduled)] == [job.id]


def test_a_forged_completion_of_a_job_that_failed_makes_no_event(
    scheduled: Engine, client: Blocking, tmp_path: Path
) -> None:
    job = validated(client, tmp_path)
    client.cancel_job(job.id)
    note(job.id)
    work(AssetEvents())
    assert (events(scheduled), inbox(scheduled).pending) == ([], ())


@pytest.mark.parametrize("fault", ["503", "401", "reset-before"])
def test_what_cannot_be_read_waits(
    scheduled: Engine, farm: Emulator, client: Blocking, tmp_path: Path, now: Callable[[float], None], fault: str
) -> None:
    job, announcer = completed(client, tmp_path), AssetEvents()
    note(job.id)
    for _ in range(8):
        farm.faults.add("get_job", fault)
    for _ in range(8):
        work(announcer)
        assert [pending.job_id for pending in inbox(scheduled).pending] == [job.id]
        now(60)
    work(announcer)
    assert [event["job_id"] for event in events(scheduled)] == [job.id]
    assert farm.faults.left() == {}


def test_a_connection_that_is_gone_leaves_its_jobs_pending(
    scheduled: Engine, farm: Emulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    note(new_job())
    monkeypatch.delenv(f"AIRFLOW_CONN_{CONNECTION.upper()}")
    work(AssetEvents())
    assert len(inbox(scheduled).pending) == 1
    assert "wait for their asset events" in caplog.text


@pytest.mark.parametrize("trouble", ["no connection", "no database"])
def test_what_lasts_for_days_is_tried_and_logged_ever_more_rarely(
    scheduled: Engine,
    farm: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    now: Callable[[float], None],
    trouble: str,
) -> None:
    note(new_job())
    if trouble == "no connection":
        monkeypatch.delenv(f"AIRFLOW_CONN_{CONNECTION.upper()}")
    else:
        monkeypatch.setattr(_asset_events, "is_wanted", no_database)
    announcer = AssetEvents()
    for _ in range(300):  # ten minutes
        work(announcer)
        now(2)
    lines = [record.getMessage() for record in caplog.records if "wait for their asset events" in record.getMessage()]
    assert 10 <= len(lines) <= 16
    assert not any(record.exc_info for record in caplog.records if record.levelname != "DEBUG")


def no_database(*_: Any) -> Any:
    raise OperationalError("SELECT 1", {}, ConnectionError("the database is down"))


def test_an_event_that_airflow_does_not_take_keeps_no_other_waiting(
    scheduled: Engine, client: Blocking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: Callable[[float], None]
) -> None:
    first, poison, last = (completed(client, tmp_path).id for _ in range(3))
    note(first, poison, last)
    register = asset_manager.register_asset_change

    def refuses(*, extra: Any, **arguments: Any) -> Any:
        if extra["job_id"] == poison:
            raise ValueError("what is in it cannot be stored")
        return register(extra=extra, **arguments)

    announcer = AssetEvents()
    with monkeypatch.context() as patch:
        patch.setattr(asset_manager, "register_asset_change", refuses)
        for _ in range(10):
            work(announcer)
            now(60)
        note(later := completed(client, tmp_path).id)
        work(announcer)
    assert [event["job_id"] for event in events(scheduled)] == [first, last, later]
    assert [job.job_id for job in inbox(scheduled).pending] == [poison]
    now(60)
    work(announcer)
    assert [event["job_id"] for event in events(scheduled)] == [first, last, later, poison]


@pytest.mark.parametrize("forgotten", ["deleted", "500 others"])
def test_an_event_that_comes_again_when_the_inbox_has_forgotten_it_makes_no_second_one(
    scheduled: Engine, client: Blocking, tmp_path: Path, forgotten: str
) -> None:
    job, another = completed(client, tmp_path), completed(client, tmp_path)
    note(job.id)
    work(AssetEvents())
    if forgotten == "deleted":
        with sessionmaker(bind=scheduled).begin() as session:
            session.execute(delete(Variable))
    else:
        note_events(CONNECTION, [(new_job(), "onSomethingElse") for _ in range(MOST_EVENTS)])
    note(job.id, another.id)
    assert [pending.job_id for pending in inbox(scheduled).pending] == [job.id, another.id]
    work(AssetEvents())
    assert [event["job_id"] for event in events(scheduled)] == [job.id, another.id]
    assert inbox(scheduled).pending == ()


def test_an_event_that_the_database_does_not_take_stays_pending_as_a_whole(
    scheduled: Engine,
    client: Blocking,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    now: Callable[[float], None],
) -> None:
    jobs, announcer = [completed(client, tmp_path).id for _ in range(3)], AssetEvents()
    note(*jobs)
    register, calls = asset_manager.register_asset_change, []

    def dies(**arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 2:
            no_database()
        return register(**arguments)

    with monkeypatch.context() as patch:
        patch.setattr(asset_manager, "register_asset_change", dies)
        work(announcer)
    assert (events(scheduled), len(inbox(scheduled).pending)) == ([], 3)

    now(60)
    work(announcer)
    assert [event["job_id"] for event in events(scheduled)] == jobs


def test_a_job_that_another_process_has_announced_is_not_announced_again(scheduled: Engine) -> None:
    job_id = new_job()
    note(job_id)
    (pending,) = pending_jobs()[CONNECTION]
    job = Job(id=job_id, status="completed")
    assert [finish(CONNECTION, {pending: job})[0] for _ in range(2)] == [1, 0]
    assert finish(CONNECTION, {Pending(pending.number, new_job()): job})[0] == 0, "numbers begin again after a deletion"
    assert len(events(scheduled)) == 1


def test_what_this_process_has_noted_is_announced_at_once(
    scheduled: Engine, client: Blocking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_asset_events, "INTERVAL", 600.0)
    announcer = AssetEvents()
    announcer.start()
    try:
        job = completed(client, tmp_path)
        note(job.id)
        announcer.noted(CONNECTION)
        until(lambda: events(scheduled), what="the asset event")
    finally:
        announcer.stop()
    assert [event["job_id"] for event in events(scheduled)] == [job.id]
    until(lambda: "renderjuice-asset-events" not in [thread.name for thread in threading.enumerate()], what="its end")


def test_what_a_process_that_died_has_noted_is_announced_by_another(
    scheduled: Engine, client: Blocking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_asset_events, "INTERVAL", 0.05)
    monkeypatch.setattr(_asset_events, "SOON", 0.05)
    job = completed(client, tmp_path)
    note(job.id)
    announcer = AssetEvents()
    announcer.start()
    try:
        until(lambda: events(scheduled), what="the asset event")
    finally:
        announcer.stop()
    assert [event["job_id"] for event in events(scheduled)] == [job.id]


def test_no_key_and_no_url_is_in_an_asset_event_or_the_log(
    scheduled: Engine, farm: Emulator, client: Blocking, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG", logger="renderjuice_provider"):
        job = completed(client, tmp_path)
        note(job.id)
        work(AssetEvents())
    shown = json.dumps(events(scheduled)) + "".join(
        record.getMessage() for record in caplog.records if record.name.startswith("renderjuice_provider")
    )
    assert job.id in shown
    assert [secret for secret in ("://", farm.api_key, "whsec") if secret in shown] == []


def test_the_client_of_a_worker_is_closed_and_impatient(
    scheduled: Engine, farm: Emulator, client: Blocking, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[float, bool]] = []

    class Watched(RenderjuiceClient):
        def close(self) -> None:
            made.append((self._wire_settings.timeout, True))
            super().close()

    monkeypatch.setattr(_asset_events, "RenderjuiceClient", Watched)
    note(completed(client, tmp_path).id)
    work(AssetEvents())
    assert made == [(_asset_events.PATIENCE, True)]
