"""The documentation contradicts itself in eighteen places.

One test or more for each, numbered as in the list of what we know.
"""

from __future__ import annotations

import time

import pytest

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api.config import RenderConfig
from renderjuice_provider.api.errors import RenderjuiceInputError, RenderjuiceRefusedError
from renderjuice_provider.lifecycle.job_poller import JobPoller, watch
from renderjuice_provider.lifecycle.outcome import Ending
from tests.support.both_clients import CONFIG, completed, created, operations, validated, wait_for
from tests.support.http_server import JOB_ID, a_job, answer, serving

FOR_EVER = 1e6
"""Emulated seconds: a quarter of an hour at the emulator's speed, so only the test ends it."""


def waiting(client, job_id, target="completed", seconds=10.0, on_line=lambda line: None):
    now = time.time()
    wait = JobPoller(job_id, target, poll_interval=0.004, started=now, deadline=now + seconds)
    lines = []

    def log(line):
        lines.append(line)
        on_line(line)

    return client.run(watch(client.operations, wait, log)), lines


@pytest.mark.parametrize("status", ["debugging", "suspended", "compositing"])
def test_01_a_status_that_some_list_lacks_is_waited_out(client, emulator, tmp_path, status):
    emulator.switches.extra_status, emulator.switches.extra_status_seconds = status, FOR_EVER
    job = validated(client, tmp_path)
    client.start_render(job.id, CONFIG)
    assert wait_for(client, job.id, status).is_over is False
    outcome, lines = waiting(client, job.id, on_line=lambda line: status in line and emulator.clock.advance(FOR_EVER))
    assert outcome.ending is Ending.REACHED
    assert sum(status in line for line in lines) == 1


def test_01_a_status_that_is_unknown_for_ever_ends_at_the_deadline(client, emulator, tmp_path):
    emulator.switches.extra_status, emulator.switches.extra_status_seconds = "pondering", 1e6
    job = validated(client, tmp_path)
    client.start_render(job.id, CONFIG)
    wait_for(client, job.id, "pondering")
    outcome, _ = waiting(client, job.id, seconds=0.05)
    assert (outcome.ending, outcome.status) == (Ending.TIMED_OUT, "pondering")


@pytest.mark.parametrize("skip", [True, False])
def test_02_finalizing_is_not_required(client, emulator, tmp_path, skip):
    emulator.switches.skip_finalizing = skip
    job = validated(client, tmp_path)
    client.start_render(job.id, CONFIG)
    assert waiting(client, job.id)[0].ending is Ending.REACHED


def test_02_all_frames_rendered_is_not_done(client, emulator, tmp_path):
    emulator.switches.finalize_seconds = 1e6
    job = validated(client, tmp_path)
    client.start_render(job.id, CONFIG)
    wait_for(client, job.id, "finalizing")
    assert client.get_progress(job.id)[0].percent == 100
    assert waiting(client, job.id, seconds=0.05)[0].ending is Ending.TIMED_OUT


@pytest.mark.parametrize("shape", ["bare", "wrapped"])
def test_03_a_job_may_be_bare_or_inside_data_in_every_answer(client, emulator, tmp_path, shape):
    for name in ("get_job", "create_job", "start_render", "validate", "cancel"):
        setattr(emulator.switches, f"{name}_shape", shape)
    job = validated(client, tmp_path, seconds_per_frame=1000)
    assert client.start_render(job.id, CONFIG).id == job.id
    assert client.cancel_job(job.id).status == "canceled"


@pytest.mark.parametrize("wrap", [True, False])
def test_03_downloads_and_lists_and_targets_may_be_wrapped_too(new_client, wrap):
    bodies = {
        "/jobs": {"jobs": [a_job()], "pagination": {"page": 1, "totalPages": 1}},
        f"/jobs/{JOB_ID}/downloads": {"frames": ["https://store.test/1.png"], "compositeNodes": [], "transforms": {}},
        "/uploads": {"uploadUrl": "https://store.test/put", "slug": "s", "expiresAt": "2099-01-01T00:00:00Z"},
    }

    def reply(request):
        body = bodies[request.path.partition("?")[0]]
        return answer({"data": body} if wrap else body)

    with serving(reply) as server:
        client = new_client(base_url=server.url)
        assert [job.id for job in client.list_jobs()] == [JOB_ID]
        assert len(client.get_downloads(JOB_ID).frame_files) == 1
        assert client.create_upload("a.blend", "blend").slug == "s"


