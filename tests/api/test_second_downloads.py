"""What a download has left whole is not fetched again, in whatever process the next one runs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from renderjuice_provider.api._flow import Received
from renderjuice_provider.api._journal import JOURNAL, Journal
from renderjuice_provider.api._resuming import PartialFiles
from renderjuice_provider.api.errors import RenderjuiceTransferError
from renderjuice_provider.storage import LocalFolder, folder, whole_file
from tests.support.both_clients import completed, files_below

LATER = {"colorManagementPreset": "default", "frameRanges": ["1-6"]}


@pytest.fixture(params=["a folder here", "an object store"])
def out(request, tmp_path):
    if request.param.startswith("a folder"):
        return tmp_path / "out"
    from upath import UPath

    return UPath(f"memory://{tmp_path.name}/out")


def fetched(emulator):
    return emulator.ledger.count("download_file")


def content_of(out, report):
    return {file.place: hashlib.sha256((out / file.place).read_bytes()).hexdigest() for file in report.files}


def test_the_second_download_fetches_no_file_and_reports_the_same(new_client, emulator, tmp_path, out):
    job = completed(new_client(), tmp_path, views=["left", "right"], compositor_outputs=["beauty"])
    first = new_client().download_outputs(job.id, out)
    before = fetched(emulator)
    second = new_client().download_outputs(job.id, out)
    assert fetched(emulator) == before == 9
    assert second == first
    assert (first.already_there, second.already_there) == (0, 9)
    assert content_of(out, second) == {file.place: file.sha256 for file in second.files}


def test_what_was_replaced_or_removed_meanwhile_is_fetched_again(client, emulator, tmp_path, out):
    job = completed(client, tmp_path)
    first = client.download_outputs(job.id, out)
    changed, gone, whole = (out / file.place for file in first.files)
    changed.write_bytes(bytes(first.files[0].size))
    gone.unlink()
    before = fetched(emulator)
    second = client.download_outputs(job.id, out)
    assert fetched(emulator) - before == 2
    assert second.already_there == 1
    assert content_of(out, second) == {file.place: file.sha256 for file in first.files}
    assert whole.exists()


def test_what_another_job_has_brought_to_the_same_place_is_replaced(client, emulator, tmp_path, out):
    client.download_outputs(completed(client, tmp_path, name="one.blend").id, out)
    job = completed(client, tmp_path, name="two.blend")
    assert client.download_outputs(job.id, out).already_there == 0
    assert client.download_outputs(job.id, out).already_there == 3
    assert fetched(emulator) == 6


def test_a_download_that_failed_goes_on_where_it_ended(new_client, emulator, tmp_path, out):
    job = completed(new_client(), tmp_path, LATER, frame_end=6)
    emulator.faults.add("download_file", "ok", "ok", "ok", "404")
    with pytest.raises(RenderjuiceTransferError, match="could not be downloaded"):
        new_client(max_transfers=1).download_outputs(job.id, out)
    report = new_client().download_outputs(job.id, out)
    assert (report.already_there, fetched(emulator)) == (3, 7)
    assert content_of(out, report) == {file.place: file.sha256 for file in report.files}


def test_a_file_that_came_empty_is_asked_for_again(client, emulator, tmp_path, out):
    job = completed(client, tmp_path)
    path = emulator.jobs[job.id].outputs[0].path
    content = path.read_bytes()
    path.write_bytes(b"")
    client.download_outputs(job.id, out)
    path.write_bytes(content)
    assert client.download_outputs(job.id, out).already_there == 2
    assert (out / "frames/0001.png").read_bytes() == content


def test_what_a_stores_own_library_raises_is_an_error_of_ours_and_what_came_is_noted(
    client, emulator, tmp_path, monkeypatch
):
    from fsspec.implementations.memory import MemoryFileSystem
    from upath import UPath

    class StoreError(Exception):
        pass

    job = completed(client, tmp_path)
    out = UPath(f"memory://{tmp_path.name}/out")
    put = MemoryFileSystem.put_file

    def fails(self, here, there, **more):
        if "0002.png" in there:
            raise StoreError("refused: https://store.test/out/0002.png?signature=sIgNaTuRe")
        put(self, here, there, **more)

    monkeypatch.setattr(MemoryFileSystem, "put_file", fails)
    with pytest.raises(RenderjuiceTransferError, match="StoreError: refused") as caught:
        client.download_outputs(job.id, out)
    assert "sIgNaTuRe" not in str(caught.value)
    monkeypatch.undo()
    there = len(list((out / "frames").iterdir()))
    assert client.download_outputs(job.id, out).already_there == there


@pytest.mark.parametrize(("stamp", "is_known"), [({}, False), ({"etag": "1"}, True), ({"last_modified": "1"}, True)])
def test_where_versions_cannot_be_distinguished_nothing_is_taken_for_whole(tmp_path, stamp, is_known):
    from upath import UPath

    out = UPath(f"memory://{tmp_path.name}/out")
    (out / "frames").mkdir(parents=True)
    (out / "frames/0001.png").write_bytes(b"whole")
    target = folder(out)

    class Store:
        def __getattr__(self, name):
            return getattr(out.fs, name)

        def find(self, *args, **kwargs):
            found = out.fs.find(*args, **kwargs)
            return {path: {"size": about["size"]} | stamp for path, about in found.items()}

    target.root = type("Root", (), {"fs": Store(), "path": out.path, "joinpath": out.joinpath})()
    journal = Journal.of(target, "job")
    journal.note("frames/0001.png", Received(5, "00"))
    journal.save()
    assert (Journal.of(target, "job").whole("frames/0001.png") is not None) == is_known


def test_more_outputs_than_before_are_fetched_alone(client, emulator, tmp_path, out):
    job = completed(client, tmp_path, LATER, frame_end=6)
    outputs = emulator.jobs[job.id].outputs
    later, outputs[3:] = outputs[3:], []
    assert len(client.download_outputs(job.id, out).files) == 3
    outputs.extend(later)
    report = client.download_outputs(job.id, out)
    assert (len(report.files), report.already_there, fetched(emulator)) == (6, 3, 6)


def test_the_journal_names_no_url(client, tmp_path, out):
    client.download_outputs(completed(client, tmp_path).id, out)
    text = (out / str(JOURNAL)).read_text()
    assert text.count('"sha256"') == 3
    assert "://" not in text
    assert "token" not in text


@pytest.mark.parametrize(
    "damage", [b"", b"\xff\x00garbage", b'{"job": 3}', b"[[[[", b"[" * 100_000, b'{"size": "1"}\n7']
)
def test_lines_that_cannot_be_read_are_files_that_are_fetched_again(client, emulator, tmp_path, damage):
    job = completed(client, tmp_path)
    client.download_outputs(job.id, tmp_path / "out")
    journal = tmp_path / "out" / JOURNAL
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([damage, *lines[:2], lines[-1][:40]]))
    report = client.download_outputs(job.id, tmp_path / "out")
    assert report.already_there == 1
    assert client.download_outputs(job.id, tmp_path / "out").already_there == 3


@settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
@given(
    content=st.binary(max_size=200)
    | st.lists(
        st.dictionaries(
            st.sampled_from(["job", "place", "size", "sha256", "partial", "validator", "stamp", "more"]),
            st.integers() | st.text(max_size=8) | st.sampled_from(["x", "", "a\0", "\ud800", ".x.00000000.part"]),
        ),
        max_size=4,
    ).map(lambda lines: "\n".join(map(json.dumps, lines)).encode())
)
def test_whatever_a_journal_says_only_what_is_there_counts(tmp_path_factory, content):
    root = tmp_path_factory.mktemp("any")
    (root / JOURNAL).write_bytes(content)
    journal = Journal.of(LocalFolder(root), "x")
    assert journal.whole("x") is None
    PartialFiles(LocalFolder(root), journal).clean()
    journal.note("x", Received(1, "00"))
    assert (root / JOURNAL).read_bytes().startswith(content)


def test_fields_of_a_later_version_do_no_harm(tmp_path):
    (tmp_path / "a.png").write_bytes(b"abc")
    entry = {"job": "j", "place": "a.png", "size": 3, "sha256": hashlib.sha256(b"abc").hexdigest(), "later": [1]}
    (tmp_path / JOURNAL).write_text(json.dumps(entry))
    assert Journal.of(folder(tmp_path), "j").whole("a.png") == Received(3, entry["sha256"])


def test_without_a_journal_files_are_whole_all_the_same(client, emulator, tmp_path):
    job = completed(client, tmp_path)
    (tmp_path / "out" / JOURNAL).mkdir(parents=True)
    assert len(client.download_outputs(job.id, tmp_path / "out").files) == 3
    assert client.download_outputs(job.id, tmp_path / "out").already_there == 0
    assert fetched(emulator) == 6


def test_two_downloads_at_once_write_whole_lines(tmp_path):
    from threading import Thread

    journals = [Journal.of(LocalFolder(tmp_path), "j") for _ in range(4)]
    threads = [
        Thread(target=lambda journal=journal: [journal.note(f"{n}.png", Received(n, "0" * 64)) for n in range(200)])
        for journal in journals
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = (tmp_path / JOURNAL).read_text().split("\n")[1:]
    assert sorted(json.loads(line)["size"] for line in lines) == sorted([*range(200)] * 4)


class DiedError(OSError):
    """The process is gone."""


def _store(monkeypatch, *, dies_at):
    """A store in which an object can be seen while it is being written."""
    from fsspec.implementations.local import LocalFileSystem
    from upath import UPath

    sent = []

    def put_file(self, here, there, **_):
        sent.append(there)
        with Path(here).open("rb") as source, Path(there).open("wb") as target:
            content = source.read()
            target.write(content[: len(content) // 2])
            target.flush()
            if len(sent) == dies_at:
                raise DiedError
            target.write(content[len(content) // 2 :])

    monkeypatch.setattr(LocalFileSystem, "put_file", put_file)
    return sent, lambda path: UPath(f"file://{path}")


@pytest.mark.parametrize("rename", ["replaces", "fails", "does nothing"])
def test_an_object_is_never_half_there_under_its_name(tmp_path, monkeypatch, rename):
    from fsspec.implementations.local import LocalFileSystem

    from renderjuice_provider.storage import RemoteFolder

    sent, path_of = _store(monkeypatch, dies_at=2)

    def mv(self, before, after, **_):
        if rename == "replaces" or not Path(after).exists():
            Path(before).replace(after)
        elif rename == "fails":
            raise FileExistsError(17, "File exists", after)

    monkeypatch.setattr(LocalFileSystem, "mv", mv)
    remote = RemoteFolder(path_of(tmp_path / "out"))

    def put(text):
        with whole_file(remote, "a.txt") as path:
            path.write_text(text)

    put("first of all")
    with pytest.raises(DiedError):
        put("the second one")
    assert (tmp_path / "out/a.txt").read_text() == "first of all"
    put("the third one")
    assert (tmp_path / "out/a.txt").read_text() == "the third one"
    assert files_below(tmp_path / "out") == {"a.txt"}
    assert not any(name.endswith("/a.txt") for name in sent)


@pytest.mark.parametrize("protocol", ["s3", ("gs", "gcs"), "memory"])
def test_only_where_an_object_could_be_seen_half_it_is_sent_under_another_name(tmp_path, monkeypatch, protocol):
    from fsspec.implementations.memory import MemoryFileSystem
    from upath import UPath

    remote = folder(UPath(f"memory://{tmp_path.name}/[1]"))
    sent = []
    put_file = MemoryFileSystem.put_file
    monkeypatch.setattr(MemoryFileSystem, "protocol", protocol)
    monkeypatch.setattr(
        MemoryFileSystem, "put_file", lambda self, here, there, **_: sent.append(there) or put_file(self, here, there)
    )
    with whole_file(remote, "a [2].txt") as path:
        path.write_text("abc")
    assert (remote.root / "a [2].txt").read_text() == "abc"
    assert [file.place for file in remote.files("")] == ["a [2].txt"]
    assert [name.endswith("/a [2].txt") for name in sent] == [protocol != "memory"]


def test_outputs_are_sent_to_a_store_side_by_side(client, tmp_path, monkeypatch):
    from threading import Barrier

    from fsspec.implementations.memory import MemoryFileSystem
    from upath import UPath

    both = Barrier(2)
    put_file = MemoryFileSystem.put_file

    def put(self, here, there, **_):
        if "frames" in there:
            both.wait(10)  # breaks when no other file is on its way
        put_file(self, here, there)

    job = completed(client, tmp_path, {"colorManagementPreset": "default", "frameRanges": ["1-4"]}, frame_end=4)
    monkeypatch.setattr(MemoryFileSystem, "put_file", put)
    assert len(client.download_outputs(job.id, UPath(f"memory://{tmp_path.name}/out")).files) == 4
