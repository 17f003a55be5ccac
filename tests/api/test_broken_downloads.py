"""A large file that breaks off goes on where it was, and is right to its last byte."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager
from fcntl import LOCK_EX, flock

import pytest

from renderjuice_provider.api import _partial_file, _resuming
from renderjuice_provider.api._journal import JOURNAL
from renderjuice_provider.api.errors import RenderjuiceTransferError
from tests.support.both_clients import completed, files_below

MIB = 1 << 20
SIZE = 6 * MIB


@pytest.fixture(autouse=True)
def _small_is_large(monkeypatch):
    monkeypatch.setattr(_resuming, "WORTH", MIB)
    monkeypatch.setattr(_partial_file, "NOTED", MIB)


@pytest.fixture
def large(client, emulator, tmp_path):
    """A job with one large frame, and its content."""
    job = completed(client, tmp_path, {"colorManagementPreset": "default", "frameRanges": ["1"]}, frame_end=1)
    content = os.urandom(SIZE)
    emulator.jobs[job.id].outputs[0].path.write_bytes(content)
    return job, content


def fetch(client, job, out, content):
    report = client.download_outputs(job.id, out)
    assert (out / "frames/0001.png").read_bytes() == content
    assert files_below(out) == {"frames/0001.png"}
    return report


def statuses(emulator):
    return [entry.status for entry in emulator.ledger.entries if entry.operation == "download_file"]


def partial_files(out):
    return sorted(out.rglob(".*.part"))


def test_the_rest_alone_is_fetched(client, emulator, large, tmp_path):
    job, content = large
    emulator.faults.add("download_file", "truncate")
    fetch(client, job, tmp_path / "out", content)
    assert statuses(emulator) == [200, 206]


def test_one_that_breaks_again_and_again_but_gets_on_is_not_given_up(new_client, emulator, large, tmp_path):
    job, content = large
    emulator.faults.add("download_file", "truncate", "truncate")
    fetch(new_client(max_attempts=2), job, tmp_path / "out", content)
    assert statuses(emulator) == [200, 206, 206]


def test_one_that_does_not_get_on_is_given_up(new_client, emulator, large, tmp_path):
    job, content = large
    emulator.faults.add("download_file", "truncate", "503", "reset-before")
    with pytest.raises(RenderjuiceTransferError, match="could not be downloaded"):
        new_client(max_attempts=3).download_outputs(job.id, tmp_path / "out")
    fetch(new_client(), job, tmp_path / "out", content)
    assert statuses(emulator)[-1] == 206


def test_a_file_that_changed_meanwhile_comes_whole(client, emulator, large, tmp_path):
    job, _ = large
    path = emulator.jobs[job.id].outputs[0].path
    emulator.faults.add("download_file", "truncate", "404")
    with pytest.raises(RenderjuiceTransferError):
        client.download_outputs(job.id, tmp_path / "out")
    changed = os.urandom(SIZE + 1)
    path.write_bytes(changed)
    fetch(client, job, tmp_path / "out", changed)
    assert statuses(emulator) == [200, 404, 200]


def test_a_store_without_ranges_sends_it_whole(client, emulator, large, tmp_path):
    job, content = large
    emulator.switches.ranges = False
    emulator.faults.add("download_file", "truncate")
    fetch(client, job, tmp_path / "out", content)
    assert statuses(emulator) == [200, 200]


def test_a_piece_that_waits_for_a_fresh_url_is_gone_on_with(client, emulator, large, tmp_path):
    job, content = large
    emulator.faults.add("download_file", "truncate", "expired")
    fetch(client, job, tmp_path / "out", content)
    assert statuses(emulator) == [200, 403, 206]


def test_what_is_gone_on_with_ends_with_a_start_when_the_store_refuses_the_rest(client, emulator, large, tmp_path):
    job, content = large
    emulator.faults.add("download_file", "truncate", "416")
    fetch(client, job, tmp_path / "out", content)
    assert statuses(emulator) == [200, 416, 200]


@contextmanager
def given_up(client, emulator, job, out):
    """A download that failed half-way, and left a partial file."""
    emulator.faults.add("download_file", "truncate", "404")
    with pytest.raises(RenderjuiceTransferError, match="could not be downloaded"):
        client.download_outputs(job.id, out)
    (left,) = partial_files(out)
    assert left.stat().st_size == SIZE // 2
    yield left


def test_the_next_download_goes_on_with_what_a_failed_one_has_left(new_client, emulator, large, tmp_path):
    job, content = large
    with given_up(new_client(), emulator, job, tmp_path / "out"):
        fetch(new_client(), job, tmp_path / "out", content)
    assert statuses(emulator) == [200, 404, 206]


@pytest.mark.parametrize("damage", ["a byte", "its end", "the journal"])
def test_what_is_not_as_it_was_noted_is_fetched_from_the_start(new_client, emulator, large, tmp_path, damage):
    job, content = large
    with given_up(new_client(), emulator, job, tmp_path / "out") as left:
        if damage == "a byte":
            with left.open("r+b") as file:
                file.seek(1000)
                file.write(bytes(16))
        elif damage == "its end":
            os.truncate(left, SIZE // 4)
        else:
            (tmp_path / "out" / JOURNAL).unlink()
            left.unlink()
        fetch(new_client(), job, tmp_path / "out", content)
    assert statuses(emulator) == [200, 404, 200]


def test_what_killed_downloads_have_left_is_removed_once_it_is_old(new_client, emulator, large, tmp_path):
    job, content = large
    frames = tmp_path / "out/frames"
    frames.mkdir(parents=True)
    names = [".0001.png.0000000a.part", ".0001.png.0000000b.part", ".0002.png.0000000c.part", ".notes.part"]
    for name in names:
        (frames / name).write_bytes(b"half")
        os.utime(frames / name, (0, 0))
    (frames / names[1]).write_bytes(b"at work")
    new_client().download_outputs(job.id, tmp_path / "out")
    assert [name for name in names if (frames / name).exists()] == names[1:]
    assert (frames / "0001.png").read_bytes() == content


def test_a_validator_that_no_store_has_sent_is_not_sent_to_one(new_client, emulator, large, tmp_path):
    job, content = large
    with given_up(new_client(), emulator, job, tmp_path / "out"):
        journal = tmp_path / "out" / JOURNAL
        entries = [json.loads(line) for line in journal.read_text().split("\n") if line]
        journal.write_text(json.dumps(entries[-1] | {"validator": '"x"\r\nCookie: y'}))
        fetch(new_client(max_attempts=1), job, tmp_path / "out", content)
    assert statuses(emulator) == [200, 404, 200]


def test_a_partial_file_that_is_in_use_is_left_alone(new_client, emulator, large, tmp_path):
    job, content = large
    with given_up(new_client(), emulator, job, tmp_path / "out") as left, left.open("r+b") as file:
        flock(file, LOCK_EX)
        report = new_client().download_outputs(job.id, tmp_path / "out")
        assert left.stat().st_size == SIZE // 2
        assert (tmp_path / "out" / report.files[0].place).read_bytes() == content
    assert statuses(emulator) == [200, 404, 200]


def test_a_partial_file_of_another_job_is_removed(new_client, emulator, large, tmp_path):
    job, _ = large
    with given_up(new_client(), emulator, job, tmp_path / "out") as left:
        other = completed(new_client(), tmp_path, frame_end=3)
        new_client().download_outputs(other.id, tmp_path / "out")
        assert not left.exists()


def test_what_was_left_of_a_zip_goes_when_the_frames_have_come_alone(new_client, emulator, large, tmp_path):
    job, content = large
    left = tmp_path / "out/.frames.zip.00000000.part"
    left.parent.mkdir()
    left.write_bytes(b"half")
    line = {"job": job.id, "place": "frames.zip", "size": 4, "sha256": "00", "partial": left.name, "validator": '"x"'}
    (tmp_path / "out" / JOURNAL).write_text(json.dumps(line))
    fetch(new_client(), job, tmp_path / "out", content)


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("frames/0001.png", "../../.victim.00000000.part"),
        ("frames/0001.png", "/etc/passwd"),
        ("frames/0001.png", ".victim.00000000.part"),
        ("../victim", ".victim.00000000.part"),
        ("frames/../../victim", ".victim.00000000.part"),
        ("frames/x", ".victim.00000000.part"),
    ],
)
def test_a_journal_names_no_file_but_partial_ones_of_its_place(new_client, emulator, large, tmp_path, place, name):
    job, _ = large
    victims = [tmp_path / ".victim.00000000.part", tmp_path / "out/frames/.victim.00000000.part"]
    victims[1].parent.mkdir(parents=True)
    for victim in victims:
        victim.write_bytes(b"mine")
    line = {"job": job.id, "place": place, "size": 4, "sha256": "00", "partial": name, "validator": '"x"'}
    (tmp_path / "out" / JOURNAL).write_text(json.dumps(line))
    new_client().download_outputs(job.id, tmp_path / "out")
    assert [victim.read_bytes() for victim in victims] == [b"mine", b"mine"]


def test_a_full_disk_keeps_no_piece(new_client, emulator, large, tmp_path, monkeypatch):
    job, _ = large

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    emulator.faults.add("download_file", "truncate")
    with pytest.raises(RenderjuiceTransferError, match="No space left on device"):
        new_client().download_outputs(job.id, tmp_path / "out")
    assert partial_files(tmp_path / "out") == []


def test_in_a_store_nothing_is_left_of_a_file_that_failed(new_client, emulator, large, tmp_path, monkeypatch):
    import tempfile

    from upath import UPath

    job, content = large
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    emulator.faults.add("download_file", "truncate", "404")
    remote = UPath(f"memory://broken-{tmp_path.name}/out")
    with pytest.raises(RenderjuiceTransferError):
        new_client().download_outputs(job.id, remote)
    assert files_below(tmp_path / "temporary") == set()
    emulator.faults.add("download_file", "truncate")
    new_client().download_outputs(job.id, remote)
    assert (remote / "frames/0001.png").read_bytes() == content
    assert statuses(emulator) == [200, 404, 200, 206]


CHILD = """
    import sys
    from renderjuice_provider.api import _partial_file, _resuming
    from renderjuice_provider.api.client import RenderjuiceClient
    _resuming.WORTH = _partial_file.NOTED = 1 << 20
    RenderjuiceClient(*sys.argv[1:3]).download_outputs(*sys.argv[3:])
"""


def test_a_process_that_is_killed_leaves_what_the_next_goes_on_with(new_client, emulator, large, tmp_path):
    job, content = large
    out = tmp_path / "out"
    emulator.faults.add("download_file", "slow 8MB/s")
    command = [sys.executable, "-c", textwrap.dedent(CHILD), emulator.api_key, emulator.base_url, job.id, str(out)]
    child = subprocess.Popen(command)
    deadline = time.monotonic() + 30
    while '"partial"' not in (out / JOURNAL).read_text() if (out / JOURNAL).exists() else True:
        assert time.monotonic() < deadline
        assert child.poll() is None
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert len(partial_files(out)) == 1
    fetch(new_client(), job, out, content)
    assert statuses(emulator)[-1] == 206
