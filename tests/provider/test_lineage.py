"""What OpenLineage learns: scene in, frames and delivery out, under the names that others use."""

from __future__ import annotations

from pathlib import Path

import pytest
from airflow.providers.common.compat.lineage import hook

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api.errors import RenderjuiceError
from renderjuice_provider.lineage import Lineage, dataset_of, note_lineage
from renderjuice_provider.operators.renderjuice import (
    RenderjuiceCancelJobOperator,
    RenderjuiceCreateJobOperator,
    RenderjuiceDownloadOperator,
    RenderjuiceRenderFramesOperator,
    RenderjuiceRenderJobOperator,
    RenderjuiceRunJobOperator,
    RenderjuiceUploadOperator,
    RenderjuiceValidateJobOperator,
)
from tests.support.runner import CONFIG

try:
    from airflow.sdk.lineage import HookLineageCollector
except ImportError:  # before Airflow 3.2
    from airflow.lineage.hook import HookLineageCollector  # type: ignore[import-not-found, no-redef]

extractors = pytest.importorskip(
    "airflow.providers.openlineage.extractors.base", reason="the extra openlineage is not installed"
)
FAST = {"poll_interval": 0.02}
FARM = "renderjuice://renderjuice_default"


def lineage(operator):
    """As the OpenLineage provider gets it when a task ends."""
    return extractors.DefaultExtractor(operator).extract_on_complete(None)


def names(found):
    return [(each.namespace, each.name) for each in found]


def statistics(found):
    (output,) = found.outputs
    return output.outputFacets["outputStatistics"]


@pytest.mark.parametrize(
    ("place", "dataset"),
    [
        ("/srv/shots/sh010.blend", ("file", "/srv/shots/sh010.blend")),
        ("file:///srv/shots/sh010.blend", ("file", "/srv/shots/sh010.blend")),
        ("s3://aws_default@bucket/shots/sh010.blend", ("s3://bucket", "shots/sh010.blend")),
        ("gs://bucket", ("gs://bucket", "/")),
        ("https://cdn.example/a.zip?X-Signature=secret", ("https://cdn.example", "a.zip")),
        (f"{FARM}/jobs/1", (FARM, "jobs/1")),
    ],
)
def test_a_place_has_one_name_without_a_secret(place, dataset):
    assert dataset_of(place) == dataset


