"""What the wall knows of Renderjuice: it is asked once for all who watch, whichever the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from airflow.models.connection import Connection
from airflow.models.variable import Variable
from sqlalchemy import Engine, select
from sqlalchemy.orm import sessionmaker

from renderjuice_emulator.testing import Emulator
from renderjuice_provider.wall import _farm_round, _farm_state, _watch
from renderjuice_provider.wall._farm_state import FarmState, variable_of
from renderjuice_provider.wall._farm_variable import edit_farm_state
from renderjuice_provider.wall.facts import Rate
from renderjuice_provider.wall.farm import RenderjuiceFarm
from tests.wall.watching import (  # noqa: F401 - fixtures
    CONN,
    KEY,
    Connect,
    asked,
    connect,
    database,
    emulator,
    engine,
    farm,
    looked,
    new_farm,
    soon,
    start,
)

# ruff: noqa: F811 - these are fixtures


async def test_a_render_is_seen_from_its_place_in_the_queue_to_its_end(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path
) -> None:
    (job_id,) = start(emulator, tmp_path)
    look = await looked(farm, [job_id], lambda look: look.jobs)
    job = look.jobs[job_id]
    assert (job.status, job.frames_total, job.frames_done, job.picture) == ("booting", 6, 0, None)
    assert job.queue_seconds is not None
    emulator.clock.advance(10)  # seconds of booting
    look = await looked(farm, [job_id], lambda look: look.jobs[job_id].status == "rendering")
    assert look.jobs[job_id].frames_done == 0
    for frames in range(1, 4):
        emulator.clock.advance(10)
        look = await looked(farm, [job_id], lambda look: look.jobs[job_id].frames_done == frames)  # noqa: B023
    job = look.jobs[job_id]
    assert (job.frames_total, job.frames_failed, job.normalized_seconds) == (6, 0, 30.0)
    assert len(job.frame_times) == 3
    assert all(seconds > 0 for seconds in job.frame_times)
    assert job.picture == f"{job_id}.a3"
    assert job.rendering_since is not None
    assert job.last_sign is not None
    assert job.last_sign >= job.rendering_since
    assert job.config is not None
    assert job.config["frameRanges"] == ["1-6"]
    emulator.clock.advance(60)
    look = await looked(farm, [job_id], lambda look: look.jobs[job_id].status == "completed")
    job = look.jobs[job_id]
    assert (job.frames_done, job.normalized_seconds, job.picture) == (6, 60.0, f"{job_id}.last")
    assert job.ended is not None
    (connection,) = look.connections
    assert connection.answers
    assert connection.error is None
    assert connection.age is not None


async def test_a_job_that_is_over_is_read_once(farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path) -> None:
    (job_id,) = start(emulator, tmp_path, fail_at_frame=3)
    emulator.clock.advance(100)
    look = await looked(farm, [job_id], lambda look: look.jobs)
    assert look.jobs[job_id].status == "failed"
    assert look.jobs[job_id].reason == "RENDER_ERROR: frame 3 could not be rendered"
    before = len(emulator.ledger.entries)
    for _ in range(10):
        await looked(farm, [job_id], lambda look: look.jobs)
        await asyncio.sleep(0.02)
    assert len(emulator.ledger.entries) == before


async def test_what_a_job_without_success_has_rendered_is_counted_once(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path
) -> None:
    """Nobody has watched it, and its counters are gone."""
    jobs = start(emulator, tmp_path, 10, fail_at_frame=4)
    emulator.clock.advance(200)
    emulator.faults.add("get_downloads", "503", "404")
    look = await looked(farm, jobs, lambda look: sum(job.frames_done == 3 for job in look.jobs.values()) == 9)
    assert [job.frames_done for job in look.jobs.values()].count(None) == 1  # the 404
    assert {job.frames_total for job in look.jobs.values()} == {6}
    assert asked(emulator).count("get_downloads") == 11


async def test_nobody_watches_nobody_asks(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_watch, "WATCHED", 0.1)
    jobs = start(emulator, tmp_path)
    await looked(farm, jobs, lambda look: look.jobs)
    await asyncio.sleep(0.4)
    before = len(emulator.ledger.entries)
    await asyncio.sleep(0.4)
    assert len(emulator.ledger.entries) == before
    await looked(farm, jobs, lambda _: len(emulator.ledger.entries) > before)


async def test_a_hundred_renders_cost_a_handful_of_requests(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path
) -> None:
    jobs = start(emulator, tmp_path, 100)
    emulator.clock.advance(20)
    before = len(emulator.ledger.entries)
    look = await looked(farm, jobs, lambda look: len(look.jobs) == 100)
    assert {job.status for job in look.jobs.values()} == {"rendering"}
    assert len(emulator.ledger.entries) - before <= 4


async def test_any_number_of_viewers_and_servers_costs_what_one_does(
    new_farm: Callable[[], RenderjuiceFarm], emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_farm_state, "INTERVAL", 0.4)
    jobs = start(emulator, tmp_path, 3)
    emulator.clock.advance(20)

    async def cost(servers: int, viewers: int) -> float:
        """Requests for each second."""
        farms = [new_farm() for _ in range(servers)]
        await asyncio.gather(*(looked(each, jobs, lambda look: len(look.jobs) == 3) for each in farms))
        before, began = len(emulator.ledger.entries), time.monotonic()
        while time.monotonic() < began + 4:
            await asyncio.gather(*(each.look({CONN: jobs}) for each in farms for _ in range(viewers)))
            await asyncio.sleep(0.05)
        spent = (len(emulator.ledger.entries) - before) / (time.monotonic() - began)
        await asyncio.gather(*(each.close() for each in farms))
        return spent

    alone = await cost(1, 1)
    assert alone > 0
    together = await cost(3, 7)
    assert together <= 1.2 * alone


async def test_what_one_server_has_read_another_one_takes(
    new_farm: Callable[[], RenderjuiceFarm], emulator: Emulator, tmp_path: Path
) -> None:
    jobs = start(emulator, tmp_path)
    emulator.clock.advance(100)
    first = await looked(new_farm(), jobs, lambda look: look.jobs)
    before = len(emulator.ledger.entries)
    second = await looked(new_farm(), jobs, lambda look: look.jobs)
    assert len(emulator.ledger.entries) == before
    assert second.jobs[jobs[0]].frames_done == first.jobs[jobs[0]].frames_done == 6


async def test_what_servers_share_holds_no_address_and_no_key(
    farm: RenderjuiceFarm,
    emulator: Emulator,
    tmp_path: Path,
    database: Engine,
) -> None:
    (job_id,) = start(emulator, tmp_path)
    emulator.clock.advance(35)
    await looked(farm, [job_id], lambda look: look.jobs and look.jobs[job_id].picture)
    await farm.close()
    with sessionmaker(bind=database)() as session:
        text = session.scalars(select(Variable).where(Variable.key == variable_of(CONN))).one().get_val() or ""
    state = FarmState.parse(text)
    assert state.jobs[job_id].done == 2
    assert state.turn_of == ""
    assert KEY not in state.model_dump_json()
    assert "http" not in state.model_dump_json()


async def test_a_server_that_died_in_its_turn_keeps_the_others_waiting_for_a_while_only(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_farm_state, "_TURN", 0.5)
    jobs = start(emulator, tmp_path)
    edit_farm_state(CONN, lambda state: state.take_turn("a server that is gone", time.time()))
    before = len(emulator.ledger.entries)
    look = await farm.look({CONN: jobs})
    assert not look.jobs
    assert len(emulator.ledger.entries) == before
    assert (await looked(farm, jobs, lambda look: look.jobs)).jobs


@pytest.mark.parametrize("what", ["asked", "turn", "a job", "all"])
async def test_a_server_whose_clock_is_ahead_does_not_silence_the_others(
    new_farm: Callable[[], RenderjuiceFarm], emulator: Emulator, tmp_path: Path, what: str
) -> None:
    jobs = start(emulator, tmp_path)
    await looked(first := new_farm(), jobs, lambda look: look.jobs)
    await first.close()
    emulator.clock.advance(200)
    ahead = time.time() + 3600

    def spoilt(state: FarmState) -> FarmState:
        if what in {"asked", "all"}:
            state = state.polled([], ahead, answered=True, error="wrong", quiet=60.0)
        if what in {"a job", "all"}:
            state = state.polled(
                [job.model_copy(update={"read": ahead}) for job in state.jobs.values()], state.asked, answered=False
            )
        return state.take_turn("ahead", ahead) if what in {"turn", "all"} else state

    edit_farm_state(CONN, spoilt)
    look = await looked(new_farm(), jobs, lambda look: look.jobs and look.jobs[jobs[0]].status == "completed")
    assert look.connections[0].answers
    assert look.connections[0].error is None


def test_clocks_that_differ_a_little_are_believed() -> None:
    state = FarmState().polled([], 1010.0, answered=True, quiet=300.0).take_turn("a", 1010.0)
    assert state.believable(1000.0) is state


async def test_a_connection_that_nobody_asks_for_any_more_is_forgotten(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path
) -> None:
    jobs = start(emulator, tmp_path)
    await looked(farm, [], lambda look: look.connections[0].error, "missing")
    gone = farm._watches["missing"]
    await looked(farm, jobs, lambda look: look.jobs)
    assert list(farm._watches) == ["missing", CONN]
    farm._used["missing"] -= 601
    await farm.look({CONN: jobs})
    assert list(farm._watches) == list(farm._used) == [CONN]
    assert gone._loop is None or gone._loop.done()


# Bad days


async def test_no_connection_is_a_sentence(farm: RenderjuiceFarm) -> None:
    look = await looked(farm, [], lambda look: look.connections[0].error, "missing")
    assert look.connections[0].error == (
        "Airflow has no connection 'missing': add it under Admin, Connections, with the type Renderjuice and the API "
        "key as its password."
    )
    assert not look.connections[0].answers


async def test_a_connection_of_another_type_is_a_sentence(
    farm: RenderjuiceFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", "http://somewhere.test")
    look = await looked(farm, [], lambda look: look.connections[0].error, "other")
    assert look.connections[0].error == "Connection 'other' is not of the type Renderjuice."


async def test_a_secrets_backend_that_fails_is_a_sentence(
    farm: RenderjuiceFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> None:
        raise PermissionError("the vault says no, and shows a secret")

    monkeypatch.setattr(Connection, "get_connection_from_secrets", fail)
    look = await looked(farm, [], lambda look: look.connections[0].error)
    assert look.connections[0].error == (
        "Airflow did not give the connection 'farm' (PermissionError): the API server's log may say more."
    )


async def test_a_connection_that_no_client_takes_is_a_sentence(farm: RenderjuiceFarm, connect: Connect) -> None:
    connect(host="http://farm.test/x")
    look = await looked(farm, [], lambda look: look.connections[0].error)
    assert look.connections[0].error is not None
    assert "allow_http" in look.connections[0].error


async def test_a_connection_without_a_key_is_a_sentence(farm: RenderjuiceFarm, connect: Connect) -> None:
    connect(password="")
    look = await looked(farm, [], lambda look: look.connections[0].error)
    assert look.connections[0].error == (
        "Connection 'farm' has no API key: put it into the password field (RJ-... from the dashboard)."
    )


async def test_a_wrong_key_is_a_sentence_until_it_is_corrected(
    farm: RenderjuiceFarm, emulator: Emulator, connect: Connect, tmp_path: Path
) -> None:
    jobs = start(emulator, tmp_path)
    connect(password="RJ-wrong")
    look = await looked(farm, jobs, lambda look: look.connections[0].error)
    (connection,) = look.connections
    assert connection.error is not None
    assert connection.error.startswith("The API key is refused (401)")
    assert "RJ-wrong" not in connection.error
    assert not connection.answers
    connect()
    look = await looked(farm, jobs, lambda look: look.jobs)
    assert look.connections[0].answers
    assert look.connections[0].error is None


async def test_a_key_of_another_account_is_a_sentence(
    farm: RenderjuiceFarm, emulator: Emulator, connect: Connect, tmp_path: Path
) -> None:
    jobs = start(emulator, tmp_path, 2)
    connect(password="RJ-of-somebody-else")
    look = await looked(farm, jobs, lambda look: look.connections[0].error)
    assert look.connections[0].error == _watch._ALL_UNKNOWN
    assert look.jobs == {}


async def test_while_renderjuice_is_down_the_last_that_is_known_is_shown_with_its_age(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path
) -> None:
    jobs = start(emulator, tmp_path)
    await looked(farm, jobs, lambda look: look.jobs)
    emulator.faults.add("get_job", "503", "503", "503")
    look = await looked(farm, jobs, lambda look: look.connections[0].error)
    (connection,) = look.connections
    assert connection.error is not None
    assert connection.error.startswith("Renderjuice does not answer as it should (")
    assert not connection.answers
    assert connection.age is not None
    assert look.jobs[jobs[0]].status == "booting"
    assert (await looked(farm, jobs, lambda look: look.connections[0].answers)).connections[0].error is None


async def test_where_nothing_listens_it_is_said_where(farm: RenderjuiceFarm, connect: Connect) -> None:
    connect(host="http://127.0.0.1:1/api/external/v1")
    look = await looked(farm, [], lambda look: look.connections[0].error)
    assert look.connections[0].error is not None
    assert look.connections[0].error.startswith("Nothing listens at http://127.0.0.1:1/api/external/v1")


async def test_no_request_is_sent_before_renderjuice_wants_one(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path
) -> None:
    jobs = start(emulator, tmp_path)
    emulator.faults.add("get_job", "429 retry-after=1")
    await looked(farm, jobs, lambda look: look.connections[0].error)
    before = len(emulator.ledger.entries)
    await asyncio.sleep(0.5)
    assert len(emulator.ledger.entries) == before
    assert (await looked(farm, jobs, lambda look: look.jobs)).jobs


async def test_a_malformed_job_id_does_not_hide_the_others(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path
) -> None:
    jobs = start(emulator, tmp_path)
    odd = ["", "not an id", "../../x", "3c90c3cc-0d44-4b50-8888-000000000000"]
    look = await looked(farm, [*jobs, *odd], lambda look: look.jobs)
    assert list(look.jobs) == jobs
    assert look.connections[0].error is None


async def test_a_job_whose_task_is_over_is_searched_for_among_those_that_are(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path
) -> None:
    jobs = start(emulator, tmp_path, 40)
    emulator.clock.advance(200)
    before = len(emulator.ledger.entries)
    await looked(farm, jobs, lambda look: len(look.jobs) == 40, over=jobs)
    assert asked(emulator)[before:] == ["list_jobs"]


async def test_a_database_that_does_not_answer_for_a_while_ends_nothing(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_watch, "_AFTER_A_DEFECT", 0.05)
    jobs = start(emulator, tmp_path)

    def fail(*_: object) -> None:
        raise OSError("no database")

    with monkeypatch.context() as patched:
        patched.setattr(_watch.Watch, "_is_due", fail)
        assert not (await farm.look({CONN: jobs})).jobs
        await asyncio.sleep(0.2)
    assert (await looked(farm, jobs, lambda look: look.jobs)).jobs


async def test_a_round_that_takes_too_long_leaves_the_rest_to_the_next_one(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_farm_round, "LONGEST", -1.0)
    jobs = start(emulator, tmp_path)
    await farm.look({CONN: jobs})
    await asyncio.sleep(0.3)
    assert "get_job" not in asked(emulator)
    monkeypatch.setattr(_farm_round, "LONGEST", 20.0)
    assert (await looked(farm, jobs, lambda look: look.jobs)).jobs


async def test_configurations_and_addresses_of_jobs_that_nobody_watches_are_forgotten(
    farm: RenderjuiceFarm, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_farm_state, "_MOST_JOBS", 1)
    for _ in range(2):
        jobs = start(emulator, tmp_path)
        emulator.clock.advance(300)
        await looked(farm, jobs, lambda look: look.jobs)
        farm._watch(CONN)._wanted.clear()
    await looked(farm, start(emulator, tmp_path), lambda look: look.jobs)
    watch = farm._watch(CONN)
    assert len(watch.configs) <= 2
    assert len(watch.previews) <= 2


# Money


async def test_a_connection_with_a_price_has_a_rate(farm: RenderjuiceFarm, connect: Connect) -> None:
    connect(rate=3.6, currency="EUR")
    look = await looked(farm, [], lambda look: look.rates)
    assert look.rates == {CONN: Rate(3.6, "EUR")}
    assert look.rates[CONN].money(1000).amount == 1.0


async def test_without_a_price_there_is_none(farm: RenderjuiceFarm) -> None:
    assert (await looked(farm, [], lambda look: look.connections[0].answers)).rates == {}
