"""What was ordered is what is rendered and paid for: once, and nothing else."""

from __future__ import annotations

import json

import pytest

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api.scene_file import content_fingerprint
from renderjuice_provider.compat import AirflowFailException
from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from renderjuice_provider.lifecycle.record import fingerprint
from renderjuice_provider.operators.renderjuice import (
    RenderjuiceOtherOrderError,
    RenderjuiceRenderJobOperator,
    RenderjuiceRunJobOperator,
)
from tests.support.runner import CONFIG, needs_store

FAST = {"poll_interval": 0.02}
both_modes = pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "on the worker"])


def run_job(scene, **arguments):
    return RenderjuiceRunJobOperator(
        **{"task_id": "run", "file_path": str(scene), "render_config": CONFIG} | FAST | arguments
    )


def render(job_id, **arguments):
    return RenderjuiceRenderJobOperator(
        **{"task_id": "render", "job_id": job_id, "render_config": CONFIG} | FAST | arguments
    )


@pytest.fixture
def client(emulator):
    with RenderjuiceHook().client as client:
        yield client


@pytest.fixture
def validated(client, tmp_path):
    def make(**scene):
        path = write_scene(tmp_path / "shot.blend", **{"frame_end": 3} | scene)
        job_id = client.create_job(client.upload(path).slug).id
        client.validate_job(job_id)
        while client.get_job(job_id).status != "validated":
            pass
        return job_id

    return make


# The same order is not paid twice


@needs_store
@pytest.mark.parametrize(
    "change",
    [
        {"notes": "try 2"},
        {"minimumRam": 64},
        {"gpuCount": 2},
        {"frameRanges": "1-3"},
        {"frameRanges": ["3", "1-2"]},
        {"sampleCount": None},
    ],
    ids=str,
)
def test_a_retry_that_differs_in_no_pixel_takes_up_the_render(emulator, runner, scene, change):
    first = runner.run(run_job(scene, render_config=CONFIG | {"notes": "try 1"}))
    assert runner.run(run_job(scene, render_config=CONFIG | change)) == first
    assert emulator.ledger.renders_started() == 1


@needs_store
def test_a_retry_with_other_pixels_is_another_order(emulator, runner, scene):
    runner.run(run_job(scene))
    runner.run(run_job(scene, render_config=CONFIG | {"sampleCount": 512}))
    assert emulator.ledger.renders_started() == 2


@needs_store
def test_a_default_that_is_written_out_is_not_another_order(emulator, runner, tmp_path):
    scene = write_scene(tmp_path / "shot.blend", frame_end=3, samples=128)
    first = runner.run(run_job(scene))
    for written in ({"sampleCount": 128}, {"sampleCount": 128.0, "fps": "24"}):
        assert runner.run(run_job(scene, render_config=CONFIG | written)) == first
    assert emulator.ledger.renders_started() == 1
    runner.run(run_job(scene, render_config=CONFIG | {"sampleCount": 127}))
    assert emulator.ledger.renders_started() == 2


@needs_store
def test_a_note_that_changes_while_it_renders_neither_stops_nor_repeats_the_render(emulator, runner, tmp_path):
    slow = write_scene(tmp_path / "slow.blend", seconds_per_frame=1e6)
    for note in ("try 1", "try 2"):
        runner.run(run_job(slow, render_config=CONFIG | {"notes": note}, wait=False))
    assert emulator.ledger.renders_started() == 1
    assert len(emulator.ledger.jobs_left_running()) == 1


@needs_store
@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_scene_that_was_renamed_or_touched_is_the_same_scene(emulator, runner, tmp_path, scheme):
    scene = write_scene(tmp_path / "shot.blend", frame_end=3)
    first = runner.run(run_job(f"{scheme}{scene}"))
    renamed = scene.rename(tmp_path / "shot_final.blend")
    renamed.touch()
    assert runner.run(run_job(f"{scheme}{renamed}")) == first
    assert emulator.ledger.renders_started() == 1


@needs_store
def test_another_scene_that_is_not_there_is_not_taken_for_the_one_before(emulator, runner, scene, tmp_path):
    runner.run(run_job(scene))
    with pytest.raises(ValueError, match="No such file"):
        runner.run(run_job(tmp_path / "other.blend"))


@needs_store
def test_a_connection_of_another_name_to_the_same_account_pays_nothing_again(emulator, runner, scene, monkeypatch):
    first = runner.run(run_job(scene))
    fields = {"conn_type": "renderjuice", "host": f"{emulator.base_url}/", "password": emulator.api_key}
    monkeypatch.setenv("AIRFLOW_CONN_FARM", json.dumps(fields))
    assert runner.run(run_job(scene, renderjuice_conn_id="farm")) == first
    assert emulator.ledger.renders_started() == 1


@needs_store
def test_another_account_has_to_pay_for_itself_and_the_old_job_is_reported(runner, scene, monkeypatch, capsys):
    from renderjuice_emulator.testing import Emulator

    with Emulator(api_keys=("RJ-one-key", "RJ-other-key")) as emulator:
        for key in ("RJ-one-key", "RJ-other-key"):
            fields = {"conn_type": "renderjuice", "host": emulator.base_url, "password": key}
            monkeypatch.setenv("AIRFLOW_CONN_RENDERJUICE_DEFAULT", json.dumps(fields))
            runner.run(run_job(scene))
        assert emulator.ledger.renders_started() == 2
    assert "unknown to this connection. If it belongs to another account" in capsys.readouterr().out


