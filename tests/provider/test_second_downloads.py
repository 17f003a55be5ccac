"""The operator's next try, and a second run."""

from __future__ import annotations

import json

import pytest

from renderjuice_provider.api.errors import RenderjuiceError, RenderjuiceIncompleteError, RenderjuiceTransferError
from renderjuice_provider.operators.renderjuice import RenderjuiceDownloadOperator, RenderjuiceRunJobOperator
from tests.support.runner import CONFIG


@pytest.fixture
def job_id(scene, runner):
    operator = RenderjuiceRunJobOperator(
        task_id="run", file_path=str(scene), render_config=CONFIG, poll_interval=0.02, deferrable=False
    )
    return runner.run(operator)["job_id"]


def download(runner, job_id, out):
    return runner.run(RenderjuiceDownloadOperator(task_id="download", job_id=job_id, destination=str(out)))


def test_a_second_run_fetches_nothing_and_writes_the_same_manifest(emulator, runner, job_id, tmp_path):
    first = download(runner, job_id, tmp_path / "out")
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    (tmp_path / "out/manifest.json").unlink()
    before = emulator.ledger.count("download_file")
    assert download(runner, job_id, tmp_path / "out") == first
    assert json.loads((tmp_path / "out/manifest.json").read_text()) == manifest
    assert emulator.ledger.count("download_file") == before


def test_a_manifest_never_stands_beside_files_of_another_job(emulator, runner, scene, job_id, tmp_path):
    manifest = tmp_path / "out/manifest.json"
    download(runner, job_id, tmp_path / "out")
    run = RenderjuiceRunJobOperator(
        task_id="again", file_path=str(scene), render_config=CONFIG, poll_interval=0.02, deferrable=False
    )
    runner.store.values.clear()
    another = runner.run(run)["job_id"]
    assert another != job_id
    emulator.faults.add("download_file", "404")
    with pytest.raises(RenderjuiceTransferError):
        download(runner, another, tmp_path / "out")
    assert not manifest.exists()
    download(runner, another, tmp_path / "out")
    emulator.faults.add("get_downloads", "404")
    with pytest.raises(RenderjuiceError):
        download(runner, another, tmp_path / "out")
    assert json.loads(manifest.read_text())["job_id"] == another


@pytest.mark.parametrize("content", ["", "[]", "no JSON", '{"job_id": 1}'])
def test_what_is_no_manifest_of_ours_is_replaced_by_one(emulator, runner, job_id, tmp_path, content):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/manifest.json").write_text(content)
    assert download(runner, job_id, tmp_path / "out")["complete"]
    assert json.loads((tmp_path / "out/manifest.json").read_text())["job_id"] == job_id


def test_a_next_try_fetches_only_what_the_one_before_has_not(emulator, runner, job_id, tmp_path):
    outputs = emulator.jobs[job_id].outputs
    late = outputs.pop()
    with pytest.raises(RenderjuiceIncompleteError, match="3"):
        download(runner, job_id, tmp_path / "out")
    outputs.append(late)
    assert download(runner, job_id, tmp_path / "out")["complete"]
    assert emulator.ledger.count("download_file") == 3
