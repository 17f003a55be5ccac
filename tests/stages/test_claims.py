from __future__ import annotations

import json
import multiprocessing
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from stages import claims, storage
from stages.claims import ClaimedError, claim
from stages.storage import create, read_json

AT_ONCE = 8


@pytest.fixture(autouse=True)
def exclusive(monkeypatch):
    """`memory://` creates an object or refuses to, in one step, as S3 does with `If-None-Match`."""
    lock, pipe_file = threading.Lock(), MemoryFileSystem.pipe_file

    def pipe_alone(self, *args, **kwargs):
        with lock:
            pipe_file(self, *args, **kwargs)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", pipe_alone)


@pytest.fixture(params=["folder", "object store"])
def place(request, tmp_path):
    return str(tmp_path / "claims") if request.param == "folder" else f"memory://{tmp_path.name}/claims"


def run(name):
    return {"run_id": name, "dag_id": "renderjuice_shot"}


def nothing_is_over(_dag_id, _run_id):
    return False


def no_links(_source, _target):
    raise PermissionError(1, "Operation not permitted")


def owner(place):
    return max((path.name, read_json(str(path))["run_id"]) for path in storage.storage(place).iterdir())


def test_the_first_run_has_the_shot_and_may_claim_it_again(place):
    for _ in range(2):
        claim(place, run("one"), nothing_is_over)

    assert owner(place) == ("0001.json", "one")


def test_a_second_run_is_refused_with_the_name_of_the_first(place):
    claim(place, run("one"), nothing_is_over)

    with pytest.raises(ClaimedError, match=r"^The run one of renderjuice_shot has this shot and is not over yet"):
        claim(place, run("two"), nothing_is_over)
    assert owner(place) == ("0001.json", "one")


def test_when_the_first_is_over_or_unknown_the_next_number_goes_to_the_second(place):
    asked = []
    claim(place, run("one"), nothing_is_over)

    claim(place, run("two"), lambda *which: bool(asked.append(which)) or True)

    assert asked == [("renderjuice_shot", "one")]
    assert owner(place) == ("0002.json", "two")
    with pytest.raises(ClaimedError, match="The run two"):
        claim(place, run("one"), lambda _dag_id, run_id: run_id == "one")  # cleared, while the second renders


def test_a_claim_that_its_dead_run_left_half_written_stops_nobody(place, monkeypatch):
    monkeypatch.setattr(claims, "_PATIENCE", (0.0,))
    claim(place, run("one"), nothing_is_over)
    storage.storage(place).joinpath("0002.json").write_bytes(b'{"run_id": "tw')

    claim(place, run("three"), nothing_is_over)

    assert owner_of_last(place) == "three"


def owner_of_last(place):
    return read_json(f"{place}/{max(path.name for path in storage.storage(place).iterdir())}")["run_id"]


def test_the_ten_thousandth_claim_is_the_highest(place):
    for number in ("9999", "10000"):
        storage.storage(place).joinpath(f"{number}.json").parent.mkdir(parents=True, exist_ok=True)
        storage.storage(place).joinpath(f"{number}.json").write_bytes(json.dumps(run(number)).encode())

    with pytest.raises(ClaimedError, match="The run 10000"):
        claim(place, run("one"), nothing_is_over)


def try_to_claim(place, name, over=()):
    try:
        claim(place, run(name), lambda _dag_id, run_id: run_id in over)
    except ClaimedError:
        return None
    return name


def test_of_many_threads_that_claim_at_once_one_gets_it(place):
    for attempt in range(20):
        where = f"{place}/{attempt}"
        claim(where, run("before"), nothing_is_over)
        barrier = threading.Barrier(AT_ONCE)

        def at_once(name, where=where, barrier=barrier):
            barrier.wait()
            return try_to_claim(where, name, over={"before"})

        with ThreadPoolExecutor(AT_ONCE) as pool:
            got = [name for name in pool.map(at_once, map(str, range(AT_ONCE))) if name]
        assert len(got) == 1
        assert owner(where) == ("0002.json", got[0])


@pytest.mark.parametrize("hard_links", [True, False])
def test_of_many_that_create_the_same_claim_at_once_one_does(tmp_path, monkeypatch, hard_links):
    if not hard_links:
        monkeypatch.setattr(os, "link", no_links)
    for attempt in range(50):
        barrier = threading.Barrier(AT_ONCE)

        def try_to_create(_number, where=str(tmp_path / str(attempt)), barrier=barrier):
            barrier.wait()
            try:
                create(where, "0001.json", b"{}")
            except FileExistsError:
                return 0
            return 1

        with ThreadPoolExecutor(AT_ONCE) as pool:
            assert sum(pool.map(try_to_create, range(AT_ONCE))) == 1


def test_of_many_processes_that_claim_at_once_one_gets_it(tmp_path):
    context = multiprocessing.get_context("spawn")
    with context.Pool(4) as pool:
        for attempt in range(10):
            where = str(tmp_path / str(attempt))
            got = pool.starmap(try_to_claim, [(where, str(number)) for number in range(AT_ONCE)])
            assert len([name for name in got if name]) == 1


def test_where_the_share_has_no_hard_links_a_claim_is_exclusive_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "link", no_links)
    claim(str(tmp_path), run("one"), nothing_is_over)

    with pytest.raises(ClaimedError):
        claim(str(tmp_path), run("two"), nothing_is_over)
    with pytest.raises(FileExistsError):
        create(str(tmp_path), "0001.json", b"{}")


@pytest.mark.parametrize("there", [True, False])
def test_a_store_without_a_word_for_what_is_there_already_is_asked_whether_it_is(tmp_path, monkeypatch, there):
    """As s3fs: it says EINVAL."""
    place = f"memory://{tmp_path.name}/claims"
    if there:
        claim(place, run("one"), nothing_is_over)

    def fails(*_args, **_kwargs):
        raise OSError(22, "At least one of the pre-conditions you specified did not hold")

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", fails)
    with pytest.raises(FileExistsError if there else OSError) as refused:
        create(place, "0001.json", b"{}")
    assert isinstance(refused.value, FileExistsError) == there