def test_a_relative_path_is_named_from_the_root(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert dataset_of("sh010.blend") == ("file", str(tmp_path / "sh010.blend"))


def test_a_scene_leads_to_the_outputs_of_its_job_and_they_to_files(emulator, runner, scene, tmp_path):
    run = RenderjuiceRunJobOperator(task_id="run", file_path=str(scene), render_config=CONFIG, **FAST)
    result = runner.run(run)
    found = lineage(run)
    assert names(found.inputs) == [("file", str(scene))]
    assert names(found.outputs) == [(FARM, f"jobs/{result['job_id']}")]
    assert statistics(found).fileCount == 3
    facet = found.run_facets["renderjuice"]
    assert (facet.jobId, facet.status) == (result["job_id"], "completed")
    assert facet.normalizedSeconds == result["normalized_seconds"]
    assert facet.framesMissing == []

    out = tmp_path / "out"
    download = RenderjuiceDownloadOperator(task_id="download", job_id=result["job_id"], destination=str(out))
    got = runner.run(download)
    found = lineage(download)
    assert names(found.inputs) == [(FARM, f"jobs/{result['job_id']}")]
    assert names(found.outputs) == [("file", str(out))]
    assert (statistics(found).fileCount, statistics(found).size) == (3, got["bytes"])


def test_step_by_step_each_task_goes_on_where_the_one_before_ended(emulator, runner, scene):
    upload = RenderjuiceUploadOperator(task_id="upload", file_path=str(scene))
    slug = runner.run(upload)
    create = RenderjuiceCreateJobOperator(task_id="create", slug=slug)
    job_id = runner.run(create)
    validate = RenderjuiceValidateJobOperator(task_id="validate", job_id=job_id, **FAST)
    runner.run(validate)
    render = RenderjuiceRenderJobOperator(task_id="render", job_id=job_id, render_config=CONFIG, **FAST)
    runner.run(render)

    steps = [lineage(task) for task in (upload, create, render)]
    assert names(steps[0].outputs) == names(steps[1].inputs) == [(FARM, f"uploads/{slug}")]
    assert names(steps[1].outputs) == names(steps[2].inputs) == names(steps[2].outputs) == [(FARM, f"jobs/{job_id}")]
    assert names(lineage(validate).outputs) == []
    assert names(lineage(RenderjuiceCancelJobOperator(task_id="cancel", job_id=None)).outputs) == []


def test_a_folder_of_frames_comes_from_its_scene(emulator, runner, scene, tmp_path):
    out = str(tmp_path / "out")
    render = RenderjuiceRenderFramesOperator(
        task_id="render", file_path=str(scene), render_config=CONFIG, destination=out, **FAST
    )
    result = runner.run(render)
    found = lineage(render)
    assert (names(found.inputs), names(found.outputs)) == ([("file", str(scene))], [("file", out)])
    assert statistics(found).fileCount == 3
    assert found.run_facets["renderjuice"].jobs == result["jobs"]


def test_a_render_that_failed_has_made_nothing(emulator, runner, tmp_path):
    broken = write_scene(tmp_path / "broken.blend", frame_end=3, fail_at_frame=2)
    run = RenderjuiceRunJobOperator(task_id="run", file_path=str(broken), render_config=CONFIG, **FAST)
    with pytest.raises(RenderjuiceError):
        runner.run(run)
    found = lineage(run)
    assert (names(found.inputs), found.outputs, found.run_facets) == ([("file", str(broken))], [], {})


@pytest.mark.parametrize("operator", ["upload", "create", "render", "download", "frames"])
def test_a_task_that_never_came_to_anything_has_made_nothing(operator, tmp_path):
    given = {
        "upload": lambda: RenderjuiceUploadOperator(task_id="t", file_path="/srv/sh010.blend"),
        "create": lambda: RenderjuiceCreateJobOperator(task_id="t", slug="slug"),
        "render": lambda: RenderjuiceRenderJobOperator(task_id="t", job_id="1", render_config=CONFIG),
        "download": lambda: RenderjuiceDownloadOperator(task_id="t", job_id="1", destination="/srv/out"),
        "frames": lambda: RenderjuiceRenderFramesOperator(
            task_id="t", file_path="/srv/sh010.blend", render_config=CONFIG, destination="/srv/out"
        ),
    }
    found = lineage(given[operator]())
    assert len(found.inputs) == 1
    assert found.outputs == []


def test_an_output_of_unknown_extent_has_no_statistics():
    (output,) = Lineage(outputs=(str(Path("/srv/out")),)).to_openlineage().outputs
    assert output.outputFacets == {}


def test_a_task_of_ones_own_says_what_it_has_read_and_written(monkeypatch):
    collector = HookLineageCollector()
    monkeypatch.setattr(hook, "get_hook_lineage_collector", lambda: collector)
    note_lineage(["/srv/frames", "s3://aws_default@bucket/frames"], ["/srv/sh010.mp4"])

    found = collector.collected_assets
    assert [each.asset.uri for each in found.inputs] == ["file:///srv/frames", "s3://bucket/frames"]
    assert [each.asset.uri for each in found.outputs] == ["file:///srv/sh010.mp4"]


def test_lineage_that_cannot_be_noted_fails_no_task(monkeypatch, caplog):
    monkeypatch.setattr(hook, "get_hook_lineage_collector", lambda: None)
    note_lineage(["/srv/frames"])
    assert "The lineage of this task is not noted: AttributeError" in caplog.text


def test_where_nobody_listens_nothing_is_said():
    note_lineage(["/srv/frames"], ["/srv/sh010.mp4"])
