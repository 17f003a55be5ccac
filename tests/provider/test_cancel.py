"""The safety net: one job, many or none, each seen to its end."""

from __future__ import annotations

import time

import pytest
from airflow.sdk import DAG, XComArg

from renderjuice_emulator.scenes import write_scene
from renderjuice_provider.api.errors import (
    RenderjuiceAuthenticationError,
    RenderjuiceError,
    RenderjuiceInputError,
    RenderjuiceNotFoundError,
    RenderjuiceTimeoutError,
)
from renderjuice_provider.compat import XComNotFound
from renderjuice_provider.hooks.renderjuice import RenderjuiceHook
from renderjuice_provider.operators._cancel import ids_in
from renderjuice_provider.operators.renderjuice import RenderjuiceCancelJobOperator, RenderjuiceRunJobOperator
from tests.support.runner import CONFIG

ONE, TWO = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"


@pytest.fixture
def rendering(emulator, tmp_path):
    """Two jobs that render for ever."""
    slow = write_scene(tmp_path / "slow.blend", frame_end=3, seconds_per_frame=1e6)
    with RenderjuiceHook().client as client:
        found = [client.create_job(client.upload(slow).slug).id for _ in range(2)]
        for job_id in found:
            client.validate_job(job_id)
            while client.get_job(job_id).status != "validated":
                time.sleep(0.01)
            client.start_render(job_id, CONFIG)
    return found


def cancel(job_id, **arguments):
    return RenderjuiceCancelJobOperator(**{"task_id": "stop", "job_id": job_id, "poll_interval": 0.02} | arguments)


def test_a_cancel_that_takes_its_time_is_seen_through(emulator, runner, rendering):
    emulator.switches.cancel_seconds = 300
    assert runner.run(cancel(rendering[0])) == "canceled"
    assert emulator.ledger.count("cancel_job") == 1


def test_many_jobs_are_stopped_by_one_task(emulator, runner, rendering):
    assert runner.run(cancel(iter([*rendering, None]))) == dict.fromkeys(rendering, "canceled")
    assert emulator.ledger.jobs_left_running() == []


@pytest.mark.parametrize("nothing", [None, "", "None", [], [None], "[]"])
def test_a_render_that_had_no_job_leaves_nothing_to_do(emulator, runner, nothing):
    assert runner.run(cancel(nothing)) is None
    assert emulator.ledger.entries == []


def test_a_job_that_does_not_stop_in_time_is_an_error_that_names_it(emulator, runner, rendering):
    emulator.switches.cancel_seconds = 1e9
    with pytest.raises(RenderjuiceTimeoutError, match=f"costs money while it runs: {rendering[0]} \\(rendering\\)"):
        runner.run(cancel(rendering[0], timeout=0.3))


def test_a_refused_key_is_an_error_at_once(emulator, runner, rendering):
    emulator.faults.add("cancel_job", "401")
    with pytest.raises(RenderjuiceAuthenticationError):
        runner.run(cancel(rendering, timeout=600))
    assert emulator.ledger.count("cancel_job") == 1


def test_what_is_not_an_id_is_refused_before_anything_is_sent(emulator, runner):
    with pytest.raises(RenderjuiceInputError, match="UUID"):
        runner.run(cancel([ONE, "latest"]))
    assert emulator.ledger.entries == []


def test_a_job_that_nobody_knows_is_an_error_and_the_others_are_stopped_first(emulator, runner, rendering):
    with pytest.raises(RenderjuiceNotFoundError):
        runner.run(cancel([ONE, *rendering]))
    assert emulator.ledger.jobs_left_running() == []
    with pytest.raises(RenderjuiceError, match=rf"{ONE} \(.+{TWO}"):
        runner.run(cancel([ONE, TWO]))


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        (ONE, [ONE]),
        (f" {ONE}\n", [ONE]),
        ([ONE, TWO], [ONE, TWO]),
        (f"['{ONE}', None, '{TWO}']", [ONE, TWO]),
        ((ONE, [TWO, None]), [ONE, TWO]),
        ({"job_id": ONE, "status": "rendering"}, [ONE]),
    ],
)
def test_ids_come_as_xcoms_and_templates_give_them(value, ids):
    assert ids_in(value) == ids


class NeverPushed(XComArg):
    """An XCom of a task that failed before it pushed anything."""

    def __init__(self, key: str) -> None:
        self.key = key

    def iter_references(self):
        yield from ()

    def resolve(self, context, **_):
        raise XComNotFound("dag", "render", self.key)


def test_an_id_that_was_never_published_is_none_and_a_slip_in_the_key_is_an_error():
    stop = cancel(ONE)
    assert stop.render_template(NeverPushed("renderjuice_job_id"), {}) is None
    with pytest.raises(XComNotFound):
        stop.render_template(NeverPushed("renderjuice_jobid"), {})


@pytest.mark.parametrize("mapped", [True, False])
def test_the_net_hangs_under_one_render_and_under_mapped_ones(mapped):
    with DAG("net", schedule=None):
        if mapped:
            render = RenderjuiceRunJobOperator.partial(task_id="render", render_config=CONFIG).expand(file_path=["/a"])
        else:
            render = RenderjuiceRunJobOperator(task_id="render", render_config=CONFIG, file_path="/a")
        stop = cancel(XComArg(render, key="renderjuice_job_id"))
        stop.as_teardown()
    assert stop.is_teardown
    assert stop.upstream_task_ids == {"render"}


def test_a_net_that_is_expanded_over_the_ids_of_mapped_renders_is_one_task():
    with DAG("net", schedule=None):
        render = RenderjuiceRunJobOperator.partial(task_id="render", render_config=CONFIG).expand(file_path=["/a"])
        stop = RenderjuiceCancelJobOperator.partial(task_id="stop", timeout=60).expand(
            job_id=XComArg(render, key="renderjuice_job_id")
        )
    assert isinstance(stop, RenderjuiceCancelJobOperator)
    assert (stop.timeout, stop.upstream_task_ids) == (60, {"render"})


def test_a_net_over_given_ids_is_expanded_as_ever():
    with DAG("net", schedule=None):
        stop = RenderjuiceCancelJobOperator.partial(task_id="stop").expand(job_id=[ONE, TWO])
        also = RenderjuiceCancelJobOperator.partial(task_id="also").expand_kwargs([{"job_id": ONE}])
    assert (stop.is_mapped, also.is_mapped) == (True, True)
