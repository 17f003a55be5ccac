from __future__ import annotations

import asyncio

import pytest

from renderjuice_emulator.clock import Clock


async def test_a_clock_moved_by_hand_stands_still_on_its_own() -> None:
    clock = Clock(speed=0)
    before = clock.timestamp()
    await asyncio.sleep(0.01)
    assert clock.timestamp() == before


async def test_one_advance_wakes_sleepers_in_the_order_of_their_time_and_those_they_start() -> None:
    clock = Clock(speed=0)
    start, seen = clock.timestamp(), []

    async def sleeper(name: str, *naps: float) -> None:
        for nap in naps:
            await clock.sleep(nap)
            seen.append((name, round(clock.timestamp() - start)))

    clock.spawn(sleeper("slow", 30, 30))
    clock.spawn(sleeper("quick", 10, 10, 10, 100))
    await clock.pass_time(65)
    assert seen == [("quick", 10), ("quick", 20), ("slow", 30), ("quick", 30), ("slow", 60)]
    assert clock.timestamp() - start == pytest.approx(65)
    await clock.stop()


async def test_an_advance_waits_for_work_that_is_not_asleep() -> None:
    clock = Clock(speed=0)
    done = []

    async def work() -> None:
        await clock.sleep(1)
        await asyncio.to_thread(done.append, "in a thread")
        await asyncio.sleep(0.01)
        done.append("and in real time")
        await clock.sleep(1)
        done.append("and asleep again")

    clock.spawn(work())
    await clock.pass_time(2)
    assert done == ["in a thread", "and in real time", "and asleep again"]


async def test_an_advance_does_not_wait_for_a_task_that_waits_for_another() -> None:
    clock = Clock(speed=0)
    slot = asyncio.Semaphore(1)
    order = []

    async def job(name: str) -> None:
        with clock.waiting():
            await slot.acquire()
        await clock.sleep(10)
        order.append(name)
        slot.release()

    for name in ("first", "second", "third"):
        clock.spawn(job(name))
    await clock.pass_time(25)
    assert order == ["first", "second"]
    await clock.pass_time(5)
    assert order == ["first", "second", "third"]


async def test_a_fast_clock_makes_an_hour_of_a_few_milliseconds() -> None:
    clock = Clock(speed=360_000)
    before = asyncio.get_running_loop().time()
    await clock.sleep(3600)
    assert 0.009 < asyncio.get_running_loop().time() - before < 1


async def test_a_fast_clock_can_be_moved_by_hand_as_well() -> None:
    clock = Clock(speed=1)
    nap = clock.spawn(clock.sleep(3600))
    await clock.pass_time(3601)
    assert nap.done()


async def test_speed_does_not_shorten_the_life_of_urls_but_advancing_does() -> None:
    clock = Clock(speed=1_000_000)
    before = clock.transfer_timestamp()
    await asyncio.sleep(0.01)
    assert clock.transfer_timestamp() - before < 1
    await clock.pass_time(900)
    assert clock.transfer_timestamp() - before >= 900


async def test_a_cancelled_sleeper_is_forgotten() -> None:
    clock = Clock(speed=0)
    nap = clock.spawn(clock.sleep(10))
    await asyncio.sleep(0)
    nap.cancel()
    await clock.pass_time(20)
    assert nap.cancelled()


def test_a_clock_does_not_run_backwards() -> None:
    with pytest.raises(ValueError, match="speed"):
        Clock(speed=-1)


def test_a_clock_without_an_emulator_says_so() -> None:
    with pytest.raises(RuntimeError, match="not running"):
        Clock().advance(1)