@needs_store
@pytest.mark.parametrize("scene_is_there", [True, False])
def test_the_record_of_an_earlier_release_is_understood(emulator, runner, scene, scene_is_there):
    first = runner.run(run_job(scene))
    record = runner.store.get("renderjuice")
    del record["source"]
    record["work"] = fingerprint(str(scene), CONFIG, "renderjuice_default", emulator.base_url)
    runner.store.set("renderjuice", record)
    assert record["content"] == content_fingerprint(scene)
    if not scene_is_there:
        scene.unlink()
    assert runner.run(run_job(scene)) == first
    assert runner.run(run_job(scene, render_config=CONFIG | {"notes": "later"})) == first
    assert emulator.ledger.renders_started() == 1


# What a job renders is what was ordered


@both_modes
def test_a_job_that_renders_something_else_is_not_a_success(emulator, client, validated, runner, deferrable):
    job_id = validated(seconds_per_frame=1e6)
    client.start_render(job_id, CONFIG | {"sampleCount": 4})
    with pytest.raises(RenderjuiceOtherOrderError) as caught:
        runner.run(render(job_id, render_config=CONFIG | {"sampleCount": 512}, deferrable=deferrable))
    assert str(caught.value).startswith("Another order: sampleCount: ordered 512, the job has 4. ")
    assert "was left as it is; what it renders is billed" in str(caught.value)
    assert isinstance(caught.value, AirflowFailException)
    assert emulator.ledger.jobs_left_running() == [job_id]


@needs_store
@pytest.mark.parametrize(
    ("job_has", "ordered", "said"),
    [
        ({"frameRanges": ["1-2"]}, {"frameRanges": ["1-3"]}, "frameRanges: ordered 1-3, the job has 1-2"),
        ({"frameRanges": ["1-2"]}, {"frameRanges": None}, "frameRanges: 1-2, which was not ordered"),
        ({"outputFormat": "OPEN_EXR"}, {}, "outputFormat: OPEN_EXR, which was not ordered"),
        ({"colorManagementPreset": "aces"}, {}, "colorManagementPreset: ordered default, the job has aces"),
    ],
)
def test_a_job_that_has_rendered_something_else_is_not_a_success(client, validated, runner, job_has, ordered, said):
    job_id = validated()
    runner.run(render(job_id, render_config=CONFIG | job_has))
    runner.store.values.clear()  # another task
    for _ in range(2):  # a clear makes no success of it
        with pytest.raises(RenderjuiceOtherOrderError, match=said):
            runner.run(render(job_id, render_config=CONFIG | ordered))


def test_a_job_that_somebody_starts_in_the_same_moment_is_not_taken_for_ours(client, validated, runner):
    job_id = validated()
    operator = render(job_id, render_config=CONFIG | {"sampleCount": 512})
    operations = operator.client.operations
    start_render = operations.start_render

    def start_too_late(job_id, config):
        client.start_render(job_id, CONFIG | {"sampleCount": 4})
        return start_render(job_id, config)

    operations.start_render = start_too_late
    with pytest.raises(RenderjuiceOtherOrderError, match="sampleCount: ordered 512, the job has 4"):
        runner.run(operator)


@both_modes
def test_the_same_order_in_other_words_is_taken_up(emulator, client, validated, runner, deferrable):
    job_id = validated()
    client.start_render(job_id, CONFIG | {"sampleCount": 4, "notes": "by hand"})
    config = {"color_management_preset": "default", "frameRanges": [1, "2-3"], "sampleCount": "4"}
    assert runner.run(render(job_id, render_config=config, deferrable=deferrable))["status"] == "completed"
    assert emulator.ledger.renders_started(job_id) == 1


def change_the_echo(monkeypatch, change):
    """An API that writes the order in its own way."""
    from renderjuice_provider.api._reading import Reader

    for name in ("job", "job_or_none"):
        read = getattr(Reader, name)

        def changed(self, response, job_id=None, read=read):
            job = read(self, response, job_id)
            if job is None or job.requested_config is None:
                return job
            return job.model_copy(update={"requested_config": change(job.requested_config)})

        monkeypatch.setattr(Reader, name, changed)


@needs_store
@both_modes
@pytest.mark.parametrize(
    "change",
    [
        lambda config: config | {"sampleCount": 128, "renderEngine": "CYCLES", "fps": 24.0},
        lambda config: {"frame_ranges": ["1", "2", "3"], "color_management_preset": "default"},
        json.dumps,
        lambda _: None,
        lambda _: "opaque",
    ],
    ids=["defaults filled in", "snake case", "text", "null", "opaque"],
)
def test_our_own_render_is_ours_however_the_api_writes_it(emulator, validated, runner, monkeypatch, change, deferrable):
    change_the_echo(monkeypatch, change)
    job_id = validated()
    for _ in range(2):
        assert runner.run(render(job_id, deferrable=deferrable))["status"] == "completed"
    assert emulator.ledger.renders_started(job_id) == 1


def test_what_the_api_does_not_report_is_logged_once(validated, runner, monkeypatch, capsys):
    change_the_echo(monkeypatch, lambda _: None)
    job_id = validated()
    runner.run(render(job_id, deferrable=False))
    said = f"Renderjuice does not report whether job {job_id} renders what was ordered as colorManagementPreset, frameRanges"
    assert capsys.readouterr().out.count(said) == 1
