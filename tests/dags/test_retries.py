"""What a task with `RenderjuiceRetryPolicy` does in a run, which `tests.support.retried` makes."""

from __future__ import annotations

import airflow.sdk
import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(airflow.sdk, "RetryPolicy"), reason="this Airflow has no policies"),
]
RESCHEDULES = hasattr(getattr(airflow.sdk, "RetryAction", None), "RESCHEDULE")


@pytest.fixture(scope="module")
def retried(run_script):
    return run_script("retried")


def test_a_render_that_nobody_can_pay_for_yet_is_waited_for_and_paid_once(retried):
    state, tries = retried["tasks"]["render"]
    assert state == "success"
    assert tries == (1 if RESCHEDULES else 4)
    assert retried["faults_left"] == {}
    assert (retried["jobs"], retried["renders"]) == (1, 1)
    assert retried["log"].count("Worth waiting for: Renderjuice answered 402") >= 2


def test_a_bad_file_fails_at_once_and_the_log_says_why(retried):
    assert retried["tasks"]["no_scene"] == ["failed", 1]
    assert "Not retried, since it fails alike until it is corrected: text.blend is not a Blender file" in retried["log"]
