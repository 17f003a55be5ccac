"""Every endpoint, by both clients: the same names, the same results."""

from __future__ import annotations

import asyncio
import hashlib
import inspect
import threading
from datetime import UTC, datetime

import pytest

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api.client import AsyncRenderjuiceClient, RenderjuiceClient
from renderjuice_provider.api.config import RenderConfig
from renderjuice_provider.api.errors import RenderjuiceAuthenticationError, RenderjuiceNotFoundError
from tests.support.both_clients import CONFIG, completed, connect, created, operations, validated, wait_for

NOBODY = "00000000-0000-4000-8000-000000000000"


def test_both_clients_have_the_same_names_and_arguments():
    def interface(kind):
        methods = inspect.getmembers(kind, inspect.isfunction)
        return {name: list(inspect.signature(method).parameters) for name, method in methods if name[0] != "_"}

    assert interface(RenderjuiceClient) == interface(AsyncRenderjuiceClient)
    assert interface(RenderjuiceClient).keys() >= {"create_upload", "upload", "create_job", "get_job", "list_jobs"}


def test_an_upload_target_has_a_url_a_slug_and_an_end(client):
    target = client.create_upload("shot.blend", "blend")
    assert target.slug
    assert target.upload_url.startswith("http://127.0.0.1")
    assert target.expires_at > datetime.now(UTC)


def test_an_upload_arrives_byte_for_byte(client, emulator, tmp_path):
    scene = write_scene(tmp_path / "shot.blend", size=3 * 1024**2 + 7)
    job = client.create_job(client.upload(scene).slug)
    assert emulator.ledger.accounts[job.id].sha256 == hashlib.sha256(scene.read_bytes()).hexdigest()
    assert operations(emulator) == ["create_upload", "put_upload", "create_job"]


def test_a_path_may_be_text(client, emulator, scene):
    assert client.upload(str(scene)).slug


def test_a_job_is_created_and_read(client, scene):
    job = client.create_job(client.upload(scene).slug)
    assert job.status == "created"
    assert client.get_job(job.id) == job
    assert client.get_job(job.id.upper()).id == job.id


def test_the_list_goes_over_all_pages(client, emulator, scene):
    emulator.switches.max_page_size = 2
    slug = client.upload(scene).slug
    ids = {client.create_job(slug).id for _ in range(5)}
    listed = [job.id for job in client.list_jobs()]
    assert len(listed) == 5
    assert set(listed) == ids
    assert emulator.ledger.count("list_jobs") == 3


def test_the_list_can_be_of_one_status(client, scene):
    slug = client.upload(scene).slug
    first, second = client.create_job(slug), client.create_job(slug)
    client.cancel_job(second.id)
    assert [job.id for job in client.list_jobs("created")] == [first.id]
    assert [job.id for job in client.list_jobs("canceled")] == [second.id]
    assert client.list_jobs("completed") == []


def test_the_list_asks_for_a_page_only_when_it_is_wanted(emulator, scene):
    emulator.switches.max_page_size = 1
    client = connect("blocking", emulator)
    slug = client.upload(scene).slug
    for _ in range(3):
        client.create_job(slug)
    jobs = client.client.list_jobs()
    next(jobs)
    assert emulator.ledger.count("list_jobs") == 1
    client.close()


def test_validation_is_started_and_finds_the_scene(client, tmp_path):
    job = created(client, tmp_path, frame_end=24)
    assert client.validate_job(job.id).status == "validating"
    assert wait_for(client, job.id, "validated").analysis["frameEnd"] == 24


@pytest.mark.parametrize("config", [CONFIG, RenderConfig(color_management_preset="default", frame_ranges=["1-3"])])
def test_a_render_is_started_and_completes(client, emulator, tmp_path, config):
    job = validated(client, tmp_path)
    assert client.start_render(job.id, config).status == "booting"
    done = wait_for(client, job.id, "completed")
    assert done.requested_config == CONFIG
    assert done.normalized_seconds > 0
    assert emulator.ledger.renders_started() == 1


def test_a_render_is_cancelled(client, emulator, tmp_path):
    job = validated(client, tmp_path, seconds_per_frame=1000)
    client.start_render(job.id, CONFIG)
    assert client.cancel_job(job.id).status == "canceled"
    assert emulator.ledger.jobs_left_running() == []


def test_progress_of_one_job_and_of_all(client, tmp_path):
    job = validated(client, tmp_path, seconds_per_frame=1000)
    assert client.get_progress(job.id) == client.get_progress() == ()
    client.start_render(job.id, CONFIG)
    wait_for(client, job.id, "rendering")
    (one,) = client.get_progress(job.id)
    (of_all,) = client.get_progress()
    assert (one.job_id, one.frames_done, one.frames_total, one.percent) == (job.id, 0, 3, 0.0)
    assert of_all == one
    assert str(one) == "0 of 3 frames, 0 %"


def test_downloads_are_listed_once_the_job_is_over(client, tmp_path):
    job = validated(client, tmp_path)
    assert client.get_downloads(job.id).frame_files == ()
    client.start_render(job.id, CONFIG)
    wait_for(client, job.id, "completed")
    assert [file.file_name for file in client.get_downloads(job.id).frame_files] == ["0001.png", "0002.png", "0003.png"]


def test_outputs_are_fetched_into_frames_and_composites(client, tmp_path):
    job = completed(client, tmp_path, compositor_outputs=["beauty"])
    report = client.download_outputs(job.id, tmp_path / "out")
    assert {file.place for file in report.frames} == {f"frames/000{n}.png" for n in (1, 2, 3)}
    assert {file.place for file in report.composites} == {f"composites/beauty/000{n}.png" for n in (1, 2, 3)}
    assert (tmp_path / "out/frames/0002.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("call", ["get_job", "validate_job", "cancel_job", "get_progress", "get_downloads"])
def test_an_unknown_job_is_reported_as_such(client, call):
    with pytest.raises(RenderjuiceNotFoundError, match="404: no such job") as caught:
        getattr(client, call)(NOBODY)
    assert caught.value.status_code == 404


def test_another_workspace_s_key_sees_nothing(new_client, client, scene):
    client.create_job(client.upload(scene).slug)
    with pytest.raises(RenderjuiceAuthenticationError, match="401"):
        new_client(api_key="RJ-somebody").list_jobs()


def test_a_closed_client_opens_again_when_it_is_used(client, scene):
    client.create_upload("shot.blend", "blend")
    if isinstance(client.client, RenderjuiceClient):
        client.client.close()
    else:
        client._loop.run(client.client.close())
    assert client.upload(scene).slug


def test_clients_are_context_managers(emulator):
    with RenderjuiceClient(emulator.api_key, emulator.base_url) as blocking:
        assert list(blocking.list_jobs()) == []

    async def use():
        async with AsyncRenderjuiceClient(emulator.api_key, emulator.base_url) as client:
            return [job async for job in client.list_jobs()]

    assert asyncio.run(use()) == []


def test_one_blocking_client_serves_several_threads(emulator, scene):
    client = connect("blocking", emulator)
    slugs = []
    threads = [threading.Thread(target=lambda: slugs.append(client.upload(scene).slug)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(slugs)) == 8
    assert len(client.client._wire._clients) == 1
    client.close()
