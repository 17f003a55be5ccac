"""Flows that move files, side by side: in order, and with an end when one of them fails."""

from __future__ import annotations

import threading
import time
from concurrent.futures import wait
from pathlib import Path

import pytest

from renderjuice_provider.api._flow import FetchFile, Gather, RunInThread
from renderjuice_provider.api.errors import RenderjuiceTransferError
from tests.support.http_server import JOB_ID, Reply, a_job, answer, serving


def gathered(*works, repeat=1):
    """A flow that does each of `works` in a lane, `repeat` times."""

    def one(work):
        return (yield from RunInThread(work))

    return (yield from Gather((one(work) for work in works * repeat), files=True))


def listing(request, count):
    here = f"http://{request.headers['Host']}"
    return answer({"frames": [f"{here}/file/{number:04}.png" for number in range(count)], "compositeNodes": []})


def store(count, file):
    """An API with a job of `count` frames, each of which `file(request)` answers."""

    def reply(request):
        if request.path.endswith("/downloads"):
            return listing(request, count)
        return answer(a_job("completed")) if request.path.startswith("/jobs/") else file(request)

    return serving(reply)


def test_results_come_in_the_order_of_their_flows(client):
    def work(number):
        time.sleep(0.002 * (number % 3))
        return number

    works = [lambda number=number: work(number) for number in range(40)]
    assert client.run(gathered(*works)) == list(range(40))


def test_nothing_to_move_is_nothing(client):
    assert client.run(gathered()) == []


@pytest.mark.parametrize("allowed", [0, 1, 3])
def test_a_machine_that_allows_few_threads_gets_few_lanes(client, monkeypatch, allowed):
    left = iter(range(allowed))
    start = threading.Thread.start

    def limited(thread):
        if thread.name.startswith("renderjuice-lane") and next(left, None) is None:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    if allowed:
        assert client.run(gathered(lambda: 1, repeat=20)) == [1] * 20
    else:
        with pytest.raises(RuntimeError, match="can't start new thread"):
            client.run(gathered(lambda: 1, repeat=20))


def test_the_first_failure_is_raised_and_nothing_more_is_begun(client):
    begun = []

    def fails():
        begun.append(1)
        raise RenderjuiceTransferError("the disk is full")

    with pytest.raises(RenderjuiceTransferError, match="the disk is full"):
        client.run(gathered(fails, repeat=1000))
    assert len(begun) <= 4


def test_a_failure_breaks_off_what_is_still_on_its_way(new_client, tmp_path):
    """A store that sends one file for ever, and refuses another one for good."""

    def endless():
        while True:
            time.sleep(0.01)
            yield bytes(1 << 17)

    def file(request):
        return Reply(404, b"") if request.path.endswith("0001.png") else Reply(200, endless())

    with store(2, file) as server:
        client = new_client(base_url=server.url)
        with pytest.raises(RenderjuiceTransferError, match="404"):
            client.download_outputs(JOB_ID, tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_store_far_away_is_asked_for_many_files_at_once_and_never_for_more_than_allowed(new_client, tmp_path):
    at_once, most, lock = 0, [], threading.Lock()

    def file(_):
        nonlocal at_once
        with lock:
            at_once += 1
            most.append(at_once)
        time.sleep(0.05)
        with lock:
            at_once -= 1
        return Reply(200, b"png")

    with store(120, file) as server:
        new_client(base_url=server.url, max_transfers=12).download_outputs(JOB_ID, tmp_path)
        assert max(most[:4]) <= 4
        assert 4 < max(most) <= 12
        most.clear()
        new_client(base_url=server.url, max_transfers=1).download_outputs(JOB_ID, tmp_path / "again")
        assert max(most) == 1


def test_a_store_that_refuses_many_files_at_once_gets_few_and_all_arrive(new_client, tmp_path):
    at_once, refused, lock = 0, [], threading.Lock()

    def file(_):
        nonlocal at_once
        with lock:
            at_once += 1
            now = at_once
        time.sleep(0.02)
        with lock:
            at_once -= 1
        if now > 8:
            refused.append(now)
            return Reply(503)
        return Reply(200, b"png")

    with store(150, file) as server:
        report = new_client(base_url=server.url).download_outputs(JOB_ID, tmp_path)
    assert len(report.files) == 150
    assert refused
    assert len(refused) < 100


def test_no_thread_is_left(client, tmp_path):
    before = set(threading.enumerate())
    client.run(gathered(lambda: time.sleep(0.001), repeat=50))
    left = {one for one in threading.enumerate() if one.name == "renderjuice-lane"} - before
    for one in left:
        one.join(5)
    assert not any(one.is_alive() for one in left)


def test_who_stops_waiting_stops_the_lanes(tmp_path):
    from renderjuice_provider.api.client import RenderjuiceClient

    def file(_):
        time.sleep(0.2)
        return Reply(200, b"png")

    def fetch(url, path):
        return (yield from FetchFile(url, path))

    with store(1, file) as server, RenderjuiceClient("RJ-key", server.url) as client:
        flows = (fetch(f"{server.url}/file/{number}", Path(tmp_path, str(number))) for number in range(1000))
        lanes = client._wire.lanes_for(Gather(flows, files=True))
        done = lanes.start()
        time.sleep(0.05)
        lanes.stop()
        wait([done], timeout=5)
        assert type(done.exception(timeout=0)).__name__ == "StoppedError"
        assert len(server.requests) <= 4