def test_04_the_order_is_sent_under_one_name_and_read_under_two_others(new_client):
    job = a_job("booting", requestedRenderConfig={"no": 1}, requestedConfig={"yes": 1}, finalConfig={"yes": 2})
    with serving(lambda _: answer(job)) as server:
        started = new_client(base_url=server.url).start_render(JOB_ID, CONFIG)
        assert server.requests[0].body.startswith(b'{"requestedRenderConfig":{')
    assert (started.requested_config, started.final_config) == ({"yes": 1}, {"yes": 2})


def test_05_a_repeated_start_is_a_replay_and_starts_nothing(client, emulator, tmp_path):
    job = completed(client, tmp_path)
    assert client.start_render(job.id, CONFIG).status == "completed"
    assert emulator.ledger.accounts[job.id].replays == 1
    assert emulator.ledger.renders_started() == 1


@pytest.mark.parametrize("code", [400, 409, 422])
def test_05_a_repeated_validation_is_refused_and_decided_by_the_job(client, emulator, tmp_path, code):
    emulator.switches.wrong_state_status = code
    job = validated(client, tmp_path)
    assert client.validate_job(job.id).status == "validated"


@pytest.mark.parametrize("code", [400, 409, 422])
def test_05_a_repeated_cancel_is_refused_and_decided_by_the_job(client, emulator, tmp_path, code):
    emulator.switches.wrong_state_status = code
    job = created(client, tmp_path)
    assert client.cancel_job(job.id).status == client.cancel_job(job.id).status == "canceled"
    assert client.cancel_job(completed(client, tmp_path).id).status == "completed"


@pytest.mark.parametrize(("rich", "legacy"), [(True, True), (True, False), (False, True)])
def test_06_the_rich_lists_come_first_and_the_legacy_ones_are_never_added(client, emulator, tmp_path, rich, legacy):
    emulator.switches.file_outputs, emulator.switches.legacy_outputs = rich, legacy
    job = completed(client, tmp_path, compositor_outputs=["beauty"])
    report = client.download_outputs(job.id, tmp_path / "out")
    assert (len(report.frames), len(report.composites)) == (3, 3)
    assert {file.place for file in report.frames} == {f"frames/000{n}.png" for n in (1, 2, 3)}
    assert [file.node for file in report.composites] == ["beauty" if rich else None] * 3


@pytest.mark.parametrize(
    (
        "encoding",
        "outputs",
        "receiver",
    ),  # 7: what is signed, and how it is written; 8: what may be missing; 9: the answer
    [("hex", "frames", 200), ("HEX", "empty", 500), ("sha256=hex", "absent", 404), ("base64", "null", 302)],
)
def test_07_08_09_no_wait_rests_on_webhooks(client, emulator, tmp_path, encoding, outputs, receiver):
    """Receiving them is not the client's business.

    However events look, only the job's status ends a wait.
    """
    emulator.switches.webhook_encoding, emulator.switches.webhook_outputs = encoding, outputs
    with serving(lambda _: answer({}, receiver)) as server:
        emulator.webhooks.url = server.url
        job = validated(client, tmp_path)
        client.start_render(job.id, CONFIG)
        outcome, _ = waiting(client, job.id)
        assert outcome.ending is Ending.REACHED
        assert len(client.download_outputs(job.id, tmp_path / "out").frames) == 3
        emulator.reset()


def test_10_small_files_may_be_nearly_5_gib_and_not_more(client, emulator, tmp_path):
    scene = write_scene(tmp_path / "huge.blend", size=5 * 1024**3)
    with pytest.raises(RenderjuiceInputError, match=r"has 5\.00 GiB; uploads must be smaller than 5 GiB"):
        client.upload(scene)
    assert operations(emulator) == []


