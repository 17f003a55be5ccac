"""Outputs land whole, under names of their own, or not at all."""

from __future__ import annotations

import hashlib
import tempfile
import threading
from pathlib import Path, PurePosixPath

import fsspec
import pytest

from renderjuice_provider.api.errors import RenderjuiceInputError, RenderjuiceTransferError
from renderjuice_provider.storage import LocalFolder, RemoteFolder, folder, whole_file
from tests.support.both_clients import KINDS, completed, connect, files_below
from tests.support.http_server import JOB_ID, Reply, a_job, answer, serving

FRAMES = {f"frames/000{number}.png" for number in (1, 2, 3)}


def store(files, status="completed", content_type="image/png", **lists):
    """An API and a store.

    `files` by name, listed as legacy frames unless `lists` says otherwise.
    """

    def reply(request):
        path = request.path.partition("?")[0]
        if path.endswith("/downloads"):
            here = f"http://{request.headers['Host']}"
            named = {kind: [item | {"url": f"{here}{item['url']}"} for item in items] for kind, items in lists.items()}
            return answer(
                {"frames": [] if lists else [f"{here}/{name}" for name in files], "compositeNodes": []} | named
            )
        if path.startswith("/jobs/"):
            return answer(a_job(status))
        return Reply(200, files[path[1:]], {"Content-Type": content_type})

    return serving(reply)


