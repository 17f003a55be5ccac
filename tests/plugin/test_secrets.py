"""Secrets are looked up rarely, and a flood of made-up ids costs the database little."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter

import pytest

from renderjuice_provider.plugin._refusals import RefusedError
from renderjuice_provider.plugin._secrets import LIFETIME, MOST_UNPROVEN, SHORT_LIFETIME, UNPROVEN_AT_ONCE, Secrets


class Airflow:
    """Connections, with a count of look-ups; `trouble` is raised instead."""

    def __init__(self) -> None:
        self.connections: dict[str, str] = {"farm": "first"}
        self.trouble: Exception | None = None
        self.asked: Counter[str] = Counter()
        self.now = 0.0
        self.go_on = threading.Event()
        self.go_on.set()
        self.secrets = Secrets(self.look_up, lambda: self.now)

    def look_up(self, renderjuice_conn_id: str) -> tuple[str, ...]:
        self.asked[renderjuice_conn_id] += 1
        self.go_on.wait(10)
        if self.trouble:
            raise self.trouble
        if renderjuice_conn_id not in self.connections:
            raise RefusedError("unknown_connection", "There is none.")
        return (self.connections[renderjuice_conn_id],)

    async def reason(self, renderjuice_conn_id: str) -> str:
        with pytest.raises(RefusedError) as caught:
            await self.secrets.of(renderjuice_conn_id)
        return caught.value.reason


async def test_a_connection_is_looked_up_once_in_half_a_minute() -> None:
    airflow = Airflow()
    for _ in range(100):
        assert await airflow.secrets.of("farm") == ("first",)
    airflow.connections["farm"] = "second"
    airflow.now = LIFETIME - 1
    assert await airflow.secrets.of("farm") == ("first",)
    assert airflow.asked["farm"] == 1
    airflow.now = LIFETIME
    assert await airflow.secrets.of("farm") == ("second",)
    assert airflow.asked["farm"] == 2


async def test_requests_at_the_same_time_share_a_look_up() -> None:
    airflow = Airflow()
    airflow.go_on.clear()
    waiting = [asyncio.create_task(airflow.secrets.of("farm")) for _ in range(50)]
    await asyncio.sleep(0)
    waiting[0].cancel()  # which is not the end of what the others wait for
    await asyncio.sleep(0)
    airflow.go_on.set()
    assert [await one for one in waiting[1:]] == [("first",)] * 49
    assert airflow.asked["farm"] == 1


async def test_what_is_unknown_is_remembered_as_long() -> None:
    airflow = Airflow()
    assert [await airflow.reason("nobody") for _ in range(10)] == ["unknown_connection"] * 10
    assert airflow.asked["nobody"] == 1
    airflow.connections["nobody"] = "now it is there"
    airflow.now = LIFETIME
    assert await airflow.secrets.of("nobody") == ("now it is there",)


async def test_a_flood_of_made_up_ids_is_cut_off_and_proven_connections_are_not() -> None:
    airflow = Airflow()
    await airflow.secrets.of("farm")
    airflow.secrets.prove("farm")
    reasons = Counter([await airflow.reason(f"made-up-{number}") for number in range(1000)])
    assert reasons == {"unknown_connection": MOST_UNPROVEN, "busy": 1000 - MOST_UNPROVEN}
    assert airflow.asked.total() == MOST_UNPROVEN + 1
    airflow.now = LIFETIME - 1
    await airflow.reason("one-more")
    assert await airflow.secrets.of("farm") == ("first",)
    airflow.now = LIFETIME
    assert await airflow.secrets.of("farm") == ("first",)
    assert await airflow.reason("one-more") == "unknown_connection", "the flood is over"


async def test_a_proven_connection_is_looked_up_again_in_the_midst_of_a_flood() -> None:
    airflow = Airflow()
    await airflow.secrets.of("farm")
    airflow.secrets.prove("farm")
    airflow.now = LIFETIME - 1
    for number in range(MOST_UNPROVEN):
        await airflow.reason(f"made-up-{number}")
    airflow.now = LIFETIME + 1
    airflow.connections["farm"] = "second"
    assert await airflow.reason("new") == "busy"
    assert await airflow.secrets.of("farm") == ("second",)


async def test_ids_that_have_a_secret_and_prove_nothing_are_cut_off_as_well() -> None:
    """Airflow finds a connection of the environment by each of a million ways to write its id."""
    airflow = Airflow()
    ids = [f"Farm{number}" for number in range(1000)]
    airflow.connections |= dict.fromkeys(ids, "the same")
    for renderjuice_conn_id in ids[:MOST_UNPROVEN]:
        assert await airflow.secrets.of(renderjuice_conn_id) == ("the same",)
    assert {await airflow.reason(one) for one in ids[MOST_UNPROVEN:]} == {"busy"}
    airflow.now = LIFETIME
    await airflow.secrets.of(ids[-1])
    assert len(airflow.secrets._entries) == 1


async def test_a_proven_connection_does_not_wait_for_the_look_ups_of_made_up_ids() -> None:
    airflow = Airflow()
    await airflow.secrets.of("farm")
    airflow.secrets.prove("farm")
    airflow.now = LIFETIME
    airflow.go_on.clear()
    flood = [asyncio.create_task(airflow.reason(f"made-up-{number}")) for number in range(50)]
    await asyncio.sleep(0.1)
    assert airflow.asked.total() == 1 + UNPROVEN_AT_ONCE
    farm = asyncio.create_task(airflow.secrets.of("farm"))
    await asyncio.sleep(0.1)
    assert airflow.asked["farm"] == 2
    airflow.go_on.set()
    assert await farm == ("first",)
    assert {*await asyncio.gather(*flood)} == {"unknown_connection"}


async def test_look_ups_that_take_long_do_not_pile_up() -> None:
    airflow = Airflow()
    airflow.go_on.clear()
    flood = []
    for round_ in range(3):
        airflow.now = round_ * LIFETIME
        flood += [asyncio.create_task(airflow.reason(f"made-up-{round_}-{number}")) for number in range(MOST_UNPROVEN)]
        await asyncio.sleep(0.01)
    assert len(airflow.secrets._entries) == MOST_UNPROVEN
    airflow.go_on.set()
    assert Counter(await asyncio.gather(*flood)) == {"unknown_connection": MOST_UNPROVEN, "busy": 2 * MOST_UNPROVEN}


@pytest.mark.parametrize(
    "no_id", ["", "a b", "a\nb", "a\0b", "a?b", "a%2fb", "a@b", "x" * 251, "../farm", "a/../../b", "a\\..\\b", "./farm"]
)
async def test_what_can_be_no_id_is_asked_of_nobody(no_id: str) -> None:
    airflow = Airflow()
    assert await airflow.reason(no_id) == "unknown_connection"
    assert not airflow.asked
    assert not airflow.secrets._entries


@pytest.mark.parametrize(
    "odd_id", ["farm/two", "Färm", "farm:1", "farm..two", "(farm)", "farm\\two", "x" * 250, "#!-_."]
)
async def test_whatever_airflow_takes_for_an_id_is_looked_up(odd_id: str) -> None:
    airflow = Airflow()
    airflow.connections[odd_id] = "first"
    assert await airflow.secrets.of(odd_id) == ("first",)


async def test_trouble_passes_soon() -> None:
    airflow = Airflow()
    airflow.trouble = ConnectionError("no database at https://db.test?password=x")
    assert [await airflow.reason("farm") for _ in range(5)] == ["unavailable"] * 5
    assert airflow.asked["farm"] == 1
    with pytest.raises(RefusedError, match=r"ConnectionError: no database at https://db.test\?\*\*\*"):
        await airflow.secrets.of("farm")
    airflow.trouble = None
    airflow.now = SHORT_LIFETIME
    assert await airflow.secrets.of("farm") == ("first",)