def test_11_the_preset_has_no_default_and_is_not_taken_from_the_sample():
    assert RenderConfig.model_fields["color_management_preset"].is_required()
    assert RenderConfig(color_management_preset="aces").to_json() == {"colorManagementPreset": "aces"}


@pytest.mark.parametrize("config", [{}, {"frameRanges": ["1-3"]}, {"colorManagementPreset": ""}])
def test_12_an_empty_order_and_one_without_its_preset_are_refused_here(client, emulator, config):
    with pytest.raises(RenderjuiceInputError, match="colorManagementPreset"):
        client.start_render(JOB_ID, config)
    assert operations(emulator) == []


@pytest.mark.parametrize("name", ["shot.ma", "shot.mb", "shot.usd", "exporter.py", "shot.blend1", "blend"])
def test_13_blender_only(client, emulator, tmp_path, name):
    (tmp_path / name).write_bytes(b"BLENDER-v405")
    with pytest.raises(RenderjuiceInputError, match=r"takes \.blend and \.zip files only"):
        client.upload(tmp_path / name)
    assert operations(emulator) == []


@pytest.mark.parametrize("step", [created, validated])
def test_14_cancel_is_tried_on_a_job_that_is_not_in_progress(client, tmp_path, step):
    assert client.cancel_job(step(client, tmp_path).id).status == "canceled"


def test_14_a_refused_cancel_of_a_job_that_goes_on_is_an_error(new_client):
    def reply(request):
        return answer(a_job("created")) if request.method == "GET" else answer({"message": "not in progress"}, 400)

    with serving(reply) as server:
        with pytest.raises(RenderjuiceRefusedError, match="400: not in progress"):
            new_client(base_url=server.url).cancel_job(JOB_ID)
        assert [request.body for request in server.requests if request.method == "POST"] == [b"", b"{}"]


@pytest.mark.parametrize("target", ["validated", "completed"])
@pytest.mark.parametrize("end", ["failed", "canceled"])
def test_15_every_wait_ends_with_a_failure_or_a_cancellation(client, tmp_path, target, end):
    job = created(client, tmp_path, fail_validation=["no camera", "SCENE_ERROR"])
    if end == "failed":
        client.validate_job(job.id)
    else:
        client.cancel_job(job.id)
    outcome, _ = waiting(client, job.id, target)
    assert (outcome.ending, outcome.status) == (Ending.OVER, end)
    assert ("SCENE_ERROR: no camera" in outcome.message) is (end == "failed")


@pytest.mark.parametrize("shape", ["array", "object", "wrapped"])
def test_16_progress_has_two_shapes_and_emptiness_is_not_the_end(client, emulator, tmp_path, shape):
    emulator.switches.progress_shape = shape
    job = validated(client, tmp_path, seconds_per_frame=1000)
    assert client.get_progress(job.id) == ()
    client.start_render(job.id, CONFIG)
    wait_for(client, job.id, "rendering")
    for found in (client.get_progress(job.id), client.get_progress()):
        assert [(one.job_id, one.frames_done, one.frames_total) for one in found] == [(job.id, 0, 3)]


@pytest.mark.parametrize(("percent", "fits"), [(0, False), (1, True), (16385, True), (32767, True), (32768, False)])
def test_17_the_midpoint_16384_is_not_a_limit(percent, fits):
    from renderjuice_provider.api.config import check_render_config

    config = {"colorManagementPreset": "default", "resolutionPercentage": percent}
    if fits:
        assert check_render_config(config).resolution_percentage == percent
    else:
        with pytest.raises(RenderjuiceInputError, match="resolutionPercentage"):
            check_render_config(config)


def test_18_the_order_of_fields_and_further_fields_mean_nothing(new_client):
    job = {"later": {"deep": [1]}, "sceneFile": 7, "status": "created", "analysis": None, "userId": None, "id": JOB_ID}
    with serving(lambda _: answer({"data": job})) as server:
        read = new_client(base_url=server.url).get_job(JOB_ID)
    assert (read.id, read.status, read.user_id, read.scene_file) == (JOB_ID, "created", None, 7)