def test_the_report_reports_size_and_hash_of_what_lies_there(client, tmp_path):
    job = completed(client, tmp_path, views=["left", "right"], compositor_outputs=["beauty"])
    report = client.download_outputs(job.id, tmp_path / "out")
    assert len(report.frames) == 6
    assert {file.view for file in report.frames} == {"left", "right"}
    assert {file.node for file in report.composites} == {"beauty"}
    assert files_below(tmp_path / "out") == {file.place for file in report.files}
    for file in report.files:
        content = (tmp_path / "out" / file.place).read_bytes()
        assert (file.size, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert report.size == sum(file.size for file in report.files)
    assert report.to_json()["bytes"] == report.size
    assert report.to_json()["files"][0].keys() == {"place", "kind", "size", "sha256", "view", "node"}


def test_downloading_again_replaces_what_was_there(client, tmp_path):
    job = completed(client, tmp_path)
    first = client.download_outputs(job.id, tmp_path / "out")
    (tmp_path / "out/frames/0001.png").write_bytes(b"old")
    assert client.download_outputs(job.id, str(tmp_path / "out")) == first
    assert files_below(tmp_path / "out") == FRAMES
    assert (tmp_path / "out/frames/0001.png").stat().st_size == first.files[0].size


@pytest.mark.parametrize("fault", ["truncate", "reset-after", "503", "nonsense", "404"])
def test_a_failed_download_leaves_neither_pieces_nor_a_half_file(new_client, emulator, tmp_path, fault):
    client = new_client(max_attempts=2)
    job = completed(client, tmp_path)
    emulator.faults.add("download_file", *[fault] * 6)
    with pytest.raises(RenderjuiceTransferError, match=r"could not be downloaded\. .* paid and kept: download again"):
        client.download_outputs(job.id, tmp_path / "out")
    emulator.faults.clear()
    assert files_below(tmp_path / "out") <= FRAMES
    for path in (tmp_path / "out").rglob("*.png"):
        assert (
            path.read_bytes()
            == next(o.path for o in emulator.jobs[job.id].outputs if o.path.name == path.name).read_bytes()
        )


def test_a_file_appears_only_when_it_is_whole(client, emulator, tmp_path):
    job = completed(client, tmp_path)
    emulator.faults.add("download_file", *["stall-after 0.3"] * 3)
    seen, stop = set(), threading.Event()

    def watch():
        while not stop.wait(0.005):
            seen.update((path.name, path.stat().st_size) for path in (tmp_path / "out").rglob("0*.png"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    report = client.download_outputs(job.id, tmp_path / "out")
    stop.set()
    watcher.join()
    assert seen <= {(PurePosixPath(file.place).name, file.size) for file in report.files}


def test_expired_urls_are_renewed_once_for_all_files(client, emulator, tmp_path):
    job = completed(client, tmp_path, frame_end=12, compositor_outputs=["beauty"])
    lifetimes = iter([-1.0, 900.0])
    original = type(emulator.parts.storage).file_url
    asked = []

    def file_url(self, *arguments):
        if not asked or asked[-1] != emulator.ledger.count("get_downloads"):
            asked.append(emulator.ledger.count("get_downloads"))
            emulator.switches.output_url_seconds = next(lifetimes)
        return original(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(emulator.parts.storage), "file_url", file_url)
        report = client.download_outputs(job.id, tmp_path / "out")
    assert len(report.files) == 6
    assert emulator.ledger.count("get_downloads") == 2
    assert emulator.ledger.count("download_file", status=403) <= 4


def test_urls_that_expire_again_and_again_do_not_matter_while_files_arrive(client, emulator, tmp_path):
    job = completed(client, tmp_path, {"colorManagementPreset": "default", "frameRanges": ["1-8"]}, frame_end=8)
    emulator.faults.add("download_file", *["ok", "expired"] * 8)
    report = client.download_outputs(job.id, tmp_path / "out")
    assert len(report.files) == 8
    emulator.faults.clear()


def test_urls_that_are_never_any_good_are_given_up(client, emulator, tmp_path):
    job = completed(client, tmp_path)
    emulator.switches.output_url_seconds = -1
    with pytest.raises(RenderjuiceTransferError, match=r"3 outputs .*3 times, fresh URLs were refused.*paid and kept"):
        client.download_outputs(job.id, tmp_path / "out")
    assert emulator.ledger.count("get_downloads") == 4
    assert files_below(tmp_path / "out") == set()


def test_views_and_nodes_with_the_same_file_name_do_not_overwrite_each_other(new_client, tmp_path):
    files = {str(number): bytes([number]) * 10 for number in range(6)}
    frames = [{"url": f"/{n}", "fileName": "0001.png", "view": view} for n, view in enumerate(["L", "R", None])]
    nodes = [{"url": f"/{n}", "fileName": "0001.png", "compositeNodeName": "File Output"} for n in (3, 4, 5)]
    with store(files, frameOutputs=frames, compositeNodeOutputs=nodes) as server:
        report = new_client(base_url=server.url).download_outputs(JOB_ID, tmp_path / "out")
    written = [(tmp_path / "out" / file.place).read_bytes() for file in report.files]
    assert written == list(files.values())
    assert [file.place for file in report.files] == [
        "frames/L/0001.png",
        "frames/R/0001.png",
        "frames/0001.png",
        "composites/File Output/0001.png",
        "composites/File Output/copy-2/0001.png",
        "composites/File Output/copy-3/0001.png",
    ]


def test_hostile_names_of_a_real_answer_stay_below_the_destination(client, emulator, tmp_path):
    emulator.switches.hostile_names = {"0001.png": "../../../escaped.png", "beauty/0001.png": "/etc/../../passwd"}
    job = completed(client, tmp_path, compositor_outputs=["beauty"])
    before = files_below(tmp_path)
    report = client.download_outputs(job.id, tmp_path / "deep/out")
    assert len(report.files) == 6
    new = files_below(tmp_path) - before
    assert new == {f"deep/out/{file.place}" for file in report.files}


def test_an_empty_file_is_a_file(new_client, tmp_path):
    with store({"0001.png": b""}) as server:
        report = new_client(base_url=server.url).download_outputs(JOB_ID, tmp_path / "out")
    assert (report.size, files_below(tmp_path / "out")) == (0, {"frames/0001.png"})


@pytest.mark.parametrize("status", [204, 206, 202])
def test_a_success_without_the_whole_file_is_not_a_success(new_client, tmp_path, status):
    def reply(request):
        if request.path.endswith("/downloads"):
            return answer({"frames": [f"http://{request.headers['Host']}/0001.png"]})
        return answer(a_job("completed")) if request.path.startswith("/jobs") else Reply(status)

    with serving(reply) as server, pytest.raises(RenderjuiceTransferError, match=f"answered {status} without the file"):
        new_client(base_url=server.url, max_attempts=2).download_outputs(JOB_ID, tmp_path / "out")


def test_a_file_that_is_no_longer_listed_is_reported(new_client, tmp_path):
    reads = []

    def reply(request):
        if request.path.endswith("/downloads"):
            reads.append(1)
            return answer({"frames": [f"http://{request.headers['Host']}/{len(reads)}.png"]})
        return answer(a_job("completed")) if request.path.startswith("/jobs") else Reply(403)

    with serving(reply) as server, pytest.raises(RenderjuiceTransferError, match="no longer among the outputs"):
        new_client(base_url=server.url).download_outputs(JOB_ID, tmp_path / "out")


@pytest.mark.parametrize("what", ["a file where the folder should be", "a folder where the file should be"])
def test_a_destination_that_cannot_be_written_is_reported_as_such(client, tmp_path, what):
    job = completed(client, tmp_path)
    if what.startswith("a file"):
        (tmp_path / "out").write_bytes(b"")
    else:
        (tmp_path / "out/frames/0002.png/x").mkdir(parents=True)
    with pytest.raises(RenderjuiceTransferError, match="Cannot write below the destination"):
        client.download_outputs(job.id, tmp_path / "out")
    assert not list(tmp_path.rglob("*.part"))


def test_a_full_disk_is_reported_as_such_and_nothing_is_left(client, tmp_path, monkeypatch):
    import os

    def full(_):
        raise OSError(28, "No space left on device")

    job = completed(client, tmp_path)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RenderjuiceTransferError, match="No space left on device"):
        client.download_outputs(job.id, tmp_path / "out")
    assert files_below(tmp_path / "out") == set()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("maker", ["universal_pathlib", "airflow"])
def test_outputs_and_scenes_may_live_in_any_store(emulator, tmp_path, scene, kind, maker, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if maker == "airflow":
        from airflow.sdk import ObjectStoragePath as RemotePath
        from airflow.sdk.io import attach

        attach("memory", fs=fsspec.filesystem("memory"))
    else:
        from upath import UPath as RemotePath
    remote = RemotePath(f"memory://{maker}-{kind}/shots")
    remote.mkdir(parents=True, exist_ok=True)
    (remote / "shot.blend").write_bytes(scene.read_bytes())

    client = connect(kind, emulator)
    job = client.create_job(client.upload(remote / "shot.blend").slug)
    assert emulator.ledger.accounts[job.id].sha256 == hashlib.sha256(scene.read_bytes()).hexdigest()
    report = client.download_outputs(completed(client, tmp_path).id, remote / "out")
    assert {file.place for file in report.files} == FRAMES
    for file in report.files:
        assert hashlib.sha256((remote / "out" / file.place).read_bytes()).hexdigest() == file.sha256
    assert not list(tmp_path.glob("renderjuice-*/*/*"))
    client.close()


def test_a_store_whose_library_is_missing_is_reported_as_such(client, tmp_path):
    remote = pytest.importorskip("upath").UPath("hdfs://nowhere/shot.blend")
    try:
        remote.exists()
    except ImportError:
        pass
    else:
        pytest.skip("here it is not missing")
    job = completed(client, tmp_path)
    with pytest.raises(RenderjuiceInputError, match=r"shot\.blend cannot be read: No module named"):
        client.upload(remote)
    with pytest.raises(RenderjuiceTransferError, match="Cannot write below the destination: No module named"):
        client.download_outputs(job.id, remote.parent)


def test_a_remote_folder_s_pieces_go_with_it(tmp_path, monkeypatch):
    from upath import UPath

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    remote = folder(UPath("memory://bucket"))
    assert isinstance(remote, RemoteFolder)
    remote.partial_file(PurePosixPath("frames/0001.png")).write_bytes(b"")
    assert files_below(tmp_path)
    del remote
    assert list(tmp_path.iterdir()) == []


def test_local_paths_in_any_dress_are_local(tmp_path):
    from upath import UPath

    for path in (tmp_path, str(tmp_path), UPath(tmp_path), UPath(f"file://{tmp_path}")):
        local = folder(path)
        assert isinstance(local, LocalFolder)
        assert local.root == Path(tmp_path)


def test_two_downloads_to_one_place_never_write_into_the_same_piece(tmp_path):
    place = PurePosixPath("frames/0001.png")
    assert LocalFolder(tmp_path).partial_file(place) != LocalFolder(tmp_path).partial_file(place)


def test_legacy_urls_are_named_by_what_their_path_ends_with(new_client, tmp_path):
    with store({"a%20b/0001.png": b"x", "0002.png": b"y", "0002.png?same=1": b"z"}) as server:
        report = new_client(base_url=server.url).download_outputs(JOB_ID, tmp_path / "out")
    assert {file.place for file in report.files} == {"frames/0001.png", "frames/0002.png", "frames/copy-2/0002.png"}


@pytest.mark.parametrize("there", [False, True])
def test_a_file_that_could_not_be_written_leaves_neither_a_piece_nor_a_change(tmp_path, there):
    if there:
        (tmp_path / "a.txt").write_text("before")

    def write():
        with whole_file(folder(tmp_path), "a.txt") as path:
            path.write_text("half")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        write()
    assert [file.read_text() for file in tmp_path.iterdir()] == ["before"] * there
