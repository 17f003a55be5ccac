"""Group commit: nothing is answered before it is noted, and one failure stays one."""

from __future__ import annotations

import asyncio
import threading

import pytest

from renderjuice_provider.plugin._group_commit import MOST_WAITING, Events, GroupCommit
from renderjuice_provider.plugin._refusals import RefusedError


class Database:
    """Notes what it is given, in groups; while `go_on` is not set, it takes its time."""

    def __init__(self) -> None:
        self.groups: list[tuple[str, list[str]]] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.down = False

    def write(self, renderjuice_conn_id: str, events: Events) -> int:
        self.go_on.wait(10)
        if self.down:
            raise ConnectionError("the database is down")
        self.groups.append((renderjuice_conn_id, [job_id for job_id, _ in events]))
        return len(events)


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def commit(database: Database) -> GroupCommit:
    return GroupCommit(database.write, gather=0.0)


async def begin(commit: GroupCommit, *jobs: str, connection: str = "farm") -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(commit.note(connection, job, "onRenderComplete")) for job in jobs]
    await asyncio.sleep(0.01)
    return tasks


async def test_what_arrives_while_a_transaction_is_under_way_shares_the_next(
    commit: GroupCommit, database: Database
) -> None:
    database.go_on.clear()
    first = await begin(commit, "1")
    others = await begin(commit, "2", "3", "4")
    another = await begin(commit, "5", connection="other farm")
    assert not any(task.done() for task in first + others + another)
    database.go_on.set()
    await asyncio.gather(*first, *others, *another)
    assert database.groups == [("farm", ["1"]), ("farm", ["2", "3", "4"]), ("other farm", ["5"])]
    await asyncio.gather(*await begin(commit, "6"))
    assert database.groups[-1] == ("farm", ["6"])


async def test_the_first_waits_a_moment_for_others(database: Database) -> None:
    await asyncio.gather(*await begin(GroupCommit(database.write), "1"), *await begin(GroupCommit(database.write), "2"))
    assert database.groups == [("farm", ["1"]), ("farm", ["2"])]
    database.groups.clear()
    commit = GroupCommit(database.write, gather=0.5)
    await asyncio.gather(*await begin(commit, "1"), *await begin(commit, "2"))
    assert database.groups == [("farm", ["1", "2"])]


async def test_what_the_database_does_not_take_is_refused_and_the_next_is_tried(
    commit: GroupCommit, database: Database
) -> None:
    database.down = True
    found = await asyncio.gather(*await begin(commit, "1", "2"), return_exceptions=True)
    assert [(error.reason, error.why) for error in found if isinstance(error, RefusedError)] == [
        ("unavailable", "Airflow's database did not take the event: ConnectionError: the database is down.")
    ] * 2
    database.down = False
    await commit.note("farm", "1", "onRenderComplete")
    assert database.groups == [("farm", ["1"])]


async def test_a_request_that_ends_early_takes_no_other_with_it(commit: GroupCommit, database: Database) -> None:
    database.go_on.clear()
    gone, *others = await begin(commit, "1", "2", "3")
    gone.cancel()
    later, still = await begin(commit, "4", "5")
    later.cancel()
    database.go_on.set()
    await asyncio.gather(*others, still)
    assert [job for _, group in database.groups for job in group] == ["1", "2", "3", "4", "5"]


async def test_there_is_an_end_to_what_may_wait(commit: GroupCommit, database: Database) -> None:
    database.go_on.clear()
    await begin(commit, "0")
    tasks = await begin(commit, *map(str, range(MOST_WAITING)))
    with pytest.raises(RefusedError) as caught:
        await commit.note("farm", "one too many", "onRenderComplete")
    assert caught.value.reason == "busy"
    database.go_on.set()
    await asyncio.gather(*tasks)
    await commit.note("farm", "later", "onRenderComplete")
